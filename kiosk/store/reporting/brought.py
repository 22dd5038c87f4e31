"""What became of each medium, a line each, for those who govern: no name and no number is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from kiosk.model.content import Finding, Ledger
from kiosk.model.matching import Action, Resolution
from kiosk.model.medium import Medium
from kiosk.model.patient import Identifier
from kiosk.model.plain import from_plain
from kiosk.model.work import IntakeState
from kiosk.store.tables import finding, intake, journal, patient_case, study

AT_ONCE = 500
# When each first happened: journal kind -> what the time until then is called.
MOMENTS = {
    "intake.verdict": "verdict",
    "intake.read": "copied",
    "intake.returned": "returned",
    "intake.closed": "done",
}


@dataclass(frozen=True, slots=True)
class Brought:
    """One medium. `senders` are the institutions that its studies name, most studies first; `until`
    seconds from its arrival to each of MOMENTS that came; `findings` the codes of what was found.

    Of its cases: `cases` in all, `automatic` linked by the matcher, `by_people` decided by people,
    `not_ours` given back as nobody's of this hospital, `otherwise` linked to another patient than
    the front desk had picked."""

    ticket: str
    at: str  # ISO 8601 UTC
    station: str
    state: IntakeState
    medium: Medium
    failure: Finding | None
    ledger: Ledger | None
    senders: tuple[str, ...]
    studies: int
    until: dict[str, float]
    findings: frozenset[str] = frozenset()
    cases: int = 0
    automatic: int = 0
    by_people: int = 0
    not_ours: int = 0
    otherwise: int = 0


def brought(connection: Connection, since: str, until: str) -> Iterator[Brought]:
    """Every medium that arrived from the instant `since` on and before `until` (ISO 8601 UTC),
    oldest first, in bounded memory."""
    last = 0
    while True:
        query = (
            select(intake)
            .where(intake.c.created_at >= since, intake.c.created_at < until, intake.c.id > last)
            .order_by(intake.c.id)
            .limit(AT_ONCE)
        )
        rows = connection.execute(query).all()
        if not rows:
            return
        yield from _lines(connection, rows)
        last = rows[-1].id


def _lines(connection: Connection, rows: Sequence[Row[Any]]) -> Iterator[Brought]:
    ids = [row.id for row in rows]
    moments = _moments(connection, ids)
    senders = _senders(connection, ids)
    decided = _decided(connection, {row.id: row.picked for row in rows})
    found = _findings(connection, ids)
    for row in rows:
        named = senders.get(row.id, Counter())
        yield Brought(
            ticket=row.ticket,
            at=row.created_at,
            station=row.station,
            state=IntakeState(row.state),
            medium=from_plain(Medium, row.medium),
            failure=from_plain(Finding, row.failure) if row.failure else None,
            ledger=from_plain(Ledger, row.ledger) if row.ledger else None,
            senders=tuple(name for name, _ in named.most_common() if name),
            studies=named.total(),
            until=_seconds(row.created_at, moments.get(row.id, {})),
            findings=found.get(row.id, frozenset()),
            **decided.get(row.id, {}),
        )


def _moments(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    query = (
        select(journal.c.intake, journal.c.kind, func.min(journal.c.at))
        .where(journal.c.intake.in_(ids), journal.c.kind.in_(MOMENTS))
        .group_by(journal.c.intake, journal.c.kind)
    )
    found: dict[int, dict[str, str]] = {}
    for id, kind, at in connection.execute(query):
        found.setdefault(id, {})[MOMENTS[kind]] = at
    return found


def _findings(connection: Connection, ids: Sequence[int]) -> dict[int, frozenset[str]]:
    query = select(finding.c.intake, finding.c.code).where(finding.c.intake.in_(ids)).distinct()
    found: dict[int, set[str]] = {}
    for id, code in connection.execute(query):
        found.setdefault(id, set()).add(code)
    return {id: frozenset(codes) for id, codes in found.items()}


def _seconds(start: str, moments: dict[str, str]) -> dict[str, float]:
    """A clock that was set back between the two leaves 0, never less."""
    begun = datetime.fromisoformat(start)
    return {
        name: max(0.0, (datetime.fromisoformat(at) - begun).total_seconds())
        for name, at in moments.items()
    }


def _senders(connection: Connection, ids: Sequence[int]) -> dict[int, Counter[str]]:
    """How many studies name which institution, by intake."""
    query = (
        select(patient_case.c.intake, study.c.attributes)
        .join(study, study.c.case_id == patient_case.c.id)
        .where(patient_case.c.intake.in_(ids))
    )
    found: dict[int, Counter[str]] = {}
    for id, attributes in connection.execute(query):
        name = " ".join(str(attributes.get("institution", "")).split())
        found.setdefault(id, Counter())[name] += 1
    return found


def _decided(connection: Connection, picked: dict[int, Any]) -> dict[int, dict[str, int]]:
    query = select(patient_case.c.intake, patient_case.c.resolution).where(
        patient_case.c.intake.in_(picked)
    )
    found: dict[int, Counter[str]] = {}
    for id, plain in connection.execute(query):
        counts = found.setdefault(id, Counter())
        counts["cases"] += 1
        if plain is None:
            continue
        resolution = from_plain(Resolution, plain)
        counts["automatic" if resolution.by == "matcher" else "by_people"] += 1
        counts["not_ours"] += resolution.action is Action.NOT_OURS
        counts["otherwise"] += _otherwise(resolution, picked[id])
    return {id: dict(counts) for id, counts in found.items()}


def _otherwise(resolution: Resolution, picked: Any) -> bool:
    if picked is None or resolution.action is not Action.LINK or resolution.local is None:
        return False
    wanted = from_plain(Identifier, picked)
    return wanted.value not in {number.value for number in resolution.local.identifiers}
