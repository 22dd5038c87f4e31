"""A disc that goes in is taken in once; one that comes back goes on where it was.

The drive's device node is a disc image here: identifying and reading are the same code; what udev
and the tray do is specified in tests/media.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.desk.desk import EJECT
from kiosk.engine import drives
from kiosk.engine.drives import Drives
from kiosk.model.medium import Drive, DriveState
from kiosk.model.work import Event, IntakeState
from tests.engine.conftest import Station


@pytest.fixture
def drive(known: Path) -> Drive:
    return Drive("SERIAL-1", str(known), "left drive", DriveState.DISC_OK)


def intakes(here: Station) -> list[IntakeState]:
    with here.rows.read() as tx:
        return [intake.state for intake in tx.intakes.recent()]


def kinds(here: Station) -> list[str]:
    with here.rows.read() as tx:
        return [event.kind for event in tx.journal.since(0)]


def test_a_disc_becomes_one_intake_however_often_the_drive_says_so(
    here: Station, drive: Drive
) -> None:
    watching = Drives(here.engine.site)
    watching.changed(drive)
    watching.changed(drive)
    assert intakes(here) == [IntakeState.RECEIVED]


def test_a_disc_that_stayed_in_over_a_restart_is_not_read_again(
    here: Station, drive: Drive
) -> None:
    Drives(here.engine.site).changed(drive)
    here.work()
    Drives(here.engine.site).changed(drive)
    assert len(intakes(here)) == 1


def test_a_disc_that_was_taken_out_and_comes_again_is_another_stay(
    here: Station, drive: Drive
) -> None:
    watching = Drives(here.engine.site)
    watching.changed(drive)
    here.work()
    watching.changed(replace(drive, state=DriveState.TRAY_OPEN))
    watching.changed(drive)
    assert len(intakes(here)) == 2


def test_a_pulled_disc_goes_on_in_its_own_intake(here: Station, drive: Drive) -> None:
    watching = Drives(here.engine.site)
    watching.changed(drive)
    away = Path(drive.device).rename(here.folder / "away.iso")
    here.work()
    assert intakes(here) == [IntakeState.FAILED]
    watching.changed(replace(drive, state=DriveState.NO_DISC))
    away.rename(drive.device)
    watching.changed(drive)
    assert intakes(here) == [IntakeState.RECEIVED]
    here.work()
    assert intakes(here) == [IntakeState.CATALOGED]


def test_a_disc_that_cannot_be_identified_is_counted_and_said(
    here: Station, drive: Drive, tmp_path: Path
) -> None:
    noise = tmp_path / "noise.iso"
    noise.write_bytes(bytes(range(256)) * 2048)
    Drives(here.engine.site).changed(replace(drive, device=str(noise)))
    assert intakes(here) == [IntakeState.FAILED]
    with here.rows.read() as tx:
        (intake,) = tx.intakes.recent()
    assert intake.failure is not None
    assert intake.failure.detail


def test_the_screens_see_every_drive(here: Station, drive: Drive) -> None:
    Drives(here.engine.site).changed(replace(drive, state=DriveState.NOT_READY))
    with here.rows.read() as tx:
        (shown,) = tx.intakes.drives("kiosk-1")
    assert (shown.serial, shown.state) == ("SERIAL-1", DriveState.NOT_READY)


def test_the_tray_is_asked_to_open_once_the_disc_is_copied(here: Station, drive: Drive) -> None:
    """No tray opens for an image file: the failure is said, in the journal and so on the screen."""
    watching = Drives(here.engine.site)
    watching.changed(drive)
    watching.tend()
    assert "drive.eject-failed" not in kinds(here)
    here.engine.run_once()
    watching.tend()
    assert kinds(here).count("drive.eject-failed") == 1
    watching.tend()
    assert kinds(here).count("drive.eject-failed") == 1


def test_a_request_opens_only_a_drive_of_this_kiosk(here: Station, drive: Drive) -> None:
    watching = Drives(here.engine.site)
    with here.rows.begin() as tx:
        tx.journal.write(Event(EJECT, actor="ann", data={"device": "/etc/passwd"}))
    watching.tend()
    assert "drive.eject-failed" not in kinds(here)
    watching.changed(drive)
    with here.rows.begin() as tx:
        tx.journal.write(Event(EJECT, actor="ann", data={"device": drive.device}))
    watching.tend()
    assert "drive.eject-failed" in kinds(here)


def test_desk_and_engine_mean_the_same_request() -> None:
    assert drives.EJECT_ASKED == EJECT
