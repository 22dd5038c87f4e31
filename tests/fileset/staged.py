"""Staging folders for tests, as the media room leaves them, and DICOM bytes written by hand."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.dataset import Dataset

from kiosk.fileset import read
from kiosk.model.content import Catalog
from kiosk.model.medium import MANIFEST, FileState, Span, StagedFile, staged_name
from kiosk.model.plain import to_plain
from kiosk.policy.sections import Limits

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"


def stage(root: Path, files: Mapping[str, bytes], states: Mapping[str, FileState] = {}) -> Path:
    """A staging folder that holds `files` by their paths on the medium. Of a HURT file the first
    byte is missing; of the other states nothing is copied."""
    lines = []
    for number, (path, data) in enumerate(files.items()):
        state = states.get(path, FileState.WHOLE)
        copied = state in (FileState.WHOLE, FileState.HURT)
        if copied:
            (root / staged_name(number)).write_bytes(data)
        lines.append(
            StagedFile(
                number,
                path,
                len(data),
                hashlib.sha256(data).hexdigest() if copied else "",
                state,
                (Span(0, 1),) if state is FileState.HURT else (),
            )
        )
    (root / MANIFEST).write_text("".join(json.dumps(to_plain(line)) + "\n" for line in lines))
    return root


def catalog(
    root: Path, files: Mapping[str, bytes], states: Mapping[str, FileState] = {}, **limits: int
) -> Catalog:
    found = read(stage(root, files, states), Limits(**limits))
    assert found.ledger.balances
    assert found.ledger.files == len(files)
    return found


def codes(found: Catalog) -> set[str]:
    return {finding.code for finding in found.findings}


def sample(name: str) -> bytes:
    """One of the files that come with pydicom."""
    path = get_testdata_file(name, download=False)
    assert path is not None
    return Path(path).read_bytes()


def charset_sample(name: str) -> bytes:
    """One of pydicom's files in a character set of its own."""
    return Path(get_charset_files(name)[0]).read_bytes()


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """One element, Explicit VR Little Endian."""
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF"):
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def even(text: str | bytes, pad: bytes = b" ") -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return data + pad * (len(data) % 2)


def part10(
    dataset: bytes, transfer_syntax: str = EXPLICIT, preamble: bytes = b"", sop_class: str = MR
) -> bytes:
    """A DICOM file round `dataset`."""
    meta = element(0x00020002, b"UI", even(sop_class, b"\0"))
    meta += element(0x00020010, b"UI", even(transfer_syntax, b"\0"))
    meta = element(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta
    return preamble.ljust(128, b"\0") + b"DICM" + meta + dataset


def image(
    uid: str = "1.2.3.1",
    *,
    name: str | bytes = "DOE^JANE",
    patient_id: str = "A1",
    birth: str = "",
    sex: str = "",
    study: str = "1.2.3",
    series: str = "1.2.3.4",
    charset: str = "",
    pixels: bytes = bytes(32),
    extra: bytes = b"",
    issuer: str = "",
) -> bytes:
    """The data set of a 4 by 4 MR image of 16 bits, Explicit VR Little Endian."""
    us = struct.Struct("<H").pack
    return b"".join(
        [
            element(0x00080005, b"CS", even(charset)),
            element(0x00080016, b"UI", even(MR, b"\0")),
            element(0x00080018, b"UI", even(uid, b"\0")),
            element(0x00080060, b"CS", b"MR"),
            element(0x00100010, b"PN", even(name)),
            element(0x00100020, b"LO", even(patient_id)),
            element(0x00100021, b"LO", even(issuer)),
            element(0x00100030, b"DA", even(birth)),
            element(0x00100040, b"CS", even(sex)),
            element(0x0020000D, b"UI", even(study, b"\0")),
            element(0x0020000E, b"UI", even(series, b"\0")),
            element(0x00280010, b"US", us(4)),
            element(0x00280011, b"US", us(4)),
            element(0x00280100, b"US", us(16)),
            extra,
            element(0x7FE00010, b"OW", pixels) if pixels else b"",
        ]
    )


def rewritten(data: bytes, transfer_syntax: str) -> bytes:
    """The file, its data set written in another uncompressed transfer syntax by pydicom."""
    dataset = pydicom.dcmread(BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    out = BytesIO()
    plain = Dataset(dataset)
    plain.file_meta, plain.preamble = dataset.file_meta, b"\0" * 128
    pydicom.dcmwrite(
        out,
        plain,
        implicit_vr=transfer_syntax == IMPLICIT,
        little_endian=transfer_syntax != "1.2.840.10008.1.2.2",
    )
    return out.getvalue()
