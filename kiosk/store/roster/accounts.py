"""Which patients have an account, or had it: an index made from their records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Select,
    String,
    Table,
    bindparam,
    delete,
    select,
)

from kiosk.store.roster.record import Number, Record, number
from kiosk.store.roster.statements import Marks, among, insert_tuples, run_all
from kiosk.store.tables import METADATA

account = Table(
    "roster_account",
    METADATA,
    Column("value", String(256), primary_key=True),
    Column("issuer", String(256), primary_key=True),
    Column("patient", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

_FORGET = delete(account).where(
    *(c == bindparam(f"k{n}") for n, c in enumerate(account.primary_key.columns.values()))
)


def _valued(values: Marks) -> Select[Any]:
    return select(account).where(account.c.value.in_(values))


def holders(connection: Connection, wanted: Iterable[Number]) -> set[int]:
    """The records with one of these accounts, merged or not. An issuer of "" is any issuer's."""
    asked = set(wanted)
    found = among(connection, _valued, {value for value, _ in asked})
    return {
        int(holder)
        for value, issuer, holder in found
        if (value, issuer) in asked or (value, "") in asked
    }


def write(connection: Connection, changes: Iterable[tuple[Record | None, Record]]) -> None:
    """What each record has now and did not have before, and the other way round."""
    new: list[tuple[object, ...]] = []
    old: list[dict[str, object]] = []
    for was, now in changes:
        before = {number(a) for a, _ in was.accounts} if was and was.accounts else set()
        after = {number(a) for a, _ in now.accounts} if now.accounts else set()
        new += [(*n, now.key) for n in after - before]
        old += [{"k0": value, "k1": issuer, "k2": now.key} for value, issuer in before - after]
    run_all(connection, _FORGET, old)
    insert_tuples(connection, account, sorted(new))
