"""The journal: append-only, hash-chained; audit trail and change feed in one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Row, func, select

from kiosk.model.work import Event
from kiosk.store.tables import journal as table


class Journal:
    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def write(self, event: Event) -> Event:
        """Appends the event: its hash covers the whole line and the hash before it. The chain has
        one writer at a time: the transaction holds the write lock."""
        last = self._connection.execute(
            select(table.c.hash).order_by(table.c.id.desc()).limit(1)
        ).scalar()
        previous = last or ""
        at = self._now().isoformat(timespec="milliseconds")
        data = json.dumps(event.data, sort_keys=True, ensure_ascii=False)
        line = replace(event, at=at)
        values = {
            "at": at,
            "kind": event.kind,
            "intake": event.intake,
            "case_id": event.case,
            "delivery": event.delivery,
            "actor": event.actor,
            "data": data,
            "previous": previous,
            "hash": digest(line, data, previous),
        }
        key = self._connection.execute(table.insert().values(values)).inserted_primary_key
        return replace(line, id=int(key[0]) if key else 0, hash=str(values["hash"]))

    def last_id(self) -> int:
        return int(self._connection.execute(select(func.max(table.c.id))).scalar() or 0)

    def last_at(self, kind: str) -> str:
        """When the newest event of a kind happened, ISO 8601 UTC; "" when there is none."""
        query = select(func.max(table.c.at)).where(table.c.kind == kind)
        return str(self._connection.execute(query).scalar() or "")

    def newest(self, kind: str) -> Event | None:
        query = select(table).where(table.c.kind == kind).order_by(table.c.id.desc()).limit(1)
        row = self._connection.execute(query).first()
        return _event(row) if row else None

    def since(self, last: int, limit: int = 1000) -> tuple[Event, ...]:
        """Events after id `last`, oldest first."""
        query = select(table).where(table.c.id > last).order_by(table.c.id).limit(limit)
        return tuple(_event(row) for row in self._connection.execute(query))

    def all(self) -> Iterator[Event]:
        """Every record, oldest first, without holding them all at once."""
        return (_event(row) for row in self._lines())

    def of(self, *, intake: int | None = None, case: int | None = None) -> tuple[Event, ...]:
        """The history of one intake or one case, oldest first."""
        query = select(table).order_by(table.c.id)
        if intake is not None:
            query = query.where(table.c.intake == intake)
        if case is not None:
            query = query.where(table.c.case_id == case)
        return tuple(_event(row) for row in self._connection.execute(query))

    def first_broken(self) -> int | None:
        """The id of the first line that was changed outside the program, or None."""
        previous = ""
        for row in self._lines():
            if row.previous != previous or row.hash != digest(_event(row), row.data, previous):
                return int(row.id)
            previous = row.hash
        return None

    def _lines(self) -> Iterator[Row[tuple[object, ...]]]:
        query = select(table).order_by(table.c.id).execution_options(yield_per=1000)
        with self._connection.execute(query) as rows:  # closed when the reader stops early, too
            yield from rows


def digest(event: Event, data: str, previous: str) -> str:
    """SHA-256 over a line's content and the hash of the line before it."""
    parts = (event.at, event.kind, event.intake, event.case, event.delivery, event.actor)
    line = json.dumps([*parts, data, previous], ensure_ascii=False)
    return hashlib.sha256(line.encode()).hexdigest()


def _event(row: Row[tuple[object, ...]]) -> Event:
    return Event(
        kind=row.kind,
        intake=row.intake,
        case=row.case_id,
        delivery=row.delivery,
        actor=row.actor,
        data=json.loads(row.data),
        id=row.id,
        at=row.at,
        hash=row.hash,
    )
