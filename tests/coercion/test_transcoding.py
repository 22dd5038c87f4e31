"""Explicit to implicit for an archive that takes nothing else: the same values, the same pixels."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless

from kiosk.coercion.encoding.elements import Malformed
from kiosk.coercion.transcoding import transcoded
from kiosk.coercion.transcoding.implicit import implicit
from kiosk.model.delivery import Coerced, CoercionRefused

SAMPLES = ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "reportsi.dcm", "waveform_ecg.dcm")


def coerced(ds: Dataset, folder: Path, after: bytes = b"") -> Coerced:
    """As coercion hands it on: header in memory, the pixel element and what follows in a file."""
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True, implicit_vr=False, little_endian=True)
    whole = buffer.getvalue()
    start = 144 + int.from_bytes(whole[140:144], "little")
    at = whole.index(b"\xe0\x7f\x10\x00", start) if "PixelData" in ds else len(whole)
    path = folder / "staged"
    path.write_bytes(b"before" + whole[at:] + after)
    return Coerced(
        str(ds.SOPClassUID),
        str(ds.SOPInstanceUID),
        ExplicitVRLittleEndian,
        whole[:start],
        whole[start:at],
        path,
        6,
        len(whole) - at + len(after),
        pixels_at=12,
        pixels_length=max(0, len(whole) - at - 12),
    )


def read(found: Coerced) -> Dataset:
    tail = found.tail.read_bytes()[found.tail_offset :][: found.tail_length]
    return dcmread(BytesIO(found.meta + found.header + tail))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_value_and_pixel_is_the_same(name: str, tmp_path: Path) -> None:
    source = get_testdata_file(name)
    assert source is not None
    ds = dcmread(source)
    ds.pop(0xFFFCFFFC, None)  # padding, which is left off
    made = coerced(ds, tmp_path)
    before, after = read(made), read(transcoded(made, ImplicitVRLittleEndian))
    assert after.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert [e.tag for e in after.iterall()] == [e.tag for e in before.iterall()]
    for ours, theirs in zip(after.iterall(), before.iterall(), strict=True):
        if ours.VR != "SQ" and not ours.tag.is_private:  # a private VR is not in the dictionary
            assert ours.value == theirs.value, ours.tag
    assert after.get("PixelData") == before.get("PixelData")


def test_the_change_is_recorded(tmp_path: Path) -> None:
    source = get_testdata_file("CT_small.dcm")
    assert source is not None
    (change,) = transcoded(coerced(dcmread(source), tmp_path), ImplicitVRLittleEndian).changes
    assert (change.keyword, change.was) == ("TransferSyntaxUID", ExplicitVRLittleEndian)


def test_padding_after_the_pixels_is_left_off_and_anything_else_is_refused(tmp_path: Path) -> None:
    source = get_testdata_file("CT_small.dcm")
    assert source is not None
    padding = b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0\0\0\0\0"
    ds = dcmread(source)
    ds.pop(0xFFFCFFFC)
    assert read(transcoded(coerced(ds, tmp_path, padding), ImplicitVRLittleEndian)).PixelData
    signed = b"\xfa\xff\xfa\xffSQ\0\0\0\0\0\0"
    with pytest.raises(CoercionRefused):
        transcoded(coerced(ds, tmp_path, signed), ImplicitVRLittleEndian)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEG2000Lossless])
def test_no_other_syntax_is_made(syntax: str, tmp_path: Path) -> None:
    source = get_testdata_file("CT_small.dcm")
    assert source is not None
    with pytest.raises(CoercionRefused, match="no other is safe"):
        transcoded(coerced(dcmread(source), tmp_path), syntax)


@given(st.binary(max_size=200))
def test_no_bytes_as_a_header_raise_anything_but_malformed(data: bytes) -> None:
    try:
        implicit(data)
    except Malformed:
        return
