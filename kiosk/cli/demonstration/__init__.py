"""The world around a kiosk, in small: discs to put in, a PACS to send to, a registration system to
hear from.

These are other people's systems, so they import nothing of ours and share no code with what they
try out: `discs` burns real file-sets into ISO 9660 images, `pacs` is an archive in a process of its
own that commits only what it holds, `registration` sends HL7 v2 messages over a real MLLP
connection. `kiosk demo` and the journeys use them; no hospital does.
"""
