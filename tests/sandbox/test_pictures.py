"""A hostile image costs one child, and says why it is not shown."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from kiosk.model.medium import staged_name
from kiosk.model.relevance.picture import Asked, PictureKind
from kiosk.policy.sections import Limits
from kiosk.sandbox import pictures

PIXELS = b"\xe0\x7f\x10\x00"


def asked(number: int, path: Path, position: int = 0) -> Asked:
    raw = path.read_bytes()
    at = raw.rfind(PIXELS)
    syntax = dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    return Asked(position, number, 0, "", str(syntax), at if at >= 0 else len(raw))


def test_a_locked_in_child_makes_pictures_of_each_encoding(tmp_path: Path) -> None:
    """Also those whose decoders are libraries of their own."""
    names = ("CT_small.dcm", "JPEG2000.dcm", "SC_rgb_jpeg_dcmtk.dcm", "MR_small_RLE.dcm")
    names = (*names, "MR_small_jpeg_ls_lossless.dcm", "waveform_ecg.dcm", "reportsi.dcm")
    wanted = []
    for number, name in enumerate(names):
        path = Path(str(get_testdata_file(name)))
        shutil.copy(path, tmp_path / staged_name(number))
        wanted.append(asked(number, path, number))
    made = list(pictures.make(tmp_path, wanted, Limits()))
    assert [m.position for m in made] == list(range(len(names)))
    assert [m.problem for m in made] == [""] * len(names)
    assert all(m.bytes() for m in made)


def test_an_image_that_claims_more_than_there_may_be_is_refused_at_once(tmp_path: Path) -> None:
    dataset = dcmread(get_testdata_file("CT_small.dcm"))
    dataset.Rows = dataset.Columns = 65535
    dataset.NumberOfFrames = 2_000_000_000
    path = tmp_path / staged_name(1)
    dataset.save_as(path)
    (made,) = pictures.make(tmp_path, [asked(1, path)], Limits())
    assert (made.kind, made.problem) == (PictureKind.NOTHING, "too-large")


def test_a_child_that_ends_early_is_said_after_what_it_made(tmp_path: Path) -> None:
    """Here it gets no processor time."""
    path = Path(str(get_testdata_file("CT_small.dcm")))
    shutil.copy(path, tmp_path / staged_name(1))
    none = Limits().model_copy(update={"child_cpu_seconds": -5})
    with pytest.raises(pictures.Died):
        list(pictures.make(tmp_path, [asked(1, path)], none))


def test_a_child_that_is_stuck_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named pipe in a file's place is never read to its end: the parent waits so long, and no
    longer. The patience is shortened: nobody has that much of it in a test."""
    monkeypatch.setattr("kiosk.sandbox.pictures.parent.START_SECONDS", 3.0)
    os.mkfifo(tmp_path / staged_name(1))
    with pytest.raises(pictures.Died):
        list(pictures.make(tmp_path, [Asked(0, 1, 0, "", "", 10)], Limits()))


def test_hostile_images_of_the_corpus_are_shown_or_refused(corpus: Path, tmp_path: Path) -> None:
    """Whatever lies in a folder of broken and malicious DICOM files: an answer for each."""
    found = sorted(p for p in (corpus / "media").rglob("*.dcm") if p.stat().st_size < 5_000_000)
    wanted = []
    for number, path in enumerate(found[:60]):
        shutil.copy(path, tmp_path / staged_name(number))
        raw = path.read_bytes()
        at = raw.rfind(PIXELS)
        for syntax in ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"):
            place = at if at >= 0 else len(raw)
            wanted.append(Asked(len(wanted), number, 0, "", syntax, place))
    made = list(pictures.make(tmp_path, wanted, Limits()))
    assert len(made) == len(wanted)
    assert all(m.problem or m.bytes() or m.kind is PictureKind.TEXT for m in made)
