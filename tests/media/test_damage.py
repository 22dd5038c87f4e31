"""Scratched discs: what cannot be read is tried again, then named, and never counted as whole."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kiosk.media import MediaError
from kiosk.media.iso import SECTOR, Sectors
from kiosk.media.reading import copy
from kiosk.model.medium import FileState, Progress, Span
from kiosk.policy.sections import Limits
from tests.media.images import (
    LIMITS,
    burn,
    codes,
    contents,
    extent,
    open_disc,
    quiet,
    some_files,
    staged,
)


class Scratched(Sectors):
    """A disc whose chosen sectors fail, for ever or for so many tries: the real reader over the
    one system call, since no file system in a plain CI gives EIO at a chosen place."""

    def __init__(self, image: Path, bad: dict[int, int], error: int = errno.EIO) -> None:
        super().__init__(os.open(image, os.O_RDONLY), image.stat().st_size)
        self.bad_bytes, self.error = bad, error
        self.reads: list[tuple[int, int]] = []

    def transfer(self, into: memoryview, start: int) -> int:
        self.reads.append((start, len(into)))
        for at in sorted(b for b in self.bad_bytes if start < b + SECTOR and b < start + len(into)):
            if at > start:
                return super().transfer(into[: at - start], start)  # up to the scratch, as Linux
            self.bad_bytes[at] -= 1
            if self.bad_bytes[at] <= 0:
                del self.bad_bytes[at]
            raise OSError(self.error, os.strerror(self.error))
        return super().transfer(into, start)


FOR_EVER = 1 << 30
FILES = some_files(6, 40 * SECTOR)
HIT = "IMAGES/IM0003"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return burn(tmp_path / "a.iso", FILES)


@pytest.fixture
def scratch(image: Path) -> int:
    """Where the tenth sector of one file lies."""
    return extent(image, f"/{HIT}.;1") + 10 * SECTOR


@pytest.mark.parametrize("error", [errno.EIO, errno.ENODATA, errno.EREMOTEIO])
def test_a_bad_sector_hurts_its_file_and_no_other(
    image: Path, scratch: int, tmp_path: Path, error: int
) -> None:
    """Two sectors of one file: 4,096 bytes are zeros and named, all others are the medium's."""
    bad = {scratch: FOR_EVER, scratch + SECTOR: FOR_EVER}
    disc = open_disc(Scratched(image, bad, error))
    report = copy(disc, tmp_path / "s", LIMITS, quiet)
    disc.close()
    hurt = staged(tmp_path / "s")[HIT]
    assert (hurt.state, hurt.missing) == (FileState.HURT, (Span(10 * SECTOR, 2 * SECTOR),))
    wanted = bytearray(FILES[HIT])
    wanted[10 * SECTOR : 12 * SECTOR] = bytes(2 * SECTOR)
    assert contents(tmp_path / "s") == FILES | {HIT: bytes(wanted)}
    assert (report.unreadable, report.passes) == ((Span(scratch, 2 * SECTOR),), 2)
    assert codes(tmp_path / "s") == ["file-hurt"]


def test_a_sector_that_reads_at_the_third_try_hurts_nothing(
    image: Path, scratch: int, tmp_path: Path
) -> None:
    disc = open_disc(Scratched(image, {scratch: 3}))
    report = copy(disc, tmp_path / "s", LIMITS, quiet)
    disc.close()
    assert contents(tmp_path / "s") == FILES
    assert (codes(tmp_path / "s"), report.unreadable) == ([], ())


def test_the_good_files_come_before_any_patience(image: Path, scratch: int, tmp_path: Path) -> None:
    """The first pass goes on behind the scratch; single sectors are tried when all else is safe."""
    phases: list[Progress] = []
    sectors = Scratched(image, {scratch: FOR_EVER})
    disc = open_disc(sectors)
    copy(disc, tmp_path / "s", LIMITS, phases.append)
    disc.close()
    first_retry = next(p for p in phases if p.phase == "retrying")
    assert first_retry.files_done == len(FILES) - 1
    small = [n for n, (at, size) in enumerate(sectors.reads) if at == scratch and size == SECTOR]
    last_good = extent(image, "/IMAGES/IM0005.;1")
    assert small
    assert min(small) > max(n for n, (at, _) in enumerate(sectors.reads) if at >= last_good)


