"""ZIP files and folders: the same count and caps, no link followed, no blind unpacking."""

from __future__ import annotations

import errno
import os
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.media import MediaError, identify, read
from kiosk.media.source import divided
from kiosk.model.medium import FileState, MediumKind, Span, read_manifest
from kiosk.policy.sections import Limits
from tests.media.images import (
    LIMITS,
    codes,
    contents,
    dicom,
    findings,
    quiet,
    some_files,
    staged,
    take,
)


def pack(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return path


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_zip_is_read_like_the_disc_it_replaces(tmp_path: Path, method: int) -> None:
    """PS3.12 annex V."""
    image = pack(tmp_path / "a.zip", some_files(), method)
    assert identify(image, LIMITS).kind is MediumKind.ZIP
    report = take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files()
    assert (report.files, report.directories) == (6, 1)
    assert codes(tmp_path / "s") == []


def test_a_folder_is_read_with_its_empty_and_hidden_files(tmp_path: Path) -> None:
    files = some_files() | {"A/B/.hidden": b"x", "A/empty": b""}
    report = take(lay(tmp_path / "d", files), tmp_path / "s")
    assert contents(tmp_path / "s") == files
    assert (report.files, report.directories) == (8, 3)


def test_zip_names_that_lead_outside_are_refused_alone(tmp_path: Path) -> None:
    """Traversal and absolute names, with either separator; the scans beside them are read."""
    evil = {
        "../up": dicom(1),
        "/etc/cron.d/x": dicom(2),
        "a/../../b": dicom(3),
        "..\\down": dicom(4),
    }
    take(pack(tmp_path / "a.zip", some_files() | evil), tmp_path / "s")
    assert contents(tmp_path / "s") == some_files()
    assert codes(tmp_path / "s") == ["path-refused"] * 4


def test_backslashes_of_old_packers_are_separators(tmp_path: Path) -> None:
    take(pack(tmp_path / "a.zip", {"IMAGES\\IM1": dicom(1)}), tmp_path / "s")
    assert contents(tmp_path / "s") == {"IMAGES/IM1": dicom(1)}


def test_a_locked_zip_is_said_to_be_locked(tmp_path: Path) -> None:
    """Bit 0 of the general purpose flag (APPNOTE 4.4.4) on every entry."""
    with pytest.raises(MediaError) as refusal:
        identify(_lock(pack(tmp_path / "a.zip", some_files(4)), 4), LIMITS)
    assert refusal.value.finding.code == "medium-encrypted"


def test_a_locked_entry_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    take(_lock(pack(tmp_path / "a.zip", some_files(4)), 1), tmp_path / "s")
    assert len(contents(tmp_path / "s")) == 3
    assert [(f.code, f.where) for f in findings(tmp_path / "s")] == [
        ("encrypted-refused", "DICOMDIR")
    ]


def _lock(path: Path, entries: int) -> Path:
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = -1
        for _ in range(entries):
            at = data.index(signature, at + 1)
            data[at + flags] |= 1
    path.write_bytes(data)
    return path


def test_a_zip_bomb_stops_at_the_allowance(tmp_path: Path) -> None:
    """A small ZIP whose entries state 900 MB each: the first fits what a ZIP may unpack to and is
    found to be shorter; the others are refused as unsafe, unread."""
    image = pack(tmp_path / "a.zip", {f"IM{n}": dicom(n) for n in range(4)})
    data = bytearray(image.read_bytes())
    at = -1
    while (at := data.find(b"PK\1\2", at + 1)) >= 0:
        data[at + 24 : at + 28] = (900_000_000).to_bytes(4, "little")
    image.write_bytes(data)
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == {"IM0": dicom(0)}
    assert codes(tmp_path / "s") == ["limit-expansion"] * 3 + ["file-hurt"]


def test_a_scan_behind_a_bomb_is_read(tmp_path: Path) -> None:
    """What was refused unread takes nothing of the allowance."""
    files = {"BOMB0": dicom(0), "BOMB1": dicom(1), "IM1": dicom(2)}
    image = pack(tmp_path / "a.zip", files)
    data = bytearray(image.read_bytes())
    at = -1
    for _ in range(2):
        at = data.index(b"PK\1\2", at + 1)
        data[at + 24 : at + 28] = (900_000_000).to_bytes(4, "little")
    image.write_bytes(data)
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s")["IM1"] == dicom(2)
    assert codes(tmp_path / "s") == ["limit-expansion", "file-hurt"]


def test_a_damaged_entry_is_hurt_and_the_others_are_whole(tmp_path: Path) -> None:
    """Stored bytes that miss their CRC are not counted as whole."""
    image = pack(tmp_path / "a.zip", some_files(), zipfile.ZIP_STORED)
    data = image.read_bytes().replace(dicom(3, 9003)[4000:4010], bytes(10))
    image.write_bytes(data)
    take(image, tmp_path / "s")
    states = {p: f.state for p, f in staged(tmp_path / "s").items()}
    assert states.pop("IMAGES/IM0003") is not FileState.WHOLE
    assert set(states.values()) == {FileState.WHOLE}


@pytest.mark.parametrize("cut", [10, 5000, 30_000])
def test_a_zip_that_was_cut_off_is_said_to_be_damaged(tmp_path: Path, cut: int) -> None:
    image = pack(tmp_path / "a.zip", some_files())
    image.write_bytes(image.read_bytes()[:cut])
    with pytest.raises(MediaError) as refusal:
        identify(image, LIMITS)
    assert refusal.value.finding.code == "medium-unreadable"


def test_links_and_pipes_in_a_folder_are_refused_not_followed(tmp_path: Path) -> None:
    """A link to a file, to a folder and to itself, and a pipe that would block a reader."""
    secret = lay(tmp_path / "elsewhere", {"secret": dicom(9)})
    folder = lay(tmp_path / "d", some_files())
    (folder / "file").symlink_to(secret / "secret")
    (folder / "folder").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    take(folder, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files()
    assert sorted(codes(tmp_path / "s")) == ["device-refused"] + ["symlink-refused"] * 3


def test_a_folder_swapped_for_a_link_while_it_is_read_gives_nothing_away(tmp_path: Path) -> None:
    """The directory was listed, then replaced: its files are opened component by component."""
    from kiosk.media.folder import Folder
    from kiosk.media.reading import copy
    from tests.media.images import quiet

    secret = lay(tmp_path / "elsewhere", {"IM0001": dicom(9, 9001)})
    folder = lay(tmp_path / "d", some_files(2))
    source = Folder(folder, LIMITS)
    (folder / "IMAGES").rename(tmp_path / "aside")
    (folder / "IMAGES").symlink_to(secret)
    copy(source, tmp_path / "s", LIMITS, quiet)
    source.close()
    assert staged(tmp_path / "s")["IMAGES/IM0001"].state is FileState.UNREADABLE


def test_names_that_are_no_utf_8_are_spelled_with_escapes(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (Path(os.fsdecode(os.fsencode(folder) + b"/bad\xff"))).write_bytes(dicom(1))
    take(folder, tmp_path / "s")
    assert contents(tmp_path / "s") == {"bad\\xff": dicom(1)}


def test_folders_of_equal_names_and_sizes_are_two_media(tmp_path: Path) -> None:
    """Two people's sticks from one scanner: the DICOMDIR tells them apart."""
    one, two = some_files(), some_files() | {"DICOMDIR": dicom(77, 3000)}
    first, second = lay(tmp_path / "1", one), lay(tmp_path / "2", two)
    assert identify(first, LIMITS).fingerprint != identify(second, LIMITS).fingerprint
    assert identify(first, LIMITS).fingerprint == identify(first, LIMITS).fingerprint


def test_folders_without_a_dicomdir_are_told_apart_by_their_scans(tmp_path: Path) -> None:
    """The same viewer lies first on both, and the scans have the same names and sizes."""
    viewer = {"AVIEWER/RUN.EXE": b"MZ" + bytes(5000)}
    first = lay(tmp_path / "1", viewer | {"SCANS/IM1": dicom(1), "SCANS/IM2": dicom(2)})
    second = lay(tmp_path / "2", viewer | {"SCANS/IM1": dicom(3), "SCANS/IM2": dicom(4)})
    assert identify(first, LIMITS).fingerprint != identify(second, LIMITS).fingerprint


@cache
def packed(method: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return pack(Path(folder) / "a.zip", some_files(4, 2000), method).read_bytes()


@given(
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.booleans(),
)
def test_a_mutated_zip_loses_no_entry_and_ends(
    method: int, changes: list[tuple[float, int]], directory_only: bool
) -> None:
    """Bytes changed anywhere, or in the directory alone: each number from 1 to the count is in the
    manifest once, and only MediaError is ever raised."""
    data = bytearray(packed(method))
    start = data.index(b"PK\1\2") if directory_only else 0
    for place, value in changes:
        data[start + int(place * (len(data) - start))] = value
    with tempfile.TemporaryDirectory() as folder:
        image, into = Path(folder) / "a.zip", Path(folder) / "s"
        image.write_bytes(data)
        try:
            report = take(image, into, Limits(file_bytes=5_000_000))
        except MediaError:
            return  # the whole medium was refused, with a finding
        newest = {f.number: f for f in read_manifest(into)}
        assert sorted(newest) == list(range(1, report.files + 1))


def test_a_zip_entry_without_a_name_is_refused(tmp_path: Path) -> None:
    """Its name starts with NUL, which ends it: found by mutation."""
    image = pack(tmp_path / "a.zip", {"NAMELESS": dicom(1), "IM1": dicom(2)}, zipfile.ZIP_STORED)
    data = image.read_bytes().replace(b"NAMELESS", b"\0AMELESS")
    image.write_bytes(data)
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == {"IM1": dicom(2)}
    assert codes(tmp_path / "s") == ["path-refused"]


def test_a_stick_with_bad_places_names_the_bytes_of_each_file_and_can_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is as long as its files laid end to end: that is where the bad places are. A later
    visit adds what it can have."""
    first, second = dicom(1, 20_480), dicom(2, 25_600)
    root = lay(tmp_path / "stick", {"A": first, "B": second})
    bad = {(len(second), 8192)}  # (file size, offset of 4,096 bytes that give an error)
    real = os.pread

    # No file system of a plain computer has bad places.
    def pread(fd: int, length: int, at: int) -> bytes:
        size = os.fstat(fd).st_size
        if any(size == s and at < o + 4096 and o < at + length for s, o in bad):
            raise OSError(errno.EIO, "bad place")
        return real(fd, length, at)

    monkeypatch.setattr("kiosk.media.folder.os.pread", pread)
    report = read(root, tmp_path / "s", LIMITS, quiet)
    hurt = staged(tmp_path / "s")["B"]
    assert (hurt.state, hurt.missing) == (FileState.HURT, (Span(8192, 4096),))
    assert report.unreadable == (Span(len(first) + 8192, 4096),)
    assert report.damaged
    (said,) = findings(tmp_path / "s")
    assert "4096 of this file's 25600 bytes could not be read: bytes 8192-12287." in said.detail
    bad.clear()
    report = read(root, tmp_path / "s", LIMITS, quiet)
    assert (report.unreadable, report.untried) == ((), ())
    assert contents(tmp_path / "s") == {"A": first, "B": second}


def test_a_stick_for_which_there_was_no_time_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = lay(tmp_path / "stick", {"A": bytes(5000)})

    def pread(fd: int, length: int, at: int) -> bytes:
        raise OSError(errno.EIO, "bad place")

    monkeypatch.setattr("kiosk.media.folder.os.pread", pread)
    report = read(root, tmp_path / "s", Limits(patience_seconds=0), quiet)
    assert (report.unreadable, report.untried) == ((), (Span(0, 5000),))


def test_missing_places_are_divided_by_what_was_tried() -> None:
    missing = [Span(0, 10), Span(20, 10), Span(40, 10)]
    hit, rest = divided(missing, [Span(5, 20), Span(42, 2), Span(46, 100)])
    assert hit == [Span(5, 5), Span(20, 5), Span(42, 2), Span(46, 4)]
    assert rest == [Span(0, 5), Span(25, 5), Span(40, 2), Span(44, 2)]
