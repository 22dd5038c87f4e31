"""A running kiosk asks another register about a disc of nobody registered, and goes on without one
that is away."""

from __future__ import annotations

from pathlib import Path

from kiosk.cli.demonstration import discs
from kiosk.cli.demonstration.registration import ARCHIBALD
from kiosk.model.work import Case, CaseState
from tests.peers import free_port
from tests.peers.pdq import naming, supplier
from tests.station import dicom, station, until

PID = (
    f"PID|1||{ARCHIBALD.number}^^^HOSP^MR||{ARCHIBALD.family}^{ARCHIBALD.given}||"
    f"{ARCHIBALD.birth_date}|{ARCHIBALD.sex}"
)


def test_a_running_engine_shows_whom_another_register_names(tmp_path: Path) -> None:
    """One source answers, one is away: the case waits for a person with the one candidate."""
    stated = discs.Stated(
        f"{ARCHIBALD.family}^{ARCHIBALD.given}", ARCHIBALD.birth_date, ARCHIBALD.sex
    )
    image = discs.burn(discs.file_set_of(discs.ARCHIBALD, stated), tmp_path / "a.iso", "A")
    with supplier(naming(PID)) as mpi:
        more = "".join(
            f'[[source]]\nname = "{name}"\nkind = "pdq"\nport = {port}\n'
            for name, port in (("AWAY", free_port()), ("MPI", mpi.port))
        )
        with station(tmp_path, dicom(free_port(), "PACS"), more=more) as here, here.engine():
            intake = here.insert(image)

            def named() -> list[Case]:
                return [
                    case
                    for case in here.cases(intake.id)
                    if case.state is CaseState.AWAITING
                    and case.proposal is not None
                    and [c.local.source for c in case.proposal.candidates] == ["MPI"]
                ]

            until(lambda: bool(named()), "the case waits with the candidate")
            with here.rows.read() as tx:
                assert [s.name for s in tx.sources.failing("kiosk-1")] == ["AWAY"]
    assert len(mpi.questions) == 1
