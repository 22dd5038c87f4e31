"""The header of one staged file: preamble, file meta information, and the dozen values that
cataloging needs (PS3.10 7.1), with what is wrong with the file."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from pydicom.config import IGNORE
from pydicom.uid import UID

from kiosk.fileset.header import tags
from kiosk.fileset.header.elements import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    LONG_VRS,
    SHORT_VRS,
    UNDEFINED,
    Encoding,
    Scan,
    scan,
)
from kiosk.fileset.header.source import MemorySource, Source
from kiosk.model.content import InstanceStatus, Severity

IMPLICIT_UID, EXPLICIT_UID = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG_ENDIAN_UID, DEFLATED_UID = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
_GE_PRIVATE_UID = "1.2.840.113619.5.2"  # implicit, with pixel data of the other byte order
_ENCODINGS = {
    IMPLICIT_UID: IMPLICIT_LITTLE,
    _GE_PRIVATE_UID: IMPLICIT_LITTLE,
    BIG_ENDIAN_UID: EXPLICIT_BIG,
}
_PLAIN = {
    IMPLICIT_LITTLE: IMPLICIT_UID,
    EXPLICIT_LITTLE: EXPLICIT_UID,
    EXPLICIT_BIG: BIG_ENDIAN_UID,
}
_BY_REFERENCE = ("1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95")  # JPIP: pixels elsewhere

_UID = re.compile(r"[0-9.]{1,64}")

INFLATE_KEEP = 16_000_000  # a header is never longer
INFLATE_FILE = 256_000_000


class Budget:
    """What one medium may cost us in all: elements passed, bytes inflated. A hostile disc runs out
    of it; what is left to each file then still reads an honest header."""

    def __init__(self, elements: int = 30_000_000, inflated: int = 1_500_000_000) -> None:
        self.elements, self.inflated = elements, inflated

    def for_file(self) -> int:
        return max(20_000, min(5_000_000, self.elements))


@dataclass(slots=True)
class Header:
    """One file's header. `values` are raw, in `encoding`; `status` and `flaws` say what is wrong:
    (code, severity, detail)."""

    transfer_syntax_uid: str
    encoding: Encoding
    dataset_offset: int
    pixel_offset: int
    values: dict[int, bytes]
    meta: dict[int, bytes]
    has_preamble: bool = False
    status: InstanceStatus = InstanceStatus.OK
    flaws: list[tuple[str, Severity, str]] = field(default_factory=list)

    @property
    def is_native(self) -> bool:
        """Whether the frames lie uncompressed one behind the other (PS3.5 8.1.1)."""
        return self.transfer_syntax_uid in (*_PLAIN.values(), _GE_PRIVATE_UID)

    def flaw(self, code: str, severity: Severity, detail: str) -> None:
        self.flaws.append((code, severity, detail))

    def uid(self, tag: int) -> str:
        return uid_text(self.values.get(tag, b""))

    def number(self, tag: int) -> int:
        """A US value, 0 when absent."""
        raw = self.values.get(tag, b"")[:2]
        return int.from_bytes(raw, "big" if self.encoding.big else "little")

    @property
    def sop_instance_uid(self) -> str:
        return self.uid(tags.SOP_INSTANCE_UID) or uid_text(
            self.meta.get(tags.MEDIA_STORAGE_SOP_INSTANCE_UID, b"")
        )

    @property
    def sop_class_uid(self) -> str:
        return self.uid(tags.SOP_CLASS_UID) or uid_text(
            self.meta.get(tags.MEDIA_STORAGE_SOP_CLASS_UID, b"")
        )

    @property
    def frames(self) -> int:
        text = self.values.get(tags.NUMBER_OF_FRAMES, b"").strip(b" \0")
        return max(1, int(text)) if text.isdigit() and len(text) < 9 else 1


@lru_cache(1024)
def _is_image(sop_class_uid: str) -> bool:
    """By the name of the SOP class: every image IOD demands pixel data (PS3.3 A.1.3)."""
    return UID(sop_class_uid[:64], IGNORE).name.endswith("Image Storage")


def uid_text(raw: bytes) -> str:
    return raw.decode("ascii", "replace").strip(" \0")


def valid_uid(uid: str) -> bool:
    return _UID.fullmatch(uid) is not None


def read_header(source: Source, budget: Budget, depth: int = 32) -> Header | None:
    """The header of a DICOM file, or None when the file is none: neither `DICM` where it belongs
    nor a plausible start of a data set without preamble."""
    head = source.read(0, 4096)
    start, claims = _start(head)
    if start < 0:
        return None
    meta, behind = _meta(source, start)
    offset = min(behind, source.size)
    if not claims and not meta and not _plausible(head):
        return None
    header = Header(
        uid_text(meta.get(tags.TRANSFER_SYNTAX_UID, b"")),
        EXPLICIT_LITTLE,
        offset,
        source.size,
        {},
        meta,
    )
    header.has_preamble = start == 132
    if behind > source.size:
        _damage(header, "The file ends before its data begin.")
    if header.transfer_syntax_uid == DEFLATED_UID:
        _read_deflated(source, header, budget, depth)
    else:
        _read_dataset(source, offset, header, budget, depth)
    if not claims and not header.sop_class_uid and tags.RECOGNITION_CODE not in header.values:
        return None
    return header


def _start(head: bytes) -> tuple[int, bool]:
    """Where the meta group (or without one the data set) starts, and whether `DICM` says so."""
    if head[128:132] == b"DICM" and (head[132:134] == b"\x02\0" or not _plausible(head)):
        return 132, True
    if head[:4] == b"DICM":
        return 4, True
    return (0, False) if head[:2] in (b"\x02\0", b"\x08\0", b"\0\x08") else (-1, False)


def _plausible(head: bytes) -> bool:
    """A data set without preamble begins with a short element of group 0008."""
    if len(head) < 16:
        return False
    encoding = _sniff(head)
    order: Literal["big", "little"] = "big" if encoding.big else "little"
    if int.from_bytes(head[0:2], order) != 8 or int.from_bytes(head[2:4], order) > 0x0100:
        return False
    length = head[4:8] if encoding.implicit else head[6:8]
    return int.from_bytes(length, order) <= 1024


def _sniff(head: bytes) -> Encoding:
    """The encoding that the first element shows."""
    if head[4:6] not in SHORT_VRS and head[4:6] not in LONG_VRS:
        return IMPLICIT_LITTLE
    little = int.from_bytes(head[0:2], "little") <= int.from_bytes(head[0:2], "big")
    return EXPLICIT_LITTLE if little else EXPLICIT_BIG


def _meta(source: Source, start: int) -> tuple[dict[int, bytes], int]:
    """Group 0002 (always Explicit VR Little Endian; tolerated without VRs) and where it ends,
    behind the file's end where that is cut off. Its stated length is not believed: it is wrong in
    too many files."""
    values: dict[int, bytes] = {}
    data, at, base = source.window(start), 0, start
    for _ in range(100):
        if at + 256 > len(data):
            base, at = base + at, 0
            data = source.window(base)
        if data[at : at + 2] != b"\x02\0":
            break
        vr, element = data[at + 4 : at + 6], int.from_bytes(data[at + 2 : at + 4], "little")
        if vr in SHORT_VRS:
            value, length = at + 8, int.from_bytes(data[at + 6 : at + 8], "little")
        elif vr in LONG_VRS:
            value, length = at + 12, int.from_bytes(data[at + 8 : at + 12], "little")
        else:
            value, length = at + 8, int.from_bytes(data[at + 4 : at + 8], "little")
        values[0x00020000 | element] = data[value : value + min(length, 128)]
        at = value + length
    return values, base + at


def _read_dataset(source: Source, start: int, header: Header, budget: Budget, depth: int) -> None:
    """Scan from `start` on, in the encoding that the bytes show, and judge what was found."""
    declared, head = header.transfer_syntax_uid, source.read(start, 16)
    header.encoding = shown = _sniff(head)
    if head and declared and _ENCODINGS.get(declared, EXPLICIT_LITTLE) != shown:
        said = "The file is not written in the transfer syntax that it declares."
        if declared in _PLAIN.values():
            header.flaw("transfer-syntax-disagrees", Severity.WARNING, said)
        else:  # compressed data in a data set that cannot hold them
            _hold(header, "transfer-syntax-disagrees", said)
    if not declared or (declared in _PLAIN.values() and declared != _PLAIN[shown]):
        header.transfer_syntax_uid = _PLAIN[shown]
    found = scan(source, start, shown, tags.OF_INSTANCE, depth=depth, elements=budget.for_file())
    budget.elements -= found.elements
    header.values = found.values
    if found.pixel_start >= 0:
        header.pixel_offset = found.pixel_start
    _judge(header, found)


def _read_deflated(source: Source, header: Header, budget: Budget, depth: int) -> None:
    """A deflated data set has no tail that could be forwarded verbatim: `pixel_offset` stays at
    the file's length."""
    kept, total, problem = _inflate(source, header.dataset_offset, budget)
    if problem == "too-large":
        _hold(header, "deflated-too-large", "The file unpacks to more than may be unpacked.")
    _read_dataset(MemorySource(kept, total), 0, header, budget, depth)
    header.pixel_offset = source.size
    if problem == "broken":
        _damage(header, "The packed data set cannot be unpacked to its end.")


