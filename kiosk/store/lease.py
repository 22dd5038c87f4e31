"""Claiming rows: one worker at a time, by a lease that a crash leaves to expire.

A step runs outside any transaction and settles its row in one short transaction afterwards. The
token decides whose result counts: a worker whose lease ran out while it was slow is refused.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, select, update


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed row: its id and the token that its result must show."""

    id: int
    token: str
    tries: int


class LeaseLost(RuntimeError):
    """Somebody else has the row by now: this result is thrown away, the other run's counts."""


def claim(
    connection: Connection,
    table: Table,
    now: datetime,
    owner: str,
    seconds: float,
    *where: ColumnElement[bool],
) -> tuple[Row[Any], Lease] | None:
    """The row of `table` that is due longest, fits `where` and nobody works on; None when there
    is none. The claim is `FOR UPDATE SKIP LOCKED` on PostgreSQL; on SQLite the transaction's
    write lock is enough."""
    at = now.timestamp()
    query = (
        select(table)
        .where(*where, table.c.due <= at, table.c.lease_until <= at)
        .order_by(table.c.due, table.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    token = secrets.token_hex(8)
    connection.execute(
        update(table)
        .where(table.c.id == row.id)
        .values(lease_owner=owner, lease_token=token, lease_until=at + seconds, tries=row.tries + 1)
    )
    return row, Lease(row.id, token, row.tries + 1)


def extend(
    connection: Connection, table: Table, lease: Lease, now: datetime, seconds: float
) -> None:
    """A step that is still at work keeps its row. Raises LeaseLost."""
    _update(connection, table, lease, {"lease_until": now.timestamp() + seconds})


def confirm(connection: Connection, table: Table, lease: Lease) -> None:
    """Whether the row is still this worker's. Raises LeaseLost: somebody took it back, and its
    state may be one from which this result leads nowhere."""
    query = select(table.c.id).where(table.c.id == lease.id, table.c.lease_token == lease.token)
    if connection.execute(query).first() is None:
        raise LeaseLost(f"{table.name} {lease.id} is another worker's by now")


def settle(
    connection: Connection,
    table: Table,
    lease: Lease,
    values: dict[str, Any],
    due: datetime | None = None,
) -> None:
    """Writes a step's result and gives the row free, to be claimed again at `due` (None: at
    once, with the count of tries begun anew). Raises LeaseLost."""
    free: dict[str, Any] = {"lease_owner": "", "lease_token": "", "lease_until": 0.0}
    free["due"] = due.timestamp() if due else 0.0
    if due is None:
        free["tries"] = 0
    _update(connection, table, lease, free | values)


def _update(connection: Connection, table: Table, lease: Lease, values: dict[str, Any]) -> None:
    held = (table.c.id == lease.id) & (table.c.lease_token == lease.token)
    if connection.execute(update(table).where(held).values(values)).rowcount != 1:
        raise LeaseLost(f"{table.name} {lease.id} is another worker's by now")
