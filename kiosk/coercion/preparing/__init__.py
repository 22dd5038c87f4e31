"""What is found out and made before anything is decided, in a sandboxed child: what the headers
say and break, which UIDs cannot stay, the pixel data's hash, deflated and big endian files written
anew, reports turned into DICOM objects."""

from kiosk.coercion.preparing.catalog import prepare

__all__ = ["prepare"]
