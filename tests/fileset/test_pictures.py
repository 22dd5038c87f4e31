"""Pictures of real files: what a person sees is what the header means."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from kiosk.fileset.pictures import load, make
from kiosk.model.medium import staged_name
from kiosk.model.relevance.picture import Asked, Picture, PictureKind, Window, shades

PIXELS = b"\xe0\x7f\x10\x00"
CODECS = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91))


@pytest.fixture(scope="module", autouse=True)
def _codecs() -> None:
    load(CODECS)


def picture(path: Path, folder: Path, frame: int = 0, small: bool = False) -> Picture:
    """As the child makes it, with the catalog's numbers found here by the tag."""
    shutil.copy(path, folder / staged_name(1))
    raw = path.read_bytes()
    places = [at for tag in (PIXELS, b"\x7f\xe0\x00\x10") if (at := raw.rfind(tag)) >= 0]
    meta = getattr(dcmread(path, stop_before_pixels=True, force=True), "file_meta", Dataset())
    syntax = str(meta.get("TransferSyntaxUID", ""))
    return make(folder, Asked(frame, 1, frame, "", syntax, max(places, default=len(raw)), small))


def of(name: str, folder: Path, frame: int = 0, small: bool = False) -> Picture:
    found = get_testdata_file(name)
    assert isinstance(found, str)
    return picture(Path(found), folder, frame, small)


def grey(found: Picture) -> np.ndarray:
    """In the modality's units."""
    stored = np.frombuffer(found.bytes(), "<u2").reshape(found.height, found.width)
    return stored * found.slope + found.intercept


def seen(found: Picture, window: Window) -> np.ndarray:
    stored = np.frombuffer(found.bytes(), "<u2").reshape(found.height, found.width)
    return np.frombuffer(shades(found, window), np.uint8)[stored]


def test_a_ct_is_in_hounsfield_units(tmp_path: Path) -> None:
    path = get_testdata_file("CT_small.dcm")
    wanted = dcmread(path)
    stated = wanted.pixel_array * float(wanted.RescaleSlope) + float(wanted.RescaleIntercept)
    assert np.array_equal(grey(of("CT_small.dcm", tmp_path)), stated)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
    ],
)
def test_every_lossless_encoding_shows_the_same_image(name: str, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    plain = of("MR_small.dcm", tmp_path / "plain")
    assert np.array_equal(grey(of(name, tmp_path)), grey(plain))
    assert plain.windows[0] == Window(600.0, 1600.0)


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_dcmtk_+eb+cr.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
        "SC_rgb_rle.dcm",
        "SC_rgb_gdcm_KY.dcm",
    ],
)
def test_colour_is_red_green_blue_however_it_is_encoded(name: str, tmp_path: Path) -> None:
    """The test image has a red bar on top (pydicom's own expectation)."""
    found = of(name, tmp_path)
    assert found.kind is PictureKind.COLOUR
    pixels = np.frombuffer(found.bytes(), np.uint8).reshape(found.height, found.width, 3)
    red = pixels[5, 50].astype(int)
    assert red[0] > 240
    assert red[1] < 15
    assert red[2] < 15


def test_a_palette_and_a_frame_of_many_are_shown_small(tmp_path: Path) -> None:
    found = of("examples_palette.dcm", tmp_path)
    assert (found.kind, found.width) == (PictureKind.COLOUR, 512)
    late = of("examples_ybr_color.dcm", tmp_path, frame=29)
    assert late.position == 29
    assert late.kind is PictureKind.COLOUR
    small = of("CT_small.dcm", tmp_path, small=True)
    assert small.kind is PictureKind.SHOWN
    assert len(small.bytes()) == small.width * small.height


def made(folder: Path, **values: object) -> Picture:
    """The MR with another header."""
    dataset = dcmread(get_testdata_file("MR_small.dcm"))
    for name, value in values.items():
        setattr(dataset, name, value)
    path = folder / "made.dcm"
    dataset.save_as(path)
    return picture(path, folder)


def test_monochrome1_is_shown_the_other_way_round(tmp_path: Path) -> None:
    window = Window(600.0, 1600.0)
    plain = seen(made(tmp_path), window)
    inverse = seen(made(tmp_path, PhotometricInterpretation="MONOCHROME1"), window)
    assert np.array_equal(inverse, 255 - plain)


@pytest.mark.parametrize(
    ("function", "value", "shade"),
    [
        # PS3.3 C.11.2.1.2.1, with c = 2048 and w = 4096: 0 is black, 4095 is white.
        ("LINEAR", 0, 0),
        ("LINEAR", 4095, 255),
        ("LINEAR", 2047, 127),
        # C.11.2.1.3.2: from c - w/2 to c + w/2.
        ("LINEAR_EXACT", 0, 0),
        ("LINEAR_EXACT", 2048, 128),
        ("LINEAR_EXACT", 4096, 255),
        # C.11.2.1.3.1: half at the centre, never quite an end.
        ("SIGMOID", 2048, 128),
        ("SIGMOID", 0, 30),
        ("SIGMOID", 4096, 225),
    ],
)
def test_each_function_of_a_window_is_the_standards(function: str, value: int, shade: int) -> None:
    table = shades(Picture(PictureKind.GREY), Window(2048, 4096, function))
    assert abs(table[value] - shade) <= 1


