"""The dozen statements that a message costs, compiled once and handed to the driver as text.

SQLAlchemy compiles them for either database; going through it for each execution would be most of
what a single message costs (measured), and a live feed commits single messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    Connection,
    CursorResult,
    Select,
    Table,
    bindparam,
    insert,
)
from sqlalchemy.engine import Dialect
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


def run(connection: Connection, statement: Executable, **values: object) -> CursorResult[Any]:
    """Executes it with values for its parameters. Rows are as the driver gives them."""
    text, order = _compiled(connection.dialect, statement)
    return connection.exec_driver_sql(text, tuple(values[name] for name in order))


def run_all(
    connection: Connection, statement: Executable, rows: Sequence[Mapping[str, object]]
) -> None:
    """`run` for each of the rows, nothing for none."""
    if rows:
        text, order = _compiled(connection.dialect, statement)
        connection.exec_driver_sql(text, [tuple(row[name] for name in order) for row in rows])


def among(
    connection: Connection, query: Listing, values: Iterable[object], **more: object
) -> Iterator[Any]:
    """The rows of `query` for these values, however many there are: a thousand at a time."""
    for part in _portions(values):
        text, order, given = _listed(connection.dialect, query, len(part))
        named = {**given, **more, **{f"v{n}": value for n, value in enumerate(part)}}
        yield from connection.exec_driver_sql(text, tuple(named[name] for name in order))


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Rows that all have the same columns."""
    if rows:
        run_all(connection, _insertion(table, tuple(rows[0])), rows)


def insert_tuples(connection: Connection, table: Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Rows with every column, in the table's order."""
    if rows:
        columns = tuple(column.name for column in table.columns)
        text, _ = _compiled(connection.dialect, _insertion(table, columns))
        connection.exec_driver_sql(text, list(rows))


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
