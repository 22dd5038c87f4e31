"""A medium that is pulled out, comes back, is swapped, or is there twice: what was read stays, what
is missing is read, and no two media ever mix (fault matrix 44, 59, 60, 63)."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk import fileset, media
from kiosk.cli.demonstration import discs
from kiosk.engine import Engine, Site
from kiosk.engine.drives import Drives
from kiosk.model.content import Finding, Verdict
from kiosk.model.medium import (
    Drive,
    DriveState,
    Medium,
    Progress,
    ReadReport,
    read_manifest,
)
from kiosk.model.work import Intake, IntakeState
from kiosk.policy.sections import Limits
from kiosk.sandbox import JobFailed
from tests.engine.conftest import Station

Hook = Callable[[Progress], None]


def identify(location: Path, limits: Limits) -> Medium:
    with refusals():
        return media.identify(location, limits)


def look(location: Path, limits: Limits) -> Verdict:
    with refusals(), media.glimpse(location, limits) as seen:
        return fileset.first_look(seen.files, seen.start, limits, seen.whole)


@contextmanager
def refusals() -> Iterator[None]:
    """A medium's refusal as a child hands it on."""
    try:
        yield
    except media.MediaError as e:
        raise JobFailed(e.finding) from e


class Kiosk:
    """The station with its jobs in the test's own thread instead of children, and `hook` called as
    a read goes on, so that a test can act in the middle of it."""

    def __init__(self, here: Station, hook: Hook = lambda _: None) -> None:
        self.here, self.hook = here, hook
        self.site = Site(
            here.rows,
            here.vault,
            here.policy,
            lambda: here.at,
            read=self.read,
            identify=identify,
            look=look,
            catalog=lambda folder, limits, _coercion, _report: fileset.read(folder, limits),
        )
        self.engine = Engine(self.site)
        self.drives = Drives(self.site)

    def read(
        self,
        location: Path,
        into: Path,
        limits: Limits,
        report: Hook,
        expected: Medium | None = None,
    ) -> ReadReport:
        def tell(progress: Progress) -> None:
            self.hook(progress)
            report(progress)

        with refusals():
            return media.read(location, into, limits, tell, expected)

    def work(self) -> None:
        while self.engine.run_once():
            pass
        self.drives.tend()

    @property
    def intakes(self) -> list[Intake]:
        """Oldest first."""
        with self.here.rows.read() as tx:
            return list(reversed(tx.intakes.recent()))

    @property
    def states(self) -> list[IntakeState]:
        return [intake.state for intake in self.intakes]

    def names(self, intake: Intake) -> set[str]:
        """The patients' numbers on it."""
        with self.here.rows.read() as tx:
            return {c.stated.identifier.value for c in tx.cases.of_intake(intake.id)}

    def lines(self, intake: Intake) -> Counter[int]:
        """How often the manifest enters each file."""
        return Counter(f.number for f in read_manifest(self.here.vault.folder(intake.ticket)))


class Bay:
    """A drive whose device node is a disc image."""

    def __init__(self, folder: Path, serial: str) -> None:
        self.node = folder / serial
        self.drive = Drive(serial, str(self.node), state=DriveState.NO_DISC)

    def insert(self, image: Path) -> Drive:
        shutil.copyfile(image, self.node)  # onto what is open there, as in a drive
        self.drive = replace(self.drive, state=DriveState.DISC_OK)
        return self.drive

    def pull(self) -> Drive:
        self.node.write_bytes(b"")
        self.drive = replace(self.drive, state=DriveState.TRAY_OPEN)
        return self.drive


@pytest.fixture
def left(tmp_path: Path) -> Bay:
    return Bay(tmp_path, "LEFT")


@pytest.fixture
def right(tmp_path: Path) -> Bay:
    return Bay(tmp_path, "RIGHT")