def test_a_cleaned_disc_is_merged_with_what_was_read_before(
    image: Path, scratch: int, tmp_path: Path
) -> None:
    """The second visit reads the scratch but fails elsewhere: together the file is whole."""
    elsewhere = scratch + 20 * SECTOR
    for bad in (scratch, elsewhere):
        disc = open_disc(Scratched(image, {bad: FOR_EVER}))
        copy(disc, tmp_path / "s", LIMITS, quiet)
        disc.close()
    assert staged(tmp_path / "s")[HIT].state is FileState.WHOLE
    assert contents(tmp_path / "s") == FILES
    assert codes(tmp_path / "s") == []


def test_a_file_without_one_good_sector_is_unreadable(image: Path, tmp_path: Path) -> None:
    start = extent(image, "/DICOMDIR.;1")
    disc = open_disc(Scratched(image, {start: FOR_EVER, start + SECTOR: FOR_EVER}))
    copy(disc, tmp_path / "s", LIMITS, quiet)
    disc.close()
    file = staged(tmp_path / "s")["DICOMDIR"]
    assert (file.state, file.sha256) == (FileState.UNREADABLE, "")
    assert codes(tmp_path / "s") == ["file-unreadable"]


def test_when_the_time_is_up_the_rest_is_named_not_tried(
    image: Path, scratch: int, tmp_path: Path
) -> None:
    """A budget of no seconds: the scratched file waits for another visit, the others are there."""
    disc = open_disc(Scratched(image, {scratch: FOR_EVER}))
    copy(disc, tmp_path / "s", Limits(read_seconds=0), quiet)
    disc.close()
    assert staged(tmp_path / "s")[HIT].state is FileState.UNREADABLE
    assert len(contents(tmp_path / "s")) == len(FILES) - 1


def test_a_hurried_visit_takes_nothing_away(image: Path, scratch: int, tmp_path: Path) -> None:
    """What an earlier visit read of a hurt file stays, however little time the next one has."""
    for seconds in (3600, 0):
        disc = open_disc(Scratched(image, {scratch: FOR_EVER}))
        copy(disc, tmp_path / "s", Limits(read_seconds=seconds), quiet)
        disc.close()
    file = staged(tmp_path / "s")[HIT]
    assert (file.state, file.missing) == (FileState.HURT, (Span(10 * SECTOR, SECTOR),))


@pytest.mark.parametrize("error", [errno.ENOMEDIUM, errno.ENODEV])
def test_a_disc_pulled_out_stops_the_read_and_resumes(
    image: Path, scratch: int, tmp_path: Path, error: int
) -> None:
    """Nothing is marked unreadable for being elsewhere; put in again, it goes on."""
    disc = open_disc(Scratched(image, {scratch: FOR_EVER}, error))
    with pytest.raises(MediaError) as refusal:
        copy(disc, tmp_path / "s", LIMITS, quiet)
    disc.close()
    assert refusal.value.finding.code == "medium-removed"
    disc = open_disc(Scratched(image, {}))
    copy(disc, tmp_path / "s", LIMITS, quiet)
    disc.close()
    assert contents(tmp_path / "s") == FILES


def test_a_drive_that_gives_only_errors_is_taken_for_a_pulled_disc(
    image: Path, tmp_path: Path
) -> None:
    """EIO everywhere, the descriptors too: no file is called unreadable for it."""
    sectors = Scratched(image, {})
    disc = open_disc(sectors)
    sectors.bad_bytes = dict.fromkeys(range(0, sectors.size, SECTOR), FOR_EVER)
    with pytest.raises(MediaError) as refusal:
        copy(disc, tmp_path / "s", LIMITS, quiet)
    disc.close()
    assert refusal.value.finding.code == "medium-removed"
    assert staged(tmp_path / "s") == {}


def test_unreadable_directory_sectors_leave_the_other_tree(image: Path, tmp_path: Path) -> None:
    bad = {extent(image, "/IMAGES"): FOR_EVER, extent(image, "/"): FOR_EVER}
    disc = open_disc(Scratched(image, bad))
    copy(disc, tmp_path / "s", LIMITS, quiet)
    disc.close()
    assert contents(tmp_path / "s") == FILES
    assert "directory-damaged" in codes(tmp_path / "s")
