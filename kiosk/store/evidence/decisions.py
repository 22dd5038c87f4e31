"""What people said of a foreign identity, kept until they take it back.

A foreign identity is an identifier with its issuer: a number that nobody says who issued tells
nothing. A judgement counts as long as the case that it was made in stands by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Row,
    String,
    Table,
    Text,
    null,
    select,
    tuple_,
    update,
)

from kiosk.model.matching import Judgement, Remembered
from kiosk.model.patient import PatientIdentity
from kiosk.model.plain import from_plain, to_plain
from kiosk.model.work import Case, CaseState, Event
from kiosk.store.journal import Journal
from kiosk.store.tables import ID, METADATA, PLAIN, patient_case

MOST = 50  # of one foreign identity, the newest: more than anybody reads

remembered = Table(
    "remembered",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("case_id", ID, ForeignKey("patient_case.id"), nullable=False, index=True),
    Column("judgement", String(16), nullable=False),
    Column("local_key", String(64), nullable=False),
    Column("stated", PLAIN, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("revoked_at", String(32), nullable=False, default=""),
)

number = Table(
    "remembered_number",
    METADATA,
    Column("value", String(256), primary_key=True),
    Column("issuer", String(256), primary_key=True),
    Column("remembered", ID, ForeignKey("remembered.id"), primary_key=True),
)


def remember(
    connection: Connection,
    case: Case,
    judgement: Judgement,
    local_key: str,
    by: str,
    at: str,
    reason: str,
) -> None:
    """Keeps the judgement; what its case said before of the same record, or of the patient as a
    whole, gives way. A stated patient without a foreign identity leaves nothing to keep."""
    numbers = _numbers(case.stated)
    if not numbers:
        return
    _give_way(connection, case.id, judgement, local_key, at)
    values = {
        "case_id": case.id,
        "judgement": judgement,
        "local_key": local_key,
        "stated": to_plain(case.stated),
        "actor": by,
        "at": at,
        "reason": reason,
        "revoked_at": "",
    }
    key = connection.execute(remembered.insert().values(values)).inserted_primary_key
    assert key is not None
    rows = [{"value": v, "issuer": i, "remembered": key[0]} for v, i in numbers]
    connection.execute(number.insert(), rows)


def _numbers(stated: PatientIdentity) -> list[tuple[str, str]]:
    """The stated foreign identity as the table has room for it."""
    return sorted({(value[:256], issuer[:256]) for value, issuer in stated.foreign})


def _give_way(
    connection: Connection, case_id: int, judgement: Judgement, local_key: str, at: str
) -> None:
    table = remembered.c
    about = table.local_key == local_key
    if judgement is not Judgement.NOT_SAME:
        about |= table.judgement != Judgement.NOT_SAME
    where = (table.case_id == case_id) & (table.revoked_at == "") & about
    connection.execute(update(remembered).where(where).values(revoked_at=at))


class Decisions:
    """`survivor` follows a roster key through merges to where it leads today."""

    def __init__(
        self,
        connection: Connection,
        journal: Journal,
        now: Callable[[], datetime],
        survivor: Callable[[str], str],
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now
        self._survivor = survivor

    def about(self, stated: PatientIdentity) -> tuple[Remembered, ...]:
        """What stands of this foreign identity, newest first: one judgement for each record, and
        of the whole patient only where nobody was found to be the same later."""
        numbers = _numbers(stated)
        if not numbers:
            return ()
        found: dict[str, Remembered] = {}
        for row in self._connection.execute(_standing(numbers)):
            found.setdefault(row.local_key, self._remembered(row, stated))
        newest = list(found.values())
        nobody = next((m for m in newest if m.judgement is Judgement.NOBODY), None)
        if nobody and any(m.judgement is Judgement.SAME and m.id > nobody.id for m in newest):
            newest.remove(nobody)
        return tuple(newest)

    def refuse(self, case: Case, local_key: str, by: str, reason: str) -> None:
        """A person says: the case's patient is not the one of this record."""
        at = self._now().isoformat(timespec="seconds")
        remember(self._connection, case, Judgement.NOT_SAME, local_key, by, at, reason)
        data: dict[str, object] = {"local_key": local_key, "reason": reason}
        self._journal.write(Event("case.refused-candidate", case.intake, case.id, None, by, data))

    def revoke(self, id: int, by: str, reason: str) -> None:
        """Takes a judgement back; its case stays as it was decided. Raises KeyError when there is
        none that stands."""
        at = self._now().isoformat(timespec="seconds")
        where = (remembered.c.id == id) & (remembered.c.revoked_at == "")
        row = self._connection.execute(select(remembered).where(where)).first()
        if row is None:
            raise KeyError(id)
        self._connection.execute(update(remembered).where(where).values(revoked_at=at))
        data: dict[str, object] = {"judgement": row.judgement, "local_key": row.local_key}
        data |= {"remembered": id, "by": row.actor, "reason": reason}
        self._journal.write(Event("decision.revoked", case=row.case_id, actor=by, data=data))

    def _remembered(self, row: Row[Any], stated: PatientIdentity) -> Remembered:
        then = from_plain(PatientIdentity, row.stated)
        pairs = zip(_demographics(then), _demographics(stated), strict=True)
        differs = tuple(name for name, (a, b) in zip(_COMPARED, pairs, strict=True) if a != b)
        return Remembered(
            row.id,
            Judgement(row.judgement),
            row.actor,
            row.at,
            row.reason,
            self._survivor(row.local_key) if row.local_key else "",
            differs,
        )


_COMPARED = ("name", "birth_date", "sex")


def _demographics(stated: PatientIdentity) -> tuple[str, str, str]:
    return stated.name.to_dicom(), stated.birth_date, stated.sex


def _standing(numbers: Iterable[tuple[str, str]]) -> Any:
    """Not taken back, and its case not reopened; that two are not the same is said beside the
    case's own end."""
    table, case = remembered.c, patient_case.c
    same_number = select(number.c.remembered).where(
        tuple_(number.c.value, number.c.issuer).in_(numbers)
    )
    stands = (table.judgement == Judgement.NOT_SAME) | (
        case.resolution.is_not(null()) & (case.state != CaseState.RECALLED)
    )
    return (
        select(remembered)
        .join(patient_case, case.id == table.case_id)
        .where(table.id.in_(same_number), table.revoked_at == "", stands)
        .order_by(table.id.desc())
        .limit(MOST)
    )
