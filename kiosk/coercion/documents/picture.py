"""JPEG: what a frame header says (ISO/IEC 10918-1 B.2), so that the file itself can be the pixel
data. Nothing is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.coercion.documents.refusal import LeftOut

BASELINE, EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
_FRAMES = {0xC0: BASELINE, 0xC1: EXTENDED}
_OTHER_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC0, 0xC1, 0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG file that DICOM can hold as it is."""

    data: bytes
    transfer_syntax_uid: str
    rows: int
    columns: int
    photometric: str  # MONOCHROME2, YBR_FULL, YBR_FULL_422 or RGB

    @property
    def samples(self) -> int:
        return 1 if self.photometric == "MONOCHROME2" else 3


def read(data: bytes) -> Picture:
    """Raises LeftOut for what DICOM has no transfer syntax for, or what is cut short."""
    end = data.rfind(b"\xff\xd9")
    if not data.startswith(b"\xff\xd8") or end < 0:
        raise LeftOut("broken")
    adobe, at = -1, 2
    while at + 4 <= end:
        if data[at] != 0xFF:
            raise LeftOut("broken")
        marker, at = data[at + 1], at + 2
        if marker == 0xFF:
            at -= 1
            continue
        if marker in _ALONE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        content = data[at + 2 : at + length]
        if marker in _OTHER_FRAMES:
            raise LeftOut("not-baseline")
        if marker == 0xEE and content.startswith(b"Adobe") and len(content) >= 12:
            adobe = content[11]
        if marker in _FRAMES:
            return _frame(data[: end + 2], _FRAMES[marker], content, adobe)
        if marker == 0xDA or length < 2:
            break
        at += length
    raise LeftOut("broken")


def _frame(data: bytes, syntax: str, content: bytes, adobe: int) -> Picture:
    if len(content) < 6 or len(content) < 6 + 3 * content[5]:
        raise LeftOut("broken")
    precision, count = content[0], content[5]
    rows, columns = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
    if precision != 8 or count not in (1, 3):
        raise LeftOut("not-baseline")
    if not rows or not columns:
        raise LeftOut("broken")
    photometric = "MONOCHROME2"
    if count == 3:
        thinned = content[7] != content[10]  # chroma sampled more coarsely than luminance
        photometric = "RGB" if adobe == 0 else "YBR_FULL_422" if thinned else "YBR_FULL"
    return Picture(data + b"\0" * (len(data) % 2), syntax, rows, columns, photometric)
