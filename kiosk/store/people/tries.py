"""Tries that were refused, by the name that was given: for one that nobody has here, too, so that
what is said tells nothing about who exists, and a directory cannot be tried out through us."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from kiosk.store.people.people import login_of
from kiosk.store.tables import refused_try as table

KEPT = 10_000


@dataclass(frozen=True, slots=True)
class TryRow:
    """`at` is the wall clock's at the last try, `boot_seconds` since the boot named `boot`."""

    refused: int
    locked: bool
    station: str
    boot: str
    boot_seconds: float
    at: float


class Tries:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, name: str) -> TryRow | None:
        row = self._connection.execute(select(table).where(table.c.key == _key(name))).first()
        if row is None:
            return None
        return TryRow(row.refused, row.locked, row.station, row.boot, row.boot_seconds, row.at)

    def put(self, name: str, tried: TryRow) -> None:
        values: dict[str, Any] = {
            "refused": tried.refused,
            "locked": tried.locked,
            "station": tried.station,
            "boot": tried.boot,
            "boot_seconds": tried.boot_seconds,
            "at": tried.at,
        }
        change = update(table).where(table.c.key == _key(name)).values(values)
        if self._connection.execute(change).rowcount == 0:
            self._connection.execute(table.insert().values(key=_key(name), **values))
            newest = self._connection.execute(select(func.max(table.c.id))).scalar() or 0
            self._connection.execute(delete(table).where(table.c.id <= newest - KEPT))

    def clear(self, name: str) -> None:
        self._connection.execute(delete(table).where(table.c.key == _key(name)))


def _key(name: str) -> str:
    return hashlib.sha256(login_of(name).encode("utf-8", "surrogatepass")).hexdigest()
