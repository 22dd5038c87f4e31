"""What an archive refuses compressed is sent as it was before it was compressed: every sample the
same, decoded in a child, as dcmtk's own decoders have it."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import (
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from kiosk.coercion import apply
from kiosk.delivery import send
from kiosk.model.delivery import Answer, Coerced, CoercionRefused, Outbound
from kiosk.policy.sections import Limits
from kiosk.sandbox.decoding import Decoder, decodes
from tests.coercion.build import plan_for, read, staged, whole
from tests.delivery.instances import CALLING, destination
from tests.peers.storescp import storescp

BY_DCMTK = {
    "SC_rgb_jpeg_gdcm.dcm": "dcmdjpeg",
    "MR_small_jpeg_ls_lossless.dcm": "dcmdjpls",
    "MR_small_RLE.dcm": "dcmdrle",
    "SC_rgb_rle_2frame.dcm": "dcmdrle",
    "SC_rgb_rle_16bit_2frame.dcm": "dcmdrle",
}


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Decoder]:
    """One for all, as a delivery has it: its children decode one after the other."""
    made = Decoder(tmp_path_factory.getbasetemp(), Limits())
    yield made
    made.close()


def coerced(path: Path, folder: Path) -> Coerced:
    return apply(*staged(path, folder), plan_for(path))


def decoded(decoder: Decoder, compressed: Coerced, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    found = decoder.transcoded(compressed, syntax)
    assert found.made is not None
    with found.made:
        return read(whole(found))


@pytest.mark.peer("dcmdjpeg")
@pytest.mark.parametrize("name", BY_DCMTK)
def test_the_samples_are_those_of_another_decoder(
    name: str, decoder: Decoder, tmp_path: Path
) -> None:
    path = Path(str(get_testdata_file(name)))
    command = [BY_DCMTK[name], str(path), str(tmp_path / "by-dcmtk")]
    subprocess.run(command, check=True, capture_output=True)
    theirs, ours = dcmread(tmp_path / "by-dcmtk"), decoded(decoder, coerced(path, tmp_path))
    assert np.array_equal(ours.pixel_array, theirs.pixel_array)
    assert ours.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert ours.PhotometricInterpretation == theirs.PhotometricInterpretation
    assert ours.SOPInstanceUID == dcmread(path).SOPInstanceUID


def compressed(folder: Path, name: str, syntax: str, **values: object) -> tuple[Path, Dataset]:
    """One of pydicom's native files, compressed here: and as it was before."""
    import imagecodecs

    before = dcmread(str(get_testdata_file(name)))
    after = dcmread(str(get_testdata_file(name)))
    for keyword, value in values.items():
        setattr(before, keyword, value)
        setattr(after, keyword, value)
    encode = {
        JPEGLosslessSV1: lambda a: imagecodecs.jpeg8_encode(
            a.view(f"u{a.itemsize}"), lossless=True, bitspersample=after.BitsStored
        ),
        JPEGLSLossless: lambda a: imagecodecs.jpegls_encode(a.view(f"u{a.itemsize}")),
        JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(
            a, reversible=True, codecformat="J2K", mct=False
        ),
        HTJ2KLossless: lambda a: imagecodecs.htj2k_encode(a, reversible=True),
    }[syntax]
    pixels = before.pixel_array
    many = pixels if int(after.get("NumberOfFrames", 1)) > 1 else [pixels]
    after.file_meta.TransferSyntaxUID = syntax
    after.PixelData = encapsulate([encode(np.ascontiguousarray(each)) for each in many])
    after["PixelData"].VR = "OB"
    after["PixelData"].is_undefined_length = True
    path = folder / "compressed"
    after.save_as(path, enforce_file_format=True)
    return path, before


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_signed_and_unsigned_samples_come_back(
    syntax: str, name: str, decoder: Decoder, tmp_path: Path
) -> None:
    path, before = compressed(tmp_path, name, syntax)
    assert decoded(decoder, coerced(path, tmp_path)).PixelData == before.PixelData


def test_high_throughput_jpeg_2000_comes_back(decoder: Decoder, tmp_path: Path) -> None:
    path, before = compressed(tmp_path, "CT_small.dcm", HTJ2KLossless)
    assert decoded(decoder, coerced(path, tmp_path)).PixelData == before.PixelData


def test_reversible_colours_become_red_green_blue(decoder: Decoder, tmp_path: Path) -> None:
    path = Path(str(get_testdata_file("examples_jpeg2k.dcm")))
    found = decoder.transcoded(coerced(path, tmp_path), ExplicitVRLittleEndian)
    assert found.made is not None
    with found.made:
        after = read(whole(found))
    assert (after.PhotometricInterpretation, after.PlanarConfiguration) == ("RGB", 0)
    assert after.pixel_array.shape == (480, 640, 3)
    said = {c.keyword: (c.was, c.now) for c in found.changes}
    assert said["TransferSyntaxUID"] == (JPEG2000Lossless, ExplicitVRLittleEndian)
    assert said["PhotometricInterpretation"] == ("YBR_RCT", "RGB")


def test_a_sign_that_the_codestream_does_not_know_is_the_headers(
    decoder: Decoder, tmp_path: Path
) -> None:
    path = Path(str(get_testdata_file("J2K_pixelrep_mismatch.dcm")))
    found = decoded(decoder, coerced(path, tmp_path)).pixel_array
    assert found.dtype == np.int16
    assert found.min() < 0
    assert -(2**12) <= found.min() <= found.max() < 2**12


