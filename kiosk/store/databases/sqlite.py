"""SQLite: one file, one writer at a time, durable at each commit but a claim's.

`synchronous=FULL` because WAL with NORMAL loses committed rows at power loss (measured: all).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool, QueuePool

READ_OPTIONS: dict[str, object] = {}
_FULL = 2  # SQLite's number for synchronous=FULL


def engine(url: URL, _password: str, busy_seconds: float) -> Engine:
    """Makes the file's folder when it is not there."""
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    # Threads of the engine each hold their own connection; nothing is shared across a fork.
    made = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool if url.database else NullPool,
        pool_size=16,
    )

    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we begin ourselves: sqlite3 would begin too late
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={int(busy_seconds * 1000)}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    event.listen(made, "connect", prepare)
    event.listen(made, "begin", _begin)
    return made


def _begin(connection: Connection) -> None:
    kind = connection.get_execution_options().get("kiosk_begin", "write")
    # A lease that a power loss takes is free again, as it should be; and whatever is written after
    # the claim takes it to the disk too, as the log has one order.
    level = "NORMAL" if kind == "claim" else "FULL"
    connection.exec_driver_sql(f"PRAGMA synchronous={level}")
    connection.exec_driver_sql("BEGIN" if kind == "read" else "BEGIN IMMEDIATE")


def problem(connection: Connection) -> str:
    said = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
    level = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    if said != "ok":
        return "The database file is damaged."
    if mode != "wal" or level != _FULL:
        return "The database does not keep what was acknowledged through a power loss."
    return ""


def describe(_connection: Connection) -> str:
    return "SQLite, write-ahead log, synchronous FULL"
