"""A letter to a sender: what its discs were like here, and what would help both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from kiosk.desk.reporting.figures import FEWEST, of_sender
from kiosk.store import Brought

# By a finding's code: what was wrong, and what a sender can do about it.
ADVICE = {
    "damaged-instance": (
        "held images that could not be read whole",
        "Please verify each disc after burning it, at a lower speed, and send it in a hard case.",
    ),
    "listed-file-missing": (
        "listed images that are not on them",
        "Please write the DICOMDIR after all images are on the disc, and verify it (IHE PDI).",
    ),
    "unlisted-file": (
        "held images that their DICOMDIR does not list",
        "Please list every image: other readers show only what is listed (PS3.10 8.6).",
    ),
    "directory-damaged": (
        "had a DICOMDIR with faults in it",
        "Please ask the maker of the program that writes them for a correction (PS3.3 F.3).",
    ),
    "directory-disagrees": (
        "had a DICOMDIR that says otherwise than the images",
        "Please make it from the images' own headers (PS3.3 F.5).",
    ),
    "charset-guessed": (
        "had names in a character set that they do not name",
        "Please fill in Specific Character Set (0008,0005); names may be spelt wrongly until then.",
    ),
    "uid-invalid": (
        "had images with UIDs that break the rules",
        "Please ask the maker of the device for a correction (PS3.5 9.1).",
    ),
    "conflicting-instance": (
        "held different images under one UID",
        "Please ask the maker of the device for a correction: one of them can be lost (PS3.5 9).",
    ),
    "several-people": (
        "held scans of more than one patient",
        "Please write one patient's scans to a disc: the others' reached somebody who should not "
        "have them.",
    ),
    "encrypted": (
        "had files that are locked",
        "Please write discs without a password, or agree with us on how it is handed over.",
    ),
}


@dataclass(frozen=True, slots=True)
class Letter:
    """Plain text, without any patient's data. `media` is what it rests on."""

    sender: str
    media: int
    text: str


def letter(
    lines: Iterable[Brought], sender: str, site: str, first: str, last: str
) -> Letter | None:
    """None where fewer than FEWEST came from that sender: of so few nothing can be said."""
    media, size, codes = 0, 0, Counter[str]()
    for one in lines:
        if of_sender(one).casefold() == sender.casefold():
            media += 1
            size += one.medium.bytes
            codes.update(one.findings & ADVICE.keys())
    if media < FEWEST:
        return None
    said = [f"To: {sender}", f"From: {site}", ""]
    said.append(f"From {first} to {last} patients brought us {media} discs from you{_size(size)}.")
    for code, count in codes.most_common():
        what, advice = ADVICE[code]
        said += ["", f"{count} of them {what}. {advice}"]
    if not codes:
        said += ["", "There was nothing to say against them. Thank you."]
    said += ["", ELECTRONIC, ""]
    return Letter(sender, media, "\n".join(said))


ELECTRONIC = (
    "Better than any disc: we take DICOM C-STORE and DICOMweb STOW-RS over TLS. Please tell us "
    "whom we may talk to about sending these studies electronically."
)


def _size(size: int) -> str:
    return f", {size / 1e9:.1f} GB in all" if size >= 1e8 else ""