def _inflate(source: Source, start: int, budget: Budget) -> tuple[bytes, int, str]:
    """The first INFLATE_KEEP bytes of a deflated data set, how long it is in all, and `too-large`
    or `broken` when that could not be found out."""
    unpack, kept, total = zlib.decompressobj(-15), bytearray(), 0
    allowed = min(INFLATE_FILE, budget.inflated)
    packed = b""
    while not unpack.eof:
        if not packed:
            packed = source.read(start, 65_536)
            start += len(packed)
        try:
            piece = unpack.decompress(packed, 1_000_000)
        except zlib.error:
            return bytes(kept), total, "broken"
        if not packed and not piece:
            return bytes(kept), total, "broken"
        packed = unpack.unconsumed_tail
        kept += piece[: INFLATE_KEEP - len(kept)]
        total += len(piece)
        budget.inflated -= len(piece)
        if total > allowed:
            return bytes(kept), total, "too-large"
    return bytes(kept), total, ""


def _hold(header: Header, code: str, detail: str) -> None:
    header.status = InstanceStatus.UNSUPPORTED
    header.flaw(code, Severity.ERROR, f"{detail} It is kept and not forwarded.")


def _damage(header: Header, detail: str) -> None:
    if header.status is InstanceStatus.OK:
        header.status = InstanceStatus.DAMAGED
        header.flaw("damaged-instance", Severity.ERROR, detail)


