"""ISO 9660 in its namings, whole, damaged and hostile, read from images made here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kiosk.media import MediaError, glimpse, identify
from kiosk.media.iso import SECTOR
from kiosk.model.medium import FileState, MediumKind
from kiosk.policy.sections import Limits
from tests.media.images import (
    LIMITS,
    burn,
    codes,
    contents,
    dicom,
    extent,
    findings,
    forget_iso,
    moved,
    some_files,
    spelled,
    staged,
    take,
)

PRIMARY, SUPPLEMENTARY = 16, 17  # where pycdlib writes the descriptors


@pytest.mark.parametrize(
    ("joliet", "rock_ridge", "filesystem"),
    [(False, False, "iso9660"), (True, False, "joliet"), (True, True, "rockridge")],
)
def test_each_naming_gives_every_file_once(
    tmp_path: Path, joliet: bool, rock_ridge: bool, filesystem: str
) -> None:
    """The trees name the same bytes: a file counts once; version and empty extension are gone."""
    image = burn(tmp_path / "a.iso", some_files(), joliet=joliet, rock_ridge=rock_ridge)
    medium = identify(image, LIMITS)
    assert (medium.kind, medium.filesystem, medium.label) == (MediumKind.IMAGE, filesystem, "TEST")
    report = take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files()
    assert (report.files, report.directories, report.unreadable) == (6, 1, ())
    assert codes(tmp_path / "s") == []


def test_a_bridge_disc_is_read_by_its_iso_side(tmp_path: Path) -> None:
    """UDF beside ISO 9660 (PS3.12 annex P)."""
    take(burn(tmp_path / "a.iso", some_files(), udf=True), tmp_path / "s")
    assert contents(tmp_path / "s") == some_files()


@pytest.mark.parametrize("maker", ["pycdlib", "genisoimage"])
def test_a_disc_of_udf_alone_is_read(tmp_path: Path, maker: str) -> None:
    """The ISO side is wiped: what is left is a UDF disc, as two different writers make them."""
    image = tmp_path / "a.iso"
    if maker == "pycdlib":
        burn(image, some_files(), udf=True)
    elif shutil.which("genisoimage") is None:
        pytest.skip("genisoimage is not installed")
    else:
        _write(tmp_path / "1", some_files())
        _master(image, tmp_path / "1", "-udf")
    medium = identify(forget_iso(image), LIMITS)
    assert medium.filesystem == "udf"
    report = take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files()
    assert (report.files, report.directories) == (6, 1)
    assert codes(tmp_path / "s") == []


def test_what_only_the_udf_side_of_a_bridge_lists_is_read_too(tmp_path: Path) -> None:
    """Some writers put a note for old computers on the ISO side and the scans on the other."""
    image = burn(tmp_path / "a.iso", some_files(), joliet=False, rock_ridge=False, udf=True)
    at = extent(image, "/IMAGES")
    record = image.read_bytes().index(b"IM0003.;1", at) - 33
    _overwrite(image, record + 33, b"IM0003.;9")
    _overwrite(image, record + 2, spelled(extent(image, "/DICOMDIR.;1") // SECTOR) + spelled(10))
    take(image, tmp_path / "s")
    assert some_files()["IMAGES/IM0003"] in contents(tmp_path / "s").values()


def test_names_are_kept_as_the_richest_naming_spells_them(tmp_path: Path) -> None:
    """Rock Ridge before Joliet before 8.3."""
    files = {"Im 1.dcm": dicom(1), "名前": dicom(2)}
    image = tmp_path / "a.iso"
    _burn_named(image, files)
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == files


def _burn_named(image: Path, files: dict[str, bytes]) -> None:
    import io

    import pycdlib

    disc = pycdlib.PyCdlib()
    disc.new(interchange_level=1, joliet=3)
    for number, (name, data) in enumerate(files.items()):
        disc.add_fp(io.BytesIO(data), len(data), iso_path=f"/F{number}.;1", joliet_path=f"/{name}")
    disc.write(str(image))
    disc.close()


def test_a_symbolic_link_is_refused_and_found(tmp_path: Path) -> None:
    """Rock Ridge links are entries of the count, never followed."""
    image = burn(tmp_path / "a.iso", some_files(), joliet=False, links={"PASSWD": "/etc/passwd"})
    take(image, tmp_path / "s")
    assert staged(tmp_path / "s")["PASSWD"].state is FileState.REFUSED
    assert contents(tmp_path / "s") == some_files()
    assert [(f.code, f.where) for f in findings(tmp_path / "s")] == [("symlink-refused", "PASSWD")]


@pytest.mark.parametrize("folder", ["/IMAGES", "/"])
def test_a_broken_tree_is_replaced_by_the_other(tmp_path: Path, folder: str) -> None:
    """The primary tree's directory is zeroed: Joliet still knows all files."""
    image = burn(tmp_path / "a.iso", some_files())
    _overwrite(image, extent(image, folder), bytes(SECTOR))
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files()
    assert "folder-mended" in codes(tmp_path / "s")