def burnt(image: Path, patient: str, stated: discs.Stated | None = None) -> Path:
    """A disc too large for the reader to have seen all of it when copying begins."""
    filler = {f"A/FILL{n}": bytes([n]) * (1 << 20) for n in range(2)}
    return discs.burn({**discs.file_set_of(patient, stated), **filler}, image, "SCANS")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return burnt(tmp_path_factory.mktemp("discs") / "known.iso", discs.ARCHIBALD)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc of somebody else, with the same label."""
    return burnt(tmp_path_factory.mktemp("discs") / "other.iso", discs.PETER)


def once(act: Callable[[], object]) -> Hook:
    """Acts when copying begins: the DICOMDIR is read, the images are not."""
    done: list[bool] = []

    def hook(progress: Progress) -> None:
        if progress.phase == "copying" and not done:
            done.append(True)
            act()

    return hook


def test_a_disc_pulled_in_the_middle_goes_on_where_it_was_in_another_drive(
    here: Station, left: Bay, right: Bay, known: Path
) -> None:
    kiosk = Kiosk(here, once(left.pull))
    kiosk.drives.changed(left.insert(known))
    kiosk.work()
    (intake,) = kiosk.intakes
    assert intake.state is IntakeState.FAILED
    assert intake.failure is not None
    assert intake.failure.code == "medium-removed"
    before = kiosk.lines(intake)
    assert before, "nothing was kept"
    kiosk.drives.changed(left.drive)
    kiosk.drives.changed(right.insert(known))
    kiosk.work()
    (intake,) = kiosk.intakes
    assert intake.state is IntakeState.CATALOGED
    assert intake.medium.location == str(right.node)
    after = kiosk.lines(intake)
    assert all(after[number] == before[number] for number in before), "read again"
    with here.rows.read() as tx:
        report = tx.intakes.report(intake.id)
    assert report is not None
    assert len(after) == report.files


def test_a_disc_back_before_its_reading_noticed_goes_on_by_itself(
    here: Station, left: Bay, right: Bay, known: Path
) -> None:
    """Out of one drive and into the other within the second that the reading takes to notice."""
    kiosk = Kiosk(here)

    def move() -> None:
        kiosk.drives.changed(left.pull())
        kiosk.drives.changed(right.insert(known))

    kiosk.hook = once(move)
    kiosk.drives.changed(left.insert(known))
    kiosk.work()
    assert kiosk.states == [IntakeState.RECEIVED]
    kiosk.work()
    assert kiosk.states == [IntakeState.CATALOGED]


def test_another_disc_in_its_place_is_noticed_and_both_are_read_in_the_end(
    here: Station, left: Bay, known: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Swapped while it was read: nothing of the one is taken for the other's."""
    # No hand is as quick as this test: what takes seconds at a drive takes none here.
    monkeypatch.setattr("kiosk.media.reading._SWAP_SECONDS", 0.0)
    kiosk = Kiosk(here, once(lambda: left.insert(other)))
    kiosk.drives.changed(left.insert(known))
    kiosk.work()
    (first,) = kiosk.intakes
    assert first.state is IntakeState.FAILED
    kiosk.drives.changed(left.drive)
    kiosk.work()
    first, second = kiosk.intakes
    assert (first.state, second.state) == (IntakeState.FAILED, IntakeState.CATALOGED)
    assert kiosk.names(second) == {discs.PETER}
    kiosk.drives.changed(left.insert(known))
    kiosk.work()
    first, second = kiosk.intakes
    assert first.state is IntakeState.CATALOGED
    assert kiosk.names(first) == {discs.ARCHIBALD}


def test_a_disc_swapped_before_its_turn_came_is_not_read_as_the_first(
    here: Station, left: Bay, known: Path, other: Path
) -> None:
    """A third disc waits for a reader; whose it is may have been said already."""
    kiosk = Kiosk(here)
    kiosk.drives.changed(left.insert(known))
    left.insert(other)
    kiosk.work()
    (first,) = kiosk.intakes
    assert first.failure is not None
    assert first.failure.code == "medium-swapped"
    assert kiosk.lines(first) == {}
    kiosk.drives.changed(left.drive)
    kiosk.work()
    assert kiosk.states == [IntakeState.FAILED, IntakeState.CATALOGED]


def test_a_disc_that_came_back_to_a_drive_used_meanwhile_is_no_disc_that_stayed(
    here: Station, left: Bay, known: Path, other: Path
) -> None:
    """Each swap is one event: the drive never says that it was empty."""
    kiosk = Kiosk(here)
    for disc in (known, other, known):
        kiosk.drives.changed(left.insert(disc))
        kiosk.work()
    assert kiosk.states == [IntakeState.CATALOGED] * 3


