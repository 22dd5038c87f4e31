"""What a receiver staged is read by moving it into the vault, once, whatever dies meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kiosk import inbound
from kiosk.cli.context import Context
from kiosk.cli.receiving.arrivals import Arrivals
from kiosk.engine import reading
from kiosk.model.medium import Medium
from kiosk.model.work import SENT_HERE, Intake, IntakeState
from kiosk.policy.sections import Limits
from tests.engine.conftest import Station
from tests.inbound.senders import CT, MR, Sender, c_store, data_set, uid_of
from tests.inbound.senders import Station as Told


@pytest.fixture
def sent(tmp_path: Path) -> Medium:
    """A session of two instances of two people, with an aborted one between them."""
    told = Told()
    folder = tmp_path / "arrivals"
    with inbound.listen(c_store(quiet_seconds=0.3), "KIOSK", Limits(), folder, told) as receiver:
        with Sender(receiver.port) as sender:
            assert sender.store(uid_of(CT), data_set(CT.read_bytes())) == 0
            sender.order("1.2.3")
            sender.data(b"\0\0", last=False)
        with Sender(receiver.port) as sender:
            assert sender.store(uid_of(MR), data_set(MR.read_bytes())) == 0
        (medium,) = told.sessions()
    return medium


def arrivals(here: Station) -> Arrivals:
    return Arrivals(Context(here.policy, None, here.folder, here.rows, here.vault))


def intakes(here: Station) -> tuple[Intake, ...]:
    with here.rows.read() as tx:
        return tx.intakes.recent()


def test_a_session_is_one_intake_however_often_it_is_told_of(here: Station, sent: Medium) -> None:
    assert [arrivals(here).session(sent) for _ in range(3)] == [True] * 3
    (intake,) = intakes(here)
    assert (intake.medium, intake.operator) == (sent, SENT_HERE)
    here.work()
    assert arrivals(here).session(sent)
    assert len(intakes(here)) == 1


def test_the_same_scans_sent_another_time_are_an_intake_of_their_own(
    here: Station, sent: Medium
) -> None:
    """What the archive lost is sent once more: it must go all the way again."""
    arrivals(here).session(sent)
    arrivals(here).session(replace(sent, location=f"{sent.location}-again"))
    assert len(intakes(here)) == 2


def test_reading_it_moves_it_into_the_vault_and_accounts_for_every_file(
    here: Station, sent: Medium
) -> None:
    arrivals(here).session(sent)
    here.work()
    (intake,) = intakes(here)
    assert not Path(sent.location).exists()
    with here.rows.read() as tx:
        ledger, report = tx.intakes.ledger(intake.id), tx.intakes.report(intake.id)
        cases = tx.cases.of_intake(intake.id)
    assert report is not None
    assert (report.files, report.bytes, report.medium) == (2, sent.bytes, sent)
    assert ledger is not None
    assert ledger.balances
    assert (ledger.files, ledger.ok) == (2, 2)
    assert len(cases) == 2


def test_killed_after_the_move_it_is_read_where_it_lies(here: Station, sent: Medium) -> None:
    arrivals(here).session(sent)
    (intake,) = intakes(here)
    reading.read(here.engine.site, intake)  # moved, and what came of it never written
    here.work()
    assert intakes(here)[0].state is IntakeState.CATALOGED


def test_a_session_that_is_gone_is_said_to_be_lost(here: Station, sent: Medium) -> None:
    Path(sent.location).rename(here.folder / "elsewhere")
    arrivals(here).session(sent)
    here.work()
    (intake,) = intakes(here)
    assert intake.state is IntakeState.FAILED
    assert intake.failure is not None
    assert intake.failure.code == "arrival-lost"