@pytest.mark.parametrize("lost", [PRIMARY, SUPPLEMENTARY])
def test_a_lost_descriptor_leaves_the_other_tree(tmp_path: Path, lost: int) -> None:
    image = burn(tmp_path / "a.iso", some_files())
    _overwrite(image, lost * SECTOR, bytes(SECTOR))
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files()


def test_a_disc_without_descriptors_is_found_by_its_root(tmp_path: Path) -> None:
    """The root directory is its own parent: it is recognised where nothing points to it."""
    image = burn(tmp_path / "a.iso", some_files(), joliet=False)
    _overwrite(image, PRIMARY * SECTOR, bytes(2 * SECTOR))
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files()
    assert codes(tmp_path / "s") == ["descriptors-damaged"]


def test_the_path_table_knows_a_folder_that_its_parent_lost(tmp_path: Path) -> None:
    """Plain ISO 9660, the root directory zeroed: the folder's files are still found."""
    files = some_files()
    image = burn(tmp_path / "a.iso", files, joliet=False, rock_ridge=False)
    _overwrite(image, extent(image, "/"), bytes(SECTOR))
    take(image, tmp_path / "s")
    del files["DICOMDIR"]  # it was named in the root alone
    assert contents(tmp_path / "s") == files
    assert "folder-damaged" in codes(tmp_path / "s")


