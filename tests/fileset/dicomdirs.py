"""DICOMDIRs written by hand, so that every offset, flag and key can be wrong."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import zip_longest

import pydicom
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from tests.fileset.staged import EXPLICIT, IMPLICIT, element, even, part10

DIRECTORY_CLASS = "1.2.840.10008.1.3.10"


@dataclass
class Rec:
    """A directory record. `next` and `child` override the offsets that the tree gives."""

    kind: str
    keys: bytes = b""
    file_id: str = ""
    uid: str = ""
    below: list[Rec] = field(default_factory=list)
    in_use: bytes | None = b"\xff\xff"
    next: int | None = None
    child: int | None = None
    position: int = 0

    def encoded(self, following: int) -> bytes:
        child = self.below[0].position if self.below else 0
        content = element(0x00041400, b"UL", _ul(following if self.next is None else self.next))
        if self.in_use is not None:
            content += element(0x00041410, b"US", self.in_use)
        content += element(0x00041420, b"UL", _ul(child if self.child is None else self.child))
        content += element(0x00041430, b"CS", even(self.kind))
        if self.file_id:
            content += element(0x00041500, b"CS", even(self.file_id))
        if self.uid:
            content += element(0x00041511, b"UI", even(self.uid, b"\0"))
        return content + self.keys


def _ul(value: int) -> bytes:
    return struct.pack("<I", value)


def patient(*studies: Rec, patient_id: str = "A1", name: str = "DOE^JANE") -> Rec:
    keys = element(0x00100010, b"PN", even(name)) + element(0x00100020, b"LO", even(patient_id))
    return Rec("PATIENT", keys, below=list(studies))


def study(*series: Rec, uid: str = "1.2.3") -> Rec:
    return Rec("STUDY", element(0x0020000D, b"UI", even(uid, b"\0")), below=list(series))


def series(*images: Rec, uid: str = "1.2.3.4") -> Rec:
    keys = element(0x00080060, b"CS", b"MR") + element(0x0020000E, b"UI", even(uid, b"\0"))
    return Rec("SERIES", keys, below=list(images))


def image_record(file_id: str, uid: str = "") -> Rec:
    return Rec("IMAGE", file_id=file_id, uid=uid)


def one_series(*images: Rec) -> list[Rec]:
    return [patient(study(series(*images)))]


def flat(roots: list[Rec]) -> list[Rec]:
    """The records in the order in which they are written."""
    found: list[Rec] = []
    for record in roots:
        found += [record, *flat(record.below)]
    return found


def _following(roots: list[Rec]) -> dict[int, int]:
    after: dict[int, int] = {}
    for record, beside in zip_longest(roots, roots[1:]):
        after[id(record)] = beside.position if beside else 0
        after |= _following(record.below)
    return after


def dicomdir(
    roots: list[Rec], *, first: int | None = None, undefined: bool = False, last: bytes = b""
) -> bytes:
    """A DICOMDIR of these records; `first` overrides the root's offset. `undefined` writes items
    and sequence without lengths, `last` is put behind the sequence."""
    records = flat(roots)
    for _ in range(2):  # the second time, with the positions that the first found
        after = _following(roots)
        start = roots[0].position if roots else 0
        head = (
            element(0x00041130, b"CS", b"TESTSET ")
            + element(0x00041200, b"UL", _ul(start if first is None else first))
            + element(0x00041202, b"UL", _ul(0))
            + element(0x00041212, b"US", b"\0\0")
        )
        body, base = b"", len(_file(head)) + 12
        for record in records:
            record.position = base + len(body)
            content = record.encoded(after[id(record)])
            if undefined:
                body += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + content
                body += struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
            else:
                body += struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content
    length = 0xFFFFFFFF if undefined else len(body)
    sequence = struct.pack("<HH2sHI", 0x0004, 0x1220, b"SQ", 0, length) + body
    if undefined:
        sequence += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return _file(head + sequence + last)


def implicit(data: bytes) -> bytes:
    """The same records in Implicit VR, as some writers have them; the offsets are then wrong."""
    dataset = pydicom.dcmread(DicomBytesIO(data))
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = True, True
    write_dataset(out, dataset)
    return _file(out.getvalue(), IMPLICIT)


def _file(dataset: bytes, transfer_syntax: str = EXPLICIT) -> bytes:
    return part10(dataset, transfer_syntax, sop_class=DIRECTORY_CLASS)
