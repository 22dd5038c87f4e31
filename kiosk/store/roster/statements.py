"""The dozen statements that a message costs, compiled once and handed to the driver as text.

SQLAlchemy compiles them for either database; executing them through it would be most of the time
that a single message takes of the processor (measured), and a live feed commits single messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    Connection,
    Select,
    Table,
    bindparam,
    insert,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler

T = TypeVar("T")
Marks = list[BindParameter[Any]]
Listing = Callable[[Marks], Select[Any]]
"""A query for one of several values, which may name them more than once."""


LONGEST = 1024  # values in one IN


def _portions(values: Iterable[T]) -> Iterator[list[T]]:
    """Lists of 1, 2, 4 ... values, the last repeated to fill one: so that few statements serve."""
    rest = iter(values)
    while part := list(islice(rest, LONGEST)):
        yield part + part[-1:] * ((1 << (len(part) - 1).bit_length()) - len(part))


def run(connection: Connection, statement: Executable, **values: object) -> list[Any]:
    """Executes it with values for its parameters. What it returns, as the driver gives it."""
    text, order = _compiled(connection.dialect, statement)
    return _driven(connection, text, tuple([values[name] for name in order]))


def run_all(
    connection: Connection, statement: Executable, rows: Sequence[Mapping[str, object]]
) -> None:
    """`run` for each of the rows, nothing for none."""
    if rows:
        text, order = _compiled(connection.dialect, statement)
        _driven_all(connection, text, [tuple([row[name] for name in order]) for row in rows])


def among(
    connection: Connection, query: Listing, values: Iterable[object], **more: object
) -> Iterator[tuple[Any, ...]]:
    """The rows of `query` for these values, however many there are: a thousand at a time."""
    for part in _portions(values):
        text, order, given = _listed(connection.dialect, query, len(part))
        named = {**given, **more, **{f"v{n}": value for n, value in enumerate(part)}}
        yield from _driven(connection, text, tuple([named[name] for name in order]))


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Rows that all have the same columns."""
    if rows:
        run_all(connection, _insertion(table, tuple(rows[0])), rows)


def insert_tuples(connection: Connection, table: Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Rows with every column, in the table's order."""
    if rows:
        columns = tuple(column.name for column in table.columns)
        text, _ = _compiled(connection.dialect, _insertion(table, columns))
        _driven_all(connection, text, list(rows))


def _driven(connection: Connection, text: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    with _cursor(connection, text) as cursor:
        cursor.execute(text, values)
        return list(cursor.fetchall()) if cursor.description else []


def _driven_all(connection: Connection, text: str, values: list[tuple[object, ...]]) -> None:
    with _cursor(connection, text) as cursor:
        if len(values) == 1:
            cursor.execute(text, values[0])
        else:
            cursor.executemany(text, values)


@contextmanager
def _cursor(connection: Connection, text: str) -> Iterator[Any]:
    """The driver's own cursor, in the connection's transaction. Raises what SQLAlchemy would."""
    dbapi = connection.dialect.loaded_dbapi
    cursor = connection.connection.cursor()
    try:
        yield cursor
    except dbapi.Error as e:
        raise DBAPIError.instance(
            text, None, e, dbapi.Error, hide_parameters=True, dialect=connection.dialect
        ) from e
    finally:
        cursor.close()


@lru_cache(maxsize=64)
def _insertion(table: Table, columns: tuple[str, ...]) -> Executable:
    return insert(table).values({name: bindparam(name) for name in columns})


@lru_cache(maxsize=256)
def _compiled(dialect: Dialect, statement: Executable) -> tuple[str, tuple[str, ...]]:
    """A statement as text and the order of its parameters: both databases take them by place."""
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    assert isinstance(compiled, SQLCompiler)
    return str(compiled), tuple(compiled.positiontup or ())


@lru_cache(maxsize=256)
def _listed(
    dialect: Dialect, query: Listing, count: int
) -> tuple[str, tuple[str, ...], dict[str, object]]:
    """As `_compiled`, with the values that SQLAlchemy itself has put in (an OFFSET of 0)."""
    compiled = query([bindparam(f"v{n}") for n in range(count)]).compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    return str(compiled), tuple(compiled.positiontup or ()), dict(compiled.params)
