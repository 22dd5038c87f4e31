"""A registration system of other people's making feeds the roster over a real connection."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiosk.model.patient import Identifier, LocalPatient
from tests.adt.messages import hl7
from tests.peers import accepts, hl7_client, running
from tests.station import Station, station

pytestmark = pytest.mark.peer("node", "npm")


@dataclass
class Listening:
    here: Station

    def send(self, *steps: list[bytes]) -> list[list[str]]:
        return hl7_client.send(self.here.adt_port, steps)

    def patient(self, number: str) -> LocalPatient | None:
        with self.here.rows.read() as tx:
            return tx.roster.resolve(Identifier(number, "MERCY"))


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    with station(tmp_path) as here:
        command = [sys.executable, "-m", "kiosk", "adt", "listen", "--config", str(here.config)]
        with running(command, tmp_path, lambda: accepts(here.adt_port)):
            yield Listening(here)


def message(trigger: str, number: str, name: str, control: str, *more: str) -> bytes:
    pid = f"PID|1||{number}^^^MERCY^MR||{name}||19700203|F"
    return hl7(trigger, pid, *more, control=control, at=f"2026010109{control[-2:]}")


def test_every_message_is_answered_and_the_roster_is_right(listening: Listening) -> None:
    """Registered, renamed, merged, and a batch of three: one answer for each, all AA."""
    codes = listening.send(
        [message("A04", "1", "SMITH^ANN", "C01")],
        [message("A08", "1", "JONES^ANN", "C02")],
        [message("A04", "2", "JONES^ANNE", "C03")],
        [message("A40", "1", "JONES^ANN", "C04", "MRG|2^^^MERCY^MR")],
        [message("A28", str(n), f"BATCH^NO{n}", f"C{n}") for n in (10, 11, 12)],
        [message("A08", "10", "BATCH^TEN", "C20")],
    )
    assert codes == [["AA"], ["AA"], ["AA"], ["AA"], ["AA", "AA", "AA"], ["AA"]]
    one, two, ten = (listening.patient(number) for number in ("1", "2", "10"))
    assert one is not None
    assert ten is not None
    assert one == two
    assert one.identity.name.family == "JONES"
    assert {n.family for n in one.former_names} >= {"SMITH"}
    assert ten.identity.name.given == "TEN"
    assert all(listening.patient(number) for number in ("11", "12"))


def test_what_is_refused_is_told_to_the_sender_by_its_code(listening: Listening) -> None:
    """Alone and inside a batch; what stands beside it in the batch is taken."""
    good = message("A04", "5", "GOOD^GUS", "C31")
    codes = listening.send(
        [message("Z99", "4", "ODD^OLA", "C30")],
        [good, hl7("A04", "PID|1||||NOBODY^NED", control="C32")],
    )
    assert codes == [["AR"], ["AA", "AE"]]
    assert listening.patient("5") is not None
