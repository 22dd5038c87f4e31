"""Destinations: since when one fails, when it is tried again, whether people have paused it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kiosk.model.work import Event
from kiosk.store.journal import Journal
from kiosk.store.tables import destination


@dataclass(frozen=True, slots=True)
class DestinationState:
    """How a destination does: since when it fails, what it said, when it is tried again."""

    name: str
    paused: bool = False
    failing_since: str = ""
    failures: int = 0
    problem: str = ""
    due: float = 0.0


class Destinations:
    def __init__(
        self, connection: Connection, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now

    def get(self, station: str, name: str) -> DestinationState:
        where = (destination.c.station == station) & (destination.c.name == name)
        row = self._connection.execute(select(destination).where(where)).first()
        if row is None:
            return DestinationState(name)
        return DestinationState(
            row.name, row.paused, row.failing_since, row.failures, row.problem, row.due
        )

    def all(self, station: str) -> tuple[DestinationState, ...]:
        """How every destination that this station has tried does."""
        query = select(destination.c.name).where(destination.c.station == station)
        names = self._connection.scalars(query.order_by(destination.c.name))
        return tuple(self.get(station, name) for name in names.all())

    def put(self, station: str, value: DestinationState) -> None:
        row = {"station": station, "name": value.name, **_row(value)}
        postgres = self._connection.dialect.name == "postgresql"
        insert = (postgresql if postgres else sqlite).insert(destination).values(row)
        self._connection.execute(
            insert.on_conflict_do_update(index_elements=("station", "name"), set_=_row(value))
        )

    def pause(self, station: str, name: str, actor: str) -> None:
        """A person stops everything to it; what comes waits. Asking twice changes nothing twice."""
        self._switch(station, name, True, actor)

    def resume(self, station: str, name: str, actor: str) -> None:
        """It goes on, at once: a person has seen to it, so what failed before does not count."""
        self._switch(station, name, False, actor)

    def _switch(self, station: str, name: str, paused: bool, actor: str) -> None:
        before = self.get(station, name)
        if before.paused is paused and not (before.due and not paused):
            return
        self.put(station, DestinationState(name, paused))
        kind = "destination.paused" if paused else "destination.resumed"
        self._journal.write(Event(kind, actor=actor, data={"destination": name}))

    def wake(self, station: str) -> None:
        """Whoever waits is due now: somebody stands before the screen and waits for them."""
        here = destination.c.station == station
        self._connection.execute(update(destination).where(here).values(due=0.0))

    def may_send(self, station: str, name: str) -> bool:
        state = self.get(station, name)
        return not state.paused and state.due <= self._now().timestamp()


def _row(value: DestinationState) -> dict[str, Any]:
    return {
        "paused": value.paused,
        "failing_since": value.failing_since,
        "failures": value.failures,
        "problem": value.problem,
        "due": value.due,
    }
