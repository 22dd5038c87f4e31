"""`kiosk audit`: whether the journal is whole, and who did what: to one patient, by one person, in
one stretch of time. Whoever exports is in the journal, too."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from kiosk.cli.context import Context, fail
from kiosk.model.patient import Identifier, PatientIdentity
from kiosk.model.work import Event
from kiosk.store import Transaction

COLUMNS = ("id", "at", "kind", "actor", "intake", "case", "delivery", "data", "hash")


def verify(context: Context) -> dict[str, Any]:
    """Walks the chain. `first_broken` is the id of the first record that was changed, or None;
    `head` is the newest record's hash: note it elsewhere, and a cut-off end shows, too."""
    with context.store.read() as tx:
        broken, last = tx.journal.first_broken(), tx.journal.last_id()
        newest = tx.journal.since(last - 1)
    head = newest[-1].hash if newest else ""
    return {"records": last, "first_broken": broken, "head": head}


def verified_words(found: dict[str, Any]) -> list[str]:
    if found["first_broken"] is not None:
        return [
            f"Record {found['first_broken']} was changed outside the program, or the one before it "
            "was taken out.",
            "Keep the database as it is and call your security officer.",
        ]
    return [f"Unbroken, {found['records']} records. Newest hash: {found['head'] or '(none)'}"]


def moment(text: str, name: str) -> str:
    """A day or a moment, ISO 8601 (a day begins at midnight UTC), as the journal has it."""
    try:
        value = datetime.fromisoformat(text) if text else None
    except ValueError:
        fail(f"{name} {text!r} is no date: write 2026-11-24 or 2026-11-24T08:00+01:00.", code=2)
    if value is None:
        return ""
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def export(
    context: Context, patient: str, person: str, since: str, until: str, operator: str
) -> tuple[Event, ...]:
    """The records that match, oldest first; the export itself is the journal's newest record."""
    with context.store.read() as tx:
        found = tuple(_found(tx, patient, person, since, until))
    asked = {"by_patient": bool(patient), "by_person": person, "since": since, "until": until}
    with context.store.begin() as tx:
        data = asked | {"records": len(found)}
        tx.journal.write(Event("audit.exported", actor=operator, data=data))
    return found


def _found(tx: Transaction, patient: str, person: str, since: str, until: str) -> Iterator[Event]:
    whose = Identifier.parse(patient) if patient else None
    about: dict[int, bool] = {}
    for event in tx.journal.all():
        if person and event.actor != person:
            continue
        if (since and event.at < since) or (until and event.at >= until):
            continue
        if whose is None or _concerns(tx, event, whose, about):
            yield event


def _concerns(tx: Transaction, event: Event, whose: Identifier, known: dict[int, bool]) -> bool:
    """Whether a record's case is this patient's, or its whole medium has something of theirs."""
    if event.intake is None:
        return False
    cases = (tx.cases.get(event.case),) if event.case else tx.cases.of_intake(event.intake)
    for case in cases:
        if case.id not in known:
            known[case.id] = _is(case.stated, whose) or _is(
                case.resolution.local if case.resolution else None, whose
            )
    return any(known[case.id] for case in cases)


def _is(identity: PatientIdentity | None, whose: Identifier) -> bool:
    """A number without an issuer is looked for under every issuer."""
    return identity is not None and any(
        each.value == whose.value and whose.issuer in ("", each.issuer)
        for each in identity.identifiers
    )


def as_csv(events: tuple[Event, ...]) -> str:
    """A line each, `data` as JSON; a cell never begins as a formula does."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for event in events:
        row = asdict(event) | {"data": json.dumps(event.data, sort_keys=True)}
        writer.writerow(_tame(row[name]) for name in COLUMNS)
    return out.getvalue().rstrip("\n")


def _tame(value: Any) -> Any:
    formula = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if formula else value