def test_a_folder_that_contains_itself_is_entered_once(tmp_path: Path) -> None:
    """The record of IMAGES is turned to point at the root, in both byte orders."""
    image = burn(tmp_path / "a.iso", some_files(), joliet=False, rock_ridge=False)
    root, images = extent(image, "/"), extent(image, "/IMAGES")
    data = bytearray(image.read_bytes())
    at = data.index(spelled(images // SECTOR), root)
    data[at : at + 8] = spelled(root // SECTOR)
    image.write_bytes(data)
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files()  # the path table still knows IMAGES
    assert "directory-loop" in codes(tmp_path / "s")


def test_a_length_damaged_in_one_byte_order_is_read_by_the_other_tree(tmp_path: Path) -> None:
    image = burn(tmp_path / "a.iso", some_files())
    root = extent(image, "/")
    data = bytearray(image.read_bytes())
    at = data.index(spelled(3000), root)
    data[at] ^= 0x40
    image.write_bytes(data)
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files()
    assert codes(tmp_path / "s") == ["folder-mended"]


def test_a_traversal_name_is_refused_alone(tmp_path: Path) -> None:
    """A Rock Ridge name of `..` or with a slash in it never becomes a path."""
    files = some_files() | {"EVILONE": dicom(7), "EV": dicom(8)}
    image = burn(tmp_path / "a.iso", files, joliet=False)
    data = image.read_bytes().replace(b"\x01\x00EVILONE", b"\x01\x00../ETC/")
    image.write_bytes(data.replace(b"\x01\x00EV", b"\x01\x00.."))
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files()
    assert codes(tmp_path / "s") == ["path-refused", "path-refused"]
    assert {f.state for p, f in staged(tmp_path / "s").items() if ".." in p} == {FileState.REFUSED}


def test_folders_past_the_depth_are_refused_as_one_entry(tmp_path: Path) -> None:
    """What was not entered is in the count, as the folder that it is."""
    files = {"A/B/C/IM1": dicom(1), "A/B/IM2": dicom(2)}
    image = burn(tmp_path / "a.iso", files, joliet=False, rock_ridge=False)
    take(image, tmp_path / "s", Limits(depth=2))
    assert list(contents(tmp_path / "s")) == ["A/B/IM2"]
    assert staged(tmp_path / "s")["A/B/C"].state is FileState.REFUSED
    assert codes(tmp_path / "s") == ["limit-depth"]


@pytest.mark.peer("genisoimage")
@pytest.mark.parametrize("gap", [16, 11_400])
def test_the_last_session_is_found_behind_the_gap(tmp_path: Path, gap: int) -> None:
    """An image of two sessions: the second lists what the first has and one file more."""
    first, second = tmp_path / "1", tmp_path / "2"
    _write(first, {"IMAGES/IM1": dicom(1, 200_000)})
    _write(second, {"IMAGES/IM2": dicom(2)})
    image, later = tmp_path / "a.iso", tmp_path / "b.iso"
    _master(image, first)
    start = (image.stat().st_size // SECTOR + gap + 15) // 16 * 16
    _master(later, second, "-C", f"0,{start}", "-M", str(image))
    with image.open("r+b") as whole:
        whole.truncate(start * SECTOR)
        whole.seek(start * SECTOR)
        whole.write(later.read_bytes())
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == {
        "IMAGES/IM1": dicom(1, 200_000),
        "IMAGES/IM2": dicom(2),
    }
    assert codes(tmp_path / "s") == ["multi-session"]


def test_what_the_last_session_dropped_is_said(tmp_path: Path) -> None:
    """A second session that does not list the first's files: it is read, and their number told."""
    first = burn(tmp_path / "1.iso", some_files(4), joliet=False)
    later = burn(tmp_path / "2.iso", {"IM9999": dicom(9)}, joliet=False, rock_ridge=False)
    start = first.stat().st_size // SECTOR + 40
    image = tmp_path / "a.iso"
    image.write_bytes(first.read_bytes() + bytes(40 * SECTOR) + moved(later, start))
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == {"IM9999": dicom(9)}
    assert codes(tmp_path / "s") == ["multi-session", "earlier-session-files"]
    assert findings(tmp_path / "s")[1].detail.startswith("4 files")


@pytest.mark.peer("genisoimage")
def test_relocated_deep_folders_come_back_to_their_place(tmp_path: Path) -> None:
    """Rock Ridge moves folders below the eighth level to the root (CL, PL, RE)."""
    path = "/".join("ABCDEFGHIJK") + "/IM1"
    _write(tmp_path / "1", {path: dicom(1)})
    _master(tmp_path / "a.iso", tmp_path / "1")
    report = take(tmp_path / "a.iso", tmp_path / "s")
    assert contents(tmp_path / "s") == {path: dicom(1)}
    assert report.directories == 11


def test_a_file_of_several_extents_is_one_file(tmp_path: Path) -> None:
    """ISO 9660 level 3 (ECMA-119 6.5.1): consecutive records of one name, all but the last marked
    as not final, are one file."""
    parts = {"AA": dicom(1, 3 * SECTOR), "AB": dicom(2, 5000), "AC": dicom(3)}
    image = burn(tmp_path / "a.iso", parts, joliet=False, rock_ridge=False)
    data = bytearray(image.read_bytes())
    name = data.index(b"AA.;1", extent(image, "/"))
    data[name - 8] |= 0x80  # the flags stand eight bytes before the identifier
    image.write_bytes(data.replace(b"\x05AB.;1", b"\x05AA.;1"))
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == {"AA": parts["AA"] + parts["AB"], "AC": parts["AC"]}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (bytes(200 * SECTOR), "medium-blank"),
        (b"\xeb\x58\x90-FVE-FS-" + bytes(100 * SECTOR), "medium-encrypted"),
        (b"not a disc " * 20_000, "medium-unreadable"),
        (b"", "medium-blank"),
    ],
)
def test_what_is_no_disc_is_said_in_its_own_words(
    tmp_path: Path, content: bytes, code: str
) -> None:
    image = tmp_path / "a.img"
    image.write_bytes(content)
    with pytest.raises(MediaError) as refusal:
        identify(image, LIMITS)
    assert refusal.value.finding.code == code
    assert refusal.value.finding.detail.count(".") >= 2  # what happened, and what to do


def test_a_video_dvd_is_recognised(tmp_path: Path) -> None:
    """Its films are in the count like any file."""
    files = {"VIDEO_TS/VIDEO_TS.IFO": b"DVDVIDEO-VMG" + bytes(2000)}
    take(burn(tmp_path / "a.iso", files, joliet=False, rock_ridge=False), tmp_path / "s")
    assert codes(tmp_path / "s") == ["dvd-video"]
    assert contents(tmp_path / "s") == files


def test_a_missing_medium_is_said(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as refusal:
        identify(tmp_path / "nothing.iso", LIMITS)
    assert refusal.value.finding.code == "medium-missing"


def test_the_fingerprint_follows_the_disc_and_not_its_place(tmp_path: Path) -> None:
    """A copy has the same, a disc with one byte more in one file another."""
    image = burn(tmp_path / "a.iso", some_files())
    copied = tmp_path / "b.iso"
    copied.write_bytes(image.read_bytes())
    other = burn(tmp_path / "c.iso", some_files() | {"IMAGES/IM0001": dicom(1, 9002)})
    prints = [identify(i, LIMITS).fingerprint for i in (image, copied, other)]
    assert prints[0] == prints[1] != prints[2]


def _overwrite(image: Path, at: int, data: bytes) -> None:
    with image.open("r+b") as file:
        file.seek(at)
        file.write(data)


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _master(image: Path, folder: Path, *more: str) -> None:
    _run("genisoimage", "-quiet", "-r", "-V", "TEST", "-o", str(image), *more, str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"LC_ALL": "C.UTF-8"})


def _raw(image: Path, mode: int, stride: int = 2352, gap: int = 0) -> bytes:
    """The image as a program that copies discs writes it: sync, address and mode, a subheader in
    MODE2, what corrects errors behind (ECMA-130 14; here zeros)."""
    data = image.read_bytes()
    data += bytes(-len(data) % SECTOR)
    head = b"\0" + b"\xff" * 10 + b"\0" + b"\0\2\0" + bytes([mode]) + bytes(8 if mode == 2 else 0)
    sectors = [bytes(SECTOR)] * gap + [data[i : i + SECTOR] for i in range(0, len(data), SECTOR)]
    return b"".join((head + sector).ljust(stride, b"\0") for sector in sectors)


@pytest.mark.parametrize(
    ("mode", "stride", "gap"),
    [(1, 2352, 0), (2, 2352, 0), (1, 2448, 0), (2, 2448, 0), (1, 2352, 150)],
)
def test_an_image_of_raw_sectors_is_read_like_the_disc(
    tmp_path: Path, mode: int, stride: int, gap: int
) -> None:
    """.bin and .mdf, with subchannels, with a gap in front: the same fingerprint, look, files."""
    image, raw = burn(tmp_path / "a.iso", some_files(5, 70_000)), tmp_path / "a.bin"
    raw.write_bytes(_raw(image, mode, stride, gap))
    assert identify(raw, LIMITS).fingerprint == identify(image, LIMITS).fingerprint
    report = take(raw, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files(5, 70_000)
    assert report.medium.bytes == image.stat().st_size
    with glimpse(raw, LIMITS) as seen, glimpse(image, LIMITS) as plain:
        assert seen.files == plain.files
        assert seen.start(0, 5000) == plain.start(0, 5000)


@pytest.mark.parametrize("headless", [False, True])
def test_an_image_of_sectors_without_sync_is_read(tmp_path: Path, headless: bool) -> None:
    """.nrg: a gap in front of plain sectors; MODE2 sectors without their heads."""
    image, raw = burn(tmp_path / "a.iso", some_files(3)), tmp_path / "a.nrg"
    if headless:
        whole = _raw(image, 2)
        raw.write_bytes(b"".join(whole[at + 16 : at + 2352] for at in range(0, len(whole), 2352)))
    else:
        raw.write_bytes(bytes(150 * SECTOR) + image.read_bytes() + b"NER5")
    take(raw, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files(3)


def test_a_raw_image_that_is_cut_off_says_so_and_gives_what_it_has(tmp_path: Path) -> None:
    image, raw = burn(tmp_path / "a.iso", some_files(5, 70_000)), tmp_path / "a.bin"
    whole = _raw(image, 1)
    raw.write_bytes(whole[: len(whole) * 2 // 3 + 700])
    take(raw, tmp_path / "s")
    assert "medium-truncated" in codes(tmp_path / "s")
    states = {f.state for f in staged(tmp_path / "s").values()}
    assert FileState.WHOLE in states
    assert states != {FileState.WHOLE}


def test_a_list_of_tracks_says_where_the_scans_are(tmp_path: Path) -> None:
    cue = tmp_path / "a.cue"
    cue.write_text('FILE "a.bin" BINARY\n  TRACK 01 MODE1/2352\n    INDEX 01 00:00:00\n')
    with pytest.raises(MediaError) as refusal:
        identify(cue, LIMITS)
    assert ".bin" in refusal.value.finding.detail
