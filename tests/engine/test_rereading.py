"""A scratched disc that comes back, cleaned or in another drive, adds what was missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk import media
from kiosk.engine import Engine, Site
from kiosk.engine.drives.trays import open_trays
from kiosk.engine.parts import Report
from kiosk.media.iso import SECTOR, Disc
from kiosk.media.reading import copy
from kiosk.model.content import InstanceStatus
from kiosk.model.medium import (
    Drive,
    DriveState,
    Medium,
    MediumKind,
    Progress,
    ReadReport,
    SectorMap,
    Span,
)
from kiosk.model.plain import from_plain
from kiosk.model.work import CaseState, IntakeState
from kiosk.policy.sections import Limits
from tests.engine.conftest import Station
from tests.media.images import FOR_EVER, Scratched, extent


class Scratches:
    """The real reader over a disc with bad places: no file system in a plain CI has any."""

    def __init__(self) -> None:
        self.bad: dict[int, int] = {}
        self.asked: list[int] = []
        self.patience: list[float] = []

    def read(
        self,
        location: Path,
        into: Path,
        limits: Limits,
        report: Report,
        _expected: Medium | None = None,
    ) -> ReadReport:
        sectors = Scratched(location, dict(self.bad))
        disc = Disc(sectors, MediumKind.IMAGE, str(location), limits)
        assert disc.listing.entries
        looked = {at for at, _ in sectors.reads} | {sectors.size}
        try:
            return copy(disc, into, limits, report)
        finally:
            self.asked = [at for at, _ in sectors.reads if at not in looked]
            self.patience.append(limits.patience_seconds)
            disc.close()


@pytest.fixture
def drive(here: Station) -> Scratches:
    drive = Scratches()
    site = replace(here.engine.site, read=drive.read)
    here.engine = Engine(site)
    return drive


def middle_of(image: Path) -> int:
    """A sector in the middle of one image on the disc."""
    with media.glimpse(image, Limits()) as seen:
        scans = [f for f in seen.files if "DICOMDIR" not in f[0]]
        path, size = max(scans, key=lambda f: f[1])
    return extent(image, "/" + path + ".;1") + size // 2 // SECTOR * SECTOR


def insert(here: Station, image: Path) -> int:
    medium = media.identify(image, Limits())
    with here.rows.begin() as tx:
        return tx.intakes.create(medium, here.policy.site.station, "tester").id


def hurt(here: Station, intake: int) -> list[InstanceStatus]:
    case = here.case(intake)
    with here.rows.read() as tx:
        images = tx.cases.patient(case).instances
    return [i.status for i in images if i.status is not InstanceStatus.OK]


def test_what_was_missing_is_all_that_is_read_of_a_cleaned_disc(
    here: Station, drive: Scratches, unsure: Path
) -> None:
    """The new intake has every image; the earlier one's question is withdrawn, so that HIM is asked
    once."""
    here.register()
    scratch = middle_of(unsure)
    drive.bad = {scratch: FOR_EVER}
    first = insert(here, unsure)
    here.work()
    assert hurt(here, first) == [InstanceStatus.DAMAGED]
    drive.bad = {}
    second = insert(here, unsure)
    here.work()
    assert set(drive.asked) == {scratch}
    assert hurt(here, second) == []
    assert here.case(second).state is CaseState.AWAITING
    assert here.case(first).state is CaseState.REJECTED
    with here.rows.read() as tx:
        assert tx.intakes.get(first).state is IntakeState.CLOSED
        assert [c.intake for c in tx.cases.in_state(CaseState.AWAITING)] == [second]


def test_two_visits_to_different_scratches_together_have_everything(
    here: Station, drive: Scratches, unsure: Path
) -> None:
    """The second drive reads what the first could not and fails elsewhere: nothing is lost."""
    here.register()
    scratch = middle_of(unsure)
    for bad in ({scratch: FOR_EVER}, {scratch - SECTOR: FOR_EVER}):
        drive.bad = bad
        newest = insert(here, unsure)
        here.work()
    assert hurt(here, newest) == []


def test_a_person_gives_the_reader_more_time(here: Station, drive: Scratches, unsure: Path) -> None:
    """The patience that was asked for reaches the reader, and goes for that intake only."""
    medium = media.identify(unsure, Limits())
    for patience in (0.0, 1200.0):
        with here.rows.begin() as tx:
            tx.intakes.create(medium, here.policy.site.station, patience=patience)
        here.work()
    assert drive.patience == [here.policy.limits.patience_seconds, 1200.0]


def test_more_time_reaches_the_reader_that_is_at_it(
    here: Station, drive: Scratches, unsure: Path
) -> None:
    """What the desk writes while it reads is the answer to its next word of progress."""
    medium = media.identify(unsure, Limits())
    with here.rows.begin() as tx:
        intake = tx.intakes.create(medium, here.policy.site.station).id
        tx.intakes.be_patient(intake, 1200.0, "amy")
    heard = []

    def read(
        location: Path, into: Path, limits: Limits, report: Report, expected: Medium | None
    ) -> ReadReport:
        heard.append(report(Progress("retrying")))
        return drive.read(location, into, limits, report, expected)

    here.engine = Engine(replace(here.engine.site, read=read))
    here.work()
    assert heard == [1200.0]


def test_a_purged_visit_is_nothing_to_start_from(
    here: Station, drive: Scratches, unsure: Path
) -> None:
    """Then the whole disc is read again."""
    drive.bad = {middle_of(unsure): FOR_EVER}
    first = insert(here, unsure)
    here.work()
    with here.rows.read() as tx:
        here.vault.purge(tx.intakes.get(first).ticket)
    drive.bad = {}
    second = insert(here, unsure)
    here.work()
    assert hurt(here, second) == []
    with here.rows.read() as tx:
        folder = here.vault.folder(tx.intakes.get(second).ticket)
    visits = from_plain(SectorMap, json.loads((folder / "sectors.json").read_text())).visits
    assert len(visits) == 1


def test_a_disc_that_was_not_tried_everywhere_stays_in_its_drive(
    here: Station, tmp_path: Path
) -> None:
    """More time can be asked for; what was tried everywhere comes out by itself."""
    device = tmp_path / "no-drive"
    medium = Medium(MediumKind.OPTICAL, str(device))
    with here.rows.begin() as tx:
        tx.intakes.set_drive("kiosk-1", Drive("A1", str(device), state=DriveState.DISC_OK))
        for left in ((), (Span(0, 2048),)):
            tx.intakes.create(medium, "kiosk-1")
            claimed = tx.intakes.claim(IntakeState.RECEIVED, "kiosk-1", 60)
            assert claimed is not None
            tx.intakes.read(claimed[1], ReadReport(medium, 1, 0, 1, untried=left))
        events = tuple(e for e in tx.journal.since(0) if e.kind == "intake.read")
    site: Site = here.engine.site
    open_trays(site, events[1:])
    open_trays(site, events[:1])
    with here.rows.read() as tx:
        failed = [e for e in tx.journal.since(0) if e.kind == "drive.eject-failed"]
    assert len(failed) == 1  # of the one that was opened, for there is no such drive
