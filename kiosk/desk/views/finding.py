"""K3: which registered patient stands at the desk."""

from __future__ import annotations

from datetime import datetime, timedelta

from kiosk.desk.snapshots import Find, PatientCard
from kiosk.desk.views.him import feed_notices, moment_of
from kiosk.model.patient import LocalPatient, PatientIdentity
from kiosk.store import Transaction

AT_MOST = 6


def find(tx: Transaction, intake: int, text: str, now: datetime, max_age: timedelta) -> Find:
    """At most six: who finds more has to say more."""
    found = tx.roster.search(text, limit=AT_MOST)[:AT_MOST] if text else ()
    cards = tuple(
        PatientCard(
            each.identity,
            _next_visit(each, now),
            any(alike(each.identity, other.identity) for other in found if other is not each),
        )
        for each in found
    )
    return Find(intake, text, cards, feed_notices(tx.roster.last_message_at(), now, max_age))


def alike(one: PatientIdentity, other: PatientIdentity) -> bool:
    """The same name, or the same family name and birth date."""
    family = one.name.family.casefold() == other.name.family.casefold()
    given = one.name.given.casefold() == other.name.given.casefold()
    return family and (given or one.birth_date == other.birth_date)


def _next_visit(patient: LocalPatient, now: datetime) -> str:
    starts = (moment_of(visit.starts_at, now) for visit in patient.visits)
    coming = [start for start in starts if start is not None and start >= now]
    return min(coming).isoformat(timespec="seconds") if coming else ""