def test_a_table_of_the_sender_is_used(tmp_path: Path) -> None:
    item = Dataset()
    item.LUTDescriptor = [4, 500, 8]
    item.LUTData = struct.pack("<4H", 0, 100, 200, 255)
    found = made(tmp_path, WindowCenter=None, WindowWidth=None, VOILUTSequence=Sequence([item]))
    window = found.windows[0]
    table = shades(found, window)
    units = [int((v - found.intercept) / found.slope) for v in (500, 501, 503, 900)]
    assert [table[v] for v in units] == [0, 100, 255, 255]


def test_an_ecg_a_report_and_a_document_can_be_read(tmp_path: Path) -> None:
    ecg = of("waveform_ecg.dcm", tmp_path)
    assert (ecg.kind, len(ecg.channels), ecg.rate) == (PictureKind.WAVE, 12, 1000.0)
    assert ecg.channels[1].name == "II"
    assert len(ecg.bytes()) == 12 * ecg.width * 2
    report = of("reportsi.dcm", tmp_path)
    assert report.kind is PictureKind.TEXT
    assert len(report.bytes().decode().split("\n")) > 3


def test_a_cut_file_and_nonsense_are_said_not_raised(tmp_path: Path) -> None:
    assert of("MR_truncated.dcm", tmp_path).problem == "damaged"
    (tmp_path / "nonsense").write_bytes(b"\0" * 5000)
    assert picture(tmp_path / "nonsense", tmp_path).kind is PictureKind.NOTHING
    assert made(tmp_path, Rows=60000, Columns=60000).problem == "too-large"


def test_a_picture_whose_data_does_not_fit_its_shape_is_not_drawn() -> None:
    """Whoever shows it reads no byte past what the shape says."""
    honest = Picture(PictureKind.SHOWN, width=2, height=2, data=b"x\x9cc\x00\x00\x00\x01\x00\x01")
    assert honest.bytes() == b""
    assert Picture(PictureKind.GREY, width=60000, height=60000).length == 0


def hostile(folder: Path, **changed: object) -> Asked:
    """An image of 8 by 8 grey pixels whose header says what a hostile one may."""
    dataset = Dataset()
    dataset.Rows = dataset.Columns = 8
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    header = DicomBytesIO()
    header.is_little_endian, header.is_implicit_VR = True, False
    write_dataset(header, dataset)
    pixels = np.arange(64, dtype="<u2").tobytes()
    element = b"\xe0\x7f\x10\x00OW\0\0" + len(pixels).to_bytes(4, "little") + pixels
    (folder / staged_name(1)).write_bytes(header.getvalue() + element)
    return Asked(0, 1, 0, "", "1.2.840.10008.1.2.1", len(header.getvalue()))


def test_a_table_below_zero_is_drawn_with_its_lowest_as_black(tmp_path: Path) -> None:
    """A VOI LUT has no sign (PS3.3 C.11.2.1.1); one that has would be no shade."""
    item = Dataset()
    item.add(DataElement(0x00283002, "SS", [4, 0, 16]))
    item.add(DataElement(0x00283006, "SS", [-5, 1, 2, 10]))
    made = make(tmp_path, hostile(tmp_path, VOILUTSequence=Sequence([item])))
    assert made.windows[0].table[0] == 0
    assert len(shades(made, made.windows[0], 64)) == 64


@pytest.mark.parametrize("slope", ["1e308", "-1e300"])
def test_numbers_that_nobody_can_draw_by_are_no_picture(tmp_path: Path, slope: str) -> None:
    made = make(tmp_path, hostile(tmp_path, RescaleSlope=slope, RescaleIntercept="1e300"))
    assert (made.kind, made.problem) == (PictureKind.NOTHING, "broken")


@pytest.mark.parametrize(
    "window",
    [
        Window(float("nan"), 1.0),
        Window(1.0, float("inf")),
        Window(0.0, 4.0, "TABLE", table=(0, 256)),
        Window(0.0, 4.0, "TABLE", table=(0, 255), step=0.0),
    ],
)
def test_a_picture_with_such_a_window_is_not_sound(window: Window) -> None:
    """What a child that was taken over may answer is not taken from it."""
    assert Picture(PictureKind.GREY, windows=(Window(1.0, 2.0),)).sound
    assert not Picture(PictureKind.GREY, windows=(window,)).sound
