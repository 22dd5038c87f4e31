"""Performed procedure steps: what their manager was told of each study's import, and shall be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from kiosk.model.delivery import StepStatus
from kiosk.model.work import Event
from kiosk.store import lease
from kiosk.store.journal import Journal
from kiosk.store.lease import Lease
from kiosk.store.tables import intake, patient_case, performed_step

REFUSED = "REFUSED"  # the manager will not take it; nobody asks again


@dataclass(frozen=True, slots=True)
class StepRow:
    """`told` is "" before the first word; `wanted` what shall be told in the end."""

    id: int
    case: int
    study: int
    sop_instance_uid: str
    wanted: StepStatus
    told: str = ""
    problem: str = ""
    begun_at: str = ""
    ended_at: str = ""


class Steps:
    def __init__(
        self, connection: Connection, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now

    def begin(self, case_id: int, study_id: int, sop_instance_uid: str) -> None:
        row = {"case_id": case_id, "study": study_id, "sop_instance_uid": sop_instance_uid}
        row |= {"wanted": StepStatus.IN_PROGRESS, "begun_at": self._moment()}
        self._connection.execute(performed_step.insert().values(row))

    def end(self, case_id: int, how: StepStatus) -> None:
        """Those of the case that are under way have ended; what has ended stays (PS3.4 F.7.2)."""
        under_way = performed_step.c.wanted == StepStatus.IN_PROGRESS
        change = update(performed_step).where(performed_step.c.case_id == case_id, under_way)
        values = {"wanted": how, "ended_at": self._moment(), "due": 0.0}
        self._connection.execute(change.values(values))

    def claim(self, station: str, seconds: float) -> tuple[StepRow, Lease] | None:
        """One whose manager does not know yet how it stands."""
        here = (
            select(patient_case.c.id)
            .join(intake, intake.c.id == patient_case.c.intake)
            .where(intake.c.station == station, patient_case.c.id == performed_step.c.case_id)
        )
        where = (
            performed_step.c.told != performed_step.c.wanted,
            performed_step.c.told != REFUSED,
            here.exists(),
        )
        found = lease.claim(self._connection, performed_step, self._now(), station, seconds, *where)
        return (_step(found[0]), found[1]) if found else None

    def extend(self, held: Lease, seconds: float) -> None:
        lease.extend(self._connection, performed_step, held, self._now(), seconds)

    def free(self, station: str) -> None:
        """At the engine's start: what a dead engine of this station held may be claimed again."""
        where = (performed_step.c.lease_owner == station) & (performed_step.c.lease_token != "")
        self._connection.execute(update(performed_step).where(where).values(lease_until=0.0))

    def told(self, held: Lease, what: str, problem: str = "") -> None:
        """The manager knows it, or (REFUSED) will not."""
        values = {"told": what, "problem": problem}
        lease.settle(self._connection, performed_step, held, values)
        self._write(held.id, {"told": what, "problem": problem})

    def wait(self, held: Lease, until: datetime, problem: str) -> None:
        lease.settle(self._connection, performed_step, held, {"problem": problem}, due=until)

    def of_case(self, case_id: int) -> tuple[StepRow, ...]:
        query = select(performed_step).where(performed_step.c.case_id == case_id)
        rows = self._connection.execute(query.order_by(performed_step.c.id))
        return tuple(_step(row) for row in rows)

    def _moment(self) -> str:
        return self._now().isoformat(timespec="seconds")

    def _write(self, id: int, data: dict[str, object]) -> None:
        query = (
            select(performed_step.c.case_id, patient_case.c.intake)
            .join(patient_case, patient_case.c.id == performed_step.c.case_id)
            .where(performed_step.c.id == id)
        )
        case_id, intake_id = self._connection.execute(query).one()
        self._journal.write(Event("procedure-step.told", intake_id, case_id, data=data))


def _step(row: Row[Any]) -> StepRow:
    return StepRow(
        row.id,
        row.case_id,
        row.study,
        row.sop_instance_uid,
        StepStatus(row.wanted),
        row.told,
        row.problem,
        row.begun_at,
        row.ended_at,
    )
