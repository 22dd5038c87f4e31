"""What other registers answered for a case, and how each of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Float,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    and_,
    delete,
    insert,
    or_,
    select,
)

from kiosk.model.patient import LocalPatient
from kiosk.model.plain import from_plain, to_plain
from kiosk.model.work import Case, CaseState, Event
from kiosk.store.journal import Journal
from kiosk.store.tables import ID, METADATA, PLAIN, patient_case

AGAIN = timedelta(days=1)  # after which a source is asked again about a case that still waits

answer = Table(
    "source_answer",
    METADATA,
    Column("case_id", ID, ForeignKey("patient_case.id"), primary_key=True),
    Column("source", String(32), primary_key=True),
    Column("at", String(32), nullable=False),
    Column("patients", PLAIN, nullable=False),
)

state = Table(
    "source_state",
    METADATA,
    Column("station", String(64), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("failing_since", String(32), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("problem", Text, nullable=False),
    Column("due", Float, nullable=False),
)


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source that answered last time has no failures; another is not asked before `due`."""

    name: str
    failing_since: str = ""
    failures: int = 0
    problem: str = ""
    due: float = 0.0


class Sources:
    def __init__(
        self, connection: Connection, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now

    def unasked(self, name: str) -> int | None:
        """The oldest case that waits for a person and for which this source was not asked yet, or
        a day ago: people are registered, and mended, elsewhere too."""
        since = (self._now() - AGAIN).isoformat(timespec="seconds")
        asked = and_(answer.c.case_id == patient_case.c.id, answer.c.source == name)
        query = (
            select(patient_case.c.id)
            .outerjoin(answer, asked)
            .where(patient_case.c.state == CaseState.AWAITING)
            .where(or_(answer.c.case_id.is_(None), answer.c.at < since))
            .order_by(patient_case.c.id)
            .limit(1)
        )
        return self._connection.execute(query).scalar()

    def answers(self, case_id: int) -> tuple[LocalPatient, ...]:
        """Whom the sources named for this case, in the order of their names."""
        query = select(answer).where(answer.c.case_id == case_id).order_by(answer.c.source)
        return tuple(
            from_plain(LocalPatient, each)
            for row in self._connection.execute(query)
            for each in row.patients
        )

    def answered(self, case: Case, name: str, patients: Iterable[LocalPatient]) -> bool:
        """Keeps the answer with its case; whether it names others, or says else of them, than the
        one before."""
        named = [to_plain(each) for each in patients]
        here = (answer.c.case_id == case.id) & (answer.c.source == name)
        before = self._connection.execute(select(answer.c.patients).where(here)).scalar()
        self._keep(case.id, name, named)
        data: dict[str, object] = {"source": name, "patients": len(named)}
        self._journal.write(Event("case.source-asked", case.intake, case.id, data=data))
        return named != (before or [])

    def passed_over(self, case_id: int, name: str) -> None:
        """The source need not be asked about this case."""
        self._keep(case_id, name, [])

    def _keep(self, case_id: int, name: str, named: list[Any]) -> None:
        at = self._now().isoformat(timespec="seconds")
        here = (answer.c.case_id == case_id) & (answer.c.source == name)
        self._connection.execute(delete(answer).where(here))
        row = {"case_id": case_id, "source": name, "at": at, "patients": named}
        self._connection.execute(insert(answer).values(row))

    def state(self, station: str, name: str) -> SourceState:
        where = (state.c.station == station) & (state.c.name == name)
        row = self._connection.execute(select(state).where(where)).first()
        return _state(row) if row else SourceState(name)

    def failing(self, station: str) -> tuple[SourceState, ...]:
        """The sources of this station that did not answer last time."""
        where = (state.c.station == station) & (state.c.failures > 0)
        found = self._connection.execute(select(state).where(where).order_by(state.c.name))
        return tuple(map(_state, found))

    def works(self, station: str, name: str) -> None:
        if self.state(station, name).failures:
            self._set(station, SourceState(name))
            self._journal.write(Event("source.works", data={"source": name}))

    def fails(self, station: str, name: str, problem: str, pause: timedelta) -> None:
        """The source is left alone for `pause`; its first failure is a journal line."""
        known, now = self.state(station, name), self._now()
        since = known.failing_since or now.isoformat(timespec="seconds")
        due = (now + pause).timestamp()
        self._set(station, SourceState(name, since, known.failures + 1, problem, due))
        if not known.failures:
            self._journal.write(Event("source.fails", data={"source": name, "problem": problem}))

    def _set(self, station: str, value: SourceState) -> None:
        where = (state.c.station == station) & (state.c.name == value.name)
        self._connection.execute(delete(state).where(where))
        row = {"station": station, **to_plain(value)}
        self._connection.execute(insert(state).values(row))


def _state(row: Any) -> SourceState:
    return SourceState(row.name, row.failing_since, row.failures, row.problem, row.due)
