"""The two databases that rows can live in: SQLite on a kiosk of its own, PostgreSQL for a fleet.

Schema and queries are the same; what differs is here: how a connection is prepared, how a
transaction that writes begins, and what keeps an acknowledged row through a power loss.
"""

from __future__ import annotations

from types import ModuleType

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from kiosk.store.databases import postgresql, sqlite

BUSY_SECONDS = 5.0  # so long a transaction waits for another's; then it is told to come again

_KINDS: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgresql}


class UnknownDatabase(ValueError):
    """The address names no database that this program can use; the text says what to do."""


def engine(url: str, password: str) -> Engine:
    """An engine whose transactions begin as their `kiosk_begin` option says: "write" (the default)
    with the one write lock, "claim" without it where rows can be locked, "read" on one consistent
    snapshot. Raises UnknownDatabase."""
    try:
        parsed = make_url(url)
    except ArgumentError:  # its text may quote the address, and with it a password
        said = "database.url is no address: sqlite:///PATH or postgresql://USER@HOST/NAME."
        raise UnknownDatabase(said) from None
    kind = _KINDS.get(parsed.get_backend_name())
    if kind is None:
        raise UnknownDatabase("database.url names neither sqlite nor postgresql.")
    try:
        made: Engine = kind.engine(parsed, password, BUSY_SECONDS)
    except ModuleNotFoundError as e:
        raise UnknownDatabase("PostgreSQL needs the package psycopg: install kiosk[fleet].") from e
    return made


def reading(connection: Connection) -> Connection:
    """The connection, for one consistent snapshot that writes nothing."""
    options: dict[str, object] = _KINDS[connection.dialect.name].READ_OPTIONS
    return connection.execution_options(kiosk_begin="read", **options)


def problem(connection: Connection) -> str:
    """What is wrong with the database itself, "" when nothing is."""
    return str(_KINDS[connection.dialect.name].problem(connection))


def describe(connection: Connection) -> str:
    """Kind, place and durability, for people; no user, no password."""
    return str(_KINDS[connection.dialect.name].describe(connection))