def _judge(header: Header, found: Scan) -> None:
    """Whether the file is as long as it says it is (PS3.5 8, PS3.3 C.7.6.3)."""
    if found.problem == "too-deep":
        return _hold(header, "sequence-too-deep", "Sequences are nested deeper than is safe.")
    if found.problem == "too-complex":
        return _hold(header, "header-too-complex", "The header has too many elements.")
    has_pixels = found.pixel_start >= 0
    if found.problem == "truncated":
        return _damage(header, "The file is shorter than it says.")
    if found.problem == "broken" and not has_pixels:
        return _damage(header, "The header cannot be read to its end.")
    if found.problem == "broken" and found.pixel_length == UNDEFINED and found.fragments < 0:
        return _damage(header, "The compressed image data do not end.")
    if found.problem:
        said = "Behind the image data lie bytes that are no element. They are not forwarded."
        header.flaw("bytes-behind-the-image", Severity.WARNING, said)
    if found.malformed:
        header.flaw("header-malformed", Severity.WARNING, "A part of the header is malformed.")
    if has_pixels:
        _judge_pixels(header, found)
    elif _is_image(header.sop_class_uid) and header.transfer_syntax_uid not in _BY_REFERENCE:
        _damage(header, "The image data are missing.")


def _judge_pixels(header: Header, found: Scan) -> None:
    if found.fragments >= 0:
        frames = 1 if header.transfer_syntax_uid in _VIDEO else header.frames
        if found.fragments < frames:
            _damage(header, "Compressed frames are missing.")
    elif header.transfer_syntax_uid in (*_PLAIN.values(), _GE_PRIVATE_UID, DEFLATED_UID):
        if found.pixel_length * 8 < native_bits(header):
            _damage(header, "There are fewer image data than rows, columns and frames ask for.")
    else:
        header.flaw(
            "transfer-syntax-disagrees",
            Severity.WARNING,
            "The image data are not compressed as the file declares.",
        )


_VIDEO = frozenset(
    f"1.2.840.10008.1.2.4.{n}" for n in ("100", "101", "102", "103", "104", "105")
) | {f"1.2.840.10008.1.2.4.{n}" for n in ("106", "107", "108", "100.1", "101.1", "102.1", "103.1")}


def native_bits(header: Header) -> int:
    """Bits that uncompressed pixel data need; chroma may be stored for every second pixel only."""
    samples = max(header.number(tags.SAMPLES_PER_PIXEL), 1)
    pixels = header.number(tags.ROWS) * header.number(tags.COLUMNS) * header.frames
    bits = pixels * samples * header.number(tags.BITS_ALLOCATED)
    photometric = header.values.get(tags.PHOTOMETRIC_INTERPRETATION, b"")
    if b"422" in photometric:
        return bits * 2 // 3
    return bits // 2 if b"420" in photometric else bits