def test_two_discs_read_at_once_never_mix(
    here: Station, left: Bay, right: Bay, known: Path, other: Path
) -> None:
    """Both readers are held until each is in the middle of its disc."""
    together = threading.Barrier(2)
    kiosk = Kiosk(here)
    met = threading.local()

    def hook(progress: Progress) -> None:
        if progress.phase == "copying" and not getattr(met, "done", False):
            met.done = True
            together.wait(60)

    kiosk.hook = hook
    kiosk.drives.changed(left.insert(known))
    kiosk.drives.changed(right.insert(other))
    readers = [threading.Thread(target=kiosk.engine.run_once) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(120)
    assert together.n_waiting == 0
    assert not together.broken
    kiosk.work()
    first, second = kiosk.intakes
    assert kiosk.states == [IntakeState.CATALOGED] * 2
    assert (kiosk.names(first), kiosk.names(second)) == ({discs.ARCHIBALD}, {discs.PETER})


def test_a_second_copy_in_the_other_drive_is_a_stay_of_its_own_once_the_first_is_read(
    here: Station, left: Bay, right: Bay, known: Path
) -> None:
    """It is recognised as the same disc, and the two are never read into one folder at once."""
    kiosk = Kiosk(here)
    kiosk.drives.changed(left.insert(known))
    kiosk.drives.changed(right.insert(known))
    assert kiosk.states == [IntakeState.RECEIVED]
    kiosk.work()
    kiosk.work()
    first, second = kiosk.intakes
    assert kiosk.states == [IntakeState.CATALOGED] * 2
    assert first.medium.fingerprint == second.medium.fingerprint
    assert second.medium.location == str(right.node)


def test_an_unreadable_disc_that_stays_in_is_counted_once(
    here: Station, left: Bay, tmp_path: Path
) -> None:
    """However often the engine starts."""
    noise = tmp_path / "noise.iso"
    noise.write_bytes(bytes(range(256)) * 2048)
    left.insert(noise)
    for _ in range(3):
        Kiosk(here).drives.changed(left.drive)
    assert Kiosk(here).states == [IntakeState.FAILED]
    Kiosk(here).drives.changed(replace(left.drive, state=DriveState.TRAY_OPEN))
    Kiosk(here).drives.changed(left.drive)
    assert Kiosk(here).states == [IntakeState.FAILED] * 2


def test_a_drive_that_hangs_holds_up_no_other_and_is_called_sick(
    here: Station, left: Bay, right: Bay, known: Path
) -> None:
    """The left drive does not answer until the right one's disc is taken in."""
    answered, taken_in = threading.Event(), threading.Event()
    kiosk = Kiosk(here)

    def hangs(location: Path, limits: Limits) -> Medium:
        if location == left.node:
            assert answered.wait(60)
            raise JobFailed(_stalled())
        return identify(location, limits)

    site = replace(kiosk.site, identify=hangs)
    drives = Drives(site, lambda work: work() and (taken_in.set() or True))
    drives._hand_over(left.insert(known))
    drives._hand_over(right.insert(known))
    assert taken_in.wait(60)
    assert [i.medium.location for i in kiosk.intakes] == [str(right.node)]
    answered.set()
    drives.stop()
    drives.tend()
    with here.rows.read() as tx:
        states = {d.serial: d.state for d in tx.intakes.drives("kiosk-1")}
    assert states == {"LEFT": DriveState.SICK, "RIGHT": DriveState.DISC_OK}


def test_a_drive_that_hangs_while_it_is_read_is_called_sick(
    here: Station, left: Bay, right: Bay, known: Path
) -> None:
    def hangs(progress: Progress) -> None:
        raise JobFailed(_stalled())

    kiosk = Kiosk(here, hangs)
    kiosk.drives.changed(right.drive)
    kiosk.drives.changed(left.insert(known))
    kiosk.work()
    with here.rows.read() as tx:
        states = {d.serial: d.state for d in tx.intakes.drives("kiosk-1")}
    assert states == {"LEFT": DriveState.SICK, "RIGHT": DriveState.NO_DISC}


def _stalled() -> Finding:
    return media.MediaError("reader-stalled", "The drive does not answer.").finding