def test_frames_are_found_by_an_extended_offset_table(decoder: Decoder, tmp_path: Path) -> None:
    path = Path(str(get_testdata_file("rtdose_rle.dcm")))
    before, ds = dcmread(path), dcmread(path)
    found = list(generate_frames(ds.PixelData, number_of_frames=15))
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(
        found
    )
    ds.save_as(tmp_path / "extended", enforce_file_format=True)
    after = decoded(decoder, coerced(tmp_path / "extended", tmp_path))
    assert np.array_equal(after.pixel_array, before.pixel_array)
    assert "ExtendedOffsetTable" not in after


def test_it_becomes_implicit_where_nothing_else_is_taken(decoder: Decoder, tmp_path: Path) -> None:
    path = Path(str(get_testdata_file("MR_small_RLE.dcm")))
    native = dcmread(str(get_testdata_file("MR_small.dcm")))
    after = decoded(decoder, coerced(path, tmp_path), ImplicitVRLittleEndian)
    assert after.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert after.PixelData == native.PixelData


def test_what_may_have_been_lossy_stays_as_it_is(decoder: Decoder, tmp_path: Path) -> None:
    path = Path(str(get_testdata_file("JPEG2000.dcm")))
    assert not decodes("1.2.840.10008.1.2.4.91")
    with pytest.raises(CoercionRefused):
        decoder.transcoded(coerced(path, tmp_path), ExplicitVRLittleEndian)


def _cut(data: bytearray) -> None:
    del data[-700:-8]


def _noise(data: bytearray) -> None:
    data[-4000:-2000] = bytes(range(250)) * 8


def _wider(data: bytearray) -> None:
    at = data.index(b"\x28\x00\x11\x00US") + 8
    data[at : at + 2] = (4096).to_bytes(2, "little")


DAMAGED = [
    (name, how) for name in (*BY_DCMTK, "MR_small_jp2klossless.dcm") for how in (_cut, _noise)
]


@pytest.mark.parametrize(("name", "damage"), [*DAMAGED, ("MR_small_RLE.dcm", _wider)])
def test_a_damaged_one_costs_itself_and_the_next_is_decoded(
    name: str, damage: Callable[[bytearray], None], decoder: Decoder, tmp_path: Path
) -> None:
    path = Path(str(get_testdata_file(name)))
    data = bytearray(path.read_bytes())
    damage(data)
    bad = tmp_path / "damaged"
    bad.write_bytes(data)
    try:
        found = decoder.transcoded(coerced(bad, tmp_path), ExplicitVRLittleEndian)
    except CoercionRefused:
        pass
    else:  # noise may be a picture too
        assert found.made is not None
        found.made.close()
    assert "PixelData" in decoded(decoder, coerced(path, tmp_path))


def test_one_that_changed_in_the_vault_is_not_decoded(decoder: Decoder, tmp_path: Path) -> None:
    path = Path(str(get_testdata_file("MR_small_RLE.dcm")))
    known = replace(coerced(path, tmp_path), pixels="0" * 64)
    with pytest.raises(CoercionRefused, match="without loss"):
        decoder.transcoded(known, ExplicitVRLittleEndian)


def test_frames_that_found_no_room_are_never_the_next_instances(tmp_path: Path) -> None:
    """Their child has more to say: what it would say next belongs to another instance."""
    path = Path(str(get_testdata_file("rtdose_rle.dcm")))
    ds = dcmread(path)
    found = list(generate_frames(ds.PixelData, number_of_frames=15))
    ds.PixelData, ds.NumberOfFrames = encapsulate(found * 20), 300
    ds.save_as(tmp_path / "many", enforce_file_format=True)
    (tmp_path / "vault").mkdir()
    many, few = coerced(tmp_path / "many", tmp_path / "vault"), coerced(path, tmp_path)
    decoder = Decoder(tmp_path, Limits())
    decoded(decoder, few)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))  # as on a disk that is full
    try:
        with pytest.raises(CoercionRefused, match="no room"):
            decoder.transcoded(many, ExplicitVRLittleEndian)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not decoder._children
    assert np.array_equal(decoded(decoder, few).pixel_array, dcmread(path).pixel_array)
    decoder.close()


@pytest.mark.parametrize("offered", ["+xe", "+xi"])
def test_an_archive_that_refuses_compression_gets_it_without(
    offered: str, decoder: Decoder, tmp_path: Path
) -> None:
    path = Path(str(get_testdata_file("MR_small_RLE.dcm")))
    source, instance = staged(path, tmp_path)
    item = Outbound(
        instance.sop_instance_uid,
        instance.sop_class_uid,
        instance.transfer_syntax_uid,
        partial(apply, source, instance, plan_for(path)),
        instance.sha256,
        decoder.transcoded,
    )
    (tmp_path / "peer").mkdir()
    with storescp(tmp_path / "peer", offered) as peer:
        attempt = send(destination(peer), CALLING, [item], lambda r: None, lambda: False)
        (file,) = peer.files().values()
        arrived = dcmread(file)
    (result,) = attempt.results
    assert result.answer is Answer.ACCEPTED
    assert "TransferSyntaxUID" in {c.keyword for c in result.changes}
    assert arrived.PixelData == dcmread(str(get_testdata_file("MR_small.dcm"))).PixelData
    assert str(arrived.PatientName) == "Smith^Anna^Maria"


def test_the_child_ends_with_its_decoder(tmp_path: Path) -> None:
    decoder = Decoder(tmp_path, Limits())
    path = Path(str(get_testdata_file("MR_small_RLE.dcm")))
    decoded(decoder, coerced(path, tmp_path))
    (child,) = decoder._children.values()
    decoder.close()
    assert child.returncode is not None
    assert sys.executable in child.args  # type: ignore[operator]
