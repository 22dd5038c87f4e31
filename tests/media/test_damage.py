"""Scratched discs: what cannot be read is tried again, then named, and never counted as whole."""

from __future__ import annotations

import errno
import itertools
import json
from pathlib import Path

import pytest

from kiosk.media import MediaError
from kiosk.media.iso import SECTOR
from kiosk.media.reading import copy
from kiosk.model.medium import FileState, Progress, SectorMap, Span
from kiosk.model.plain import from_plain
from kiosk.policy.sections import Limits
from tests.media.images import (
    FOR_EVER,
    LIMITS,
    Scratched,
    burn,
    codes,
    contents,
    extent,
    open_disc,
    quiet,
    some_files,
    staged,
)

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
    assert (report.unreadable, report.passes) == ((Span(scratch, 2 * SECTOR),), 4)
    assert report.untried == ()
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
    """No patience: what the first pass left out is `untried`, 64 KiB from the scratch on, and waits
    for another visit; all else is there."""
    disc = open_disc(Scratched(image, {scratch: FOR_EVER}))
    report = copy(disc, tmp_path / "s", Limits(patience_seconds=0), quiet)
    disc.close()
    left = Span(10 * SECTOR, len(FILES[HIT]) - 10 * SECTOR)
    file = staged(tmp_path / "s")[HIT]
    assert (file.state, file.missing) == (FileState.HURT, (left,))
    assert (report.unreadable, report.untried) == ((), (Span(scratch, 31 * SECTOR),))
    assert report.damaged


def test_who_asks_for_more_time_while_it_reads_is_heard(
    image: Path, scratch: int, tmp_path: Path
) -> None:
    """The policy has no patience at all; a minute is granted when the trying begins."""
    left: list[int] = []

    def patient(progress: Progress) -> float:
        left.append(progress.seconds_left)
        return 60.0 if progress.phase == "retrying" else 0.0

    disc = open_disc(Scratched(image, {scratch: FOR_EVER}))
    report = copy(disc, tmp_path / "s", Limits(patience_seconds=0), patient)
    disc.close()
    assert (report.unreadable, report.untried) == ((Span(scratch, SECTOR),), ())
    assert 0 in left
    assert max(left) > 50


def test_a_person_who_asks_for_more_time_goes_on_where_it_stopped(
    image: Path, scratch: int, tmp_path: Path
) -> None:
    """The second visit reads nothing of the files that are whole, and of the hurt one only what is
    missing."""
    disc = open_disc(Scratched(image, {scratch: FOR_EVER}))
    copy(disc, tmp_path / "s", Limits(patience_seconds=0), quiet)
    disc.close()
    sectors = Scratched(image, {scratch: FOR_EVER})
    disc = open_disc(sectors)
    assert disc.listing.entries
    looked = len(sectors.reads)
    report = copy(disc, tmp_path / "s", LIMITS, quiet)
    disc.close()
    end = scratch - 10 * SECTOR + len(FILES[HIT])
    marks = {at for at, _ in sectors.reads[:looked]}
    asked = [at for at, _ in sectors.reads[looked:] if at not in marks]
    assert asked
    assert all(scratch <= at < end for at in asked)
    assert staged(tmp_path / "s")[HIT].missing == (Span(10 * SECTOR, SECTOR),)
    assert (report.unreadable, report.untried) == ((Span(scratch, SECTOR),), ())


def test_the_map_of_sectors_lies_with_the_data_and_knows_every_visit(
    image: Path, scratch: int, tmp_path: Path
) -> None:
    """What was tried in vain, after each visit; nothing once it was read."""
    maps = []
    for bad in ({scratch: FOR_EVER}, {}):
        disc = open_disc(Scratched(image, bad))
        copy(disc, tmp_path / "s", LIMITS, quiet)
        disc.close()
        maps.append(from_plain(SectorMap, json.loads((tmp_path / "s/sectors.json").read_text())))
    assert [m.bad for m in maps] == [(Span(scratch, SECTOR),), ()]
    total = sum(map(len, FILES.values()))
    assert [v.bytes for v in maps[1].visits] == [total - SECTOR, SECTOR]


def test_a_longer_list_of_files_the_second_time_mixes_nothing(
    image: Path, scratch: int, tmp_path: Path
) -> None:
    """The first visit lost the start of the list: the files that it found keep their numbers, the
    others get new ones."""
    disc = open_disc(Scratched(image, {scratch: FOR_EVER}))
    entries = disc.listing.entries
    disc.listing.entries = entries[3:]
    copy(disc, tmp_path / "s", LIMITS, quiet)
    disc.close()
    disc = open_disc(Scratched(image, {}))
    report = copy(disc, tmp_path / "s", LIMITS, quiet)
    disc.close()
    assert report.files == len(entries) == len(FILES)
    assert contents(tmp_path / "s") == FILES


def test_the_worst_part_does_not_use_up_the_time_of_the_others(
    image: Path, scratch: int, tmp_path: Path
) -> None:
    """Every sector is tried once before any is tried twice."""
    elsewhere = extent(image, "/IMAGES/IM0005.;1") + 5 * SECTOR
    sectors = Scratched(image, {scratch: FOR_EVER, elsewhere: FOR_EVER})
    disc = open_disc(sectors)
    copy(disc, tmp_path / "s", LIMITS, quiet)
    disc.close()
    alone = [at for at, size in sectors.reads if size == SECTOR and at in (scratch, elsewhere)]
    assert [at for at, _ in itertools.groupby(alone)] == [scratch, elsewhere] * 3


def test_a_hurried_visit_takes_nothing_away(image: Path, scratch: int, tmp_path: Path) -> None:
    """What an earlier visit read of a hurt file stays, however little time the next one has."""
    for seconds in (300, 0):
        disc = open_disc(Scratched(image, {scratch: FOR_EVER}))
        copy(disc, tmp_path / "s", Limits(patience_seconds=seconds), quiet)
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
    assert "folder-mended" in codes(tmp_path / "s")
