"""PostgreSQL: the fleet's one database, over psycopg.

A transaction that writes takes one advisory lock first, as SQLite's `BEGIN IMMEDIATE` does: what
it reads stays true until it commits, and the journal's chain has one writer. One that only claims
rows takes none: hundreds of stations look for work at the same time (`FOR UPDATE SKIP LOCKED`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

READ_OPTIONS: dict[str, object] = {
    "isolation_level": "REPEATABLE READ",
    "postgresql_readonly": True,
}
WRITE_LOCK = 19020561  # any number that no other program on this database locks


def engine(url: URL, password: str, busy_seconds: float) -> Engine:
    """Connects only when it is used. Raises ModuleNotFoundError without psycopg."""
    address = url.set(drivername="postgresql+psycopg")
    made = create_engine(
        address.set(password=password) if password else address,
        paramstyle="format",  # by place, as SQLite's
        pool_pre_ping=True,
        pool_timeout=busy_seconds,
        hide_parameters=True,
        connect_args={
            "application_name": "kiosk",
            "connect_timeout": int(busy_seconds),
            # A server whose machine is gone answers nothing: without this a commit waits for hours.
            "tcp_user_timeout": int(busy_seconds * 2000),
            "options": f"-c lock_timeout={int(busy_seconds * 1000)} -c timezone=UTC",
        },
    )
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin)
    return made


def _prepare(connection: Any, _record: object) -> None:
    """PostgreSQL's text has no NUL, SQLite's has: what a hostile disc or peer states with one is
    kept with a replacement character, and compared so."""
    from psycopg.types.string import StrDumper  # only where there is a PostgreSQL to talk to

    class WithoutNul(StrDumper):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd"))

    connection.adapters.register_dumper(str, WithoutNul)


def _begin(connection: Connection) -> None:
    kind = connection.get_execution_options().get("kiosk_begin", "write")
    if kind == "write":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")
    elif kind == "claim":  # a lease that a power loss takes is free again, as it should be
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")


def problem(connection: Connection) -> str:
    if _shown(connection, "server_encoding") != "UTF8":
        return "The database cannot hold every name: its encoding is not UTF8."
    if _shown(connection, "fsync") != "on" or _shown(connection, "synchronous_commit") == "off":
        return "The database does not keep what was acknowledged through a power loss."
    if connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar():
        return "The database is a standby that takes nothing: connect to the primary."
    return ""


def describe(connection: Connection) -> str:
    version = _shown(connection, "server_version").split()[0]
    url = connection.engine.url
    host = url.host or str(url.query.get("host", "a local socket"))
    commit = _shown(connection, "synchronous_commit")
    return f"PostgreSQL {version}, {url.database} at {host}, synchronous_commit {commit}"


def _shown(connection: Connection, setting: str) -> str:
    return str(connection.exec_driver_sql(f"SHOW {setting}").scalar())
