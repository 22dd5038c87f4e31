"""Opening the database and its transactions: SQLite on a kiosk, PostgreSQL for a fleet.

Every transaction that writes begins with the write lock (`BEGIN IMMEDIATE`), does no I/O inside,
and writes state, result and journal line together. `synchronous=FULL` because WAL with NORMAL
loses committed rows at power loss (measured: all of them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool, QueuePool

from kiosk.model.patient import LocalPatient
from kiosk.model.work import CaseState, DeliveryState, IntakeState
from kiosk.store.cases import Cases
from kiosk.store.deliveries import Deliveries
from kiosk.store.evidence import Decisions
from kiosk.store.intakes import Intakes
from kiosk.store.journal import Journal
from kiosk.store.outgoing import Commitments, Destinations
from kiosk.store.roster import Roster
from kiosk.store.tables import mark

Clock = Callable[[], datetime]
KeysOf = Callable[[LocalPatient], frozenset[str]]

BUSY_SECONDS = 5.0
FULL = 2  # SQLite's number for synchronous=FULL
ENDED_WELL = {DeliveryState.COMMITTED, DeliveryState.NOTIFIED}
ENDED = {CaseState.DONE, CaseState.REJECTED}


class StoreUnusable(RuntimeError):
    """The database cannot be used; the text says why and what to do."""


class DatabaseBusy(StoreUnusable):
    """The database did not take it now: locked by another, full, or away. Nothing was written."""


@contextmanager
def _busy() -> Iterator[None]:
    try:
        yield
    except OperationalError as e:
        # Without its cause's text: that would quote the statement.
        raise DatabaseBusy("The database cannot take this now. Nothing was written.") from e


class Transaction:
    """What can be done to the rows, aggregate by aggregate, inside one transaction."""

    def __init__(self, connection: Connection, store: Store) -> None:
        self.connection = connection
        self.journal = Journal(connection, store.now)
        self.intakes = Intakes(connection, self.journal, store.now)
        self.cases = Cases(connection, self.journal, store.now)
        self.deliveries = Deliveries(connection, self.journal, store.now)
        self.destinations = Destinations(connection, self.journal, store.now)
        self.commitments = Commitments(connection, self.journal, store.now)
        self.roster = Roster(connection, store.keys_of, store.name_keys_of, store.now)
        self.decisions = Decisions(connection, self.journal, store.now, self._survivor)

    def _survivor(self, key: str) -> str:
        local = self.roster.get(key)
        while local is not None and local.merged_into:
            key = local.merged_into
            local = self.roster.get(key)
        return key

    def mark(self, station: str, name: str) -> int:
        """How far the reader of that name has come, 0 at first."""
        where = (mark.c.station == station) & (mark.c.name == name)
        return int(self.connection.execute(select(mark.c.value).where(where)).scalar() or 0)

    def set_mark(self, station: str, name: str, value: int) -> None:
        where = (mark.c.station == station) & (mark.c.name == name)
        change = update(mark).where(where).values(value=value)
        if self.connection.execute(change).rowcount == 0:
            row = {"station": station, "name": name, "value": value}
            self.connection.execute(mark.insert().values(row))

    def end_case(self, case_id: int) -> None:
        """After a delivery or a decision: the case is DONE when all of its deliveries ended well,
        its intake CLOSED when all of its cases ended."""
        case = self.cases.get(case_id)
        states = {each.state for each in self.deliveries.of_case(case_id)}
        if case.state is CaseState.RELEASED and states <= ENDED_WELL:
            self.cases.done(case_id)
        ended = {each.state for each in self.cases.of_intake(case.intake)}
        intake = self.intakes.get(case.intake)
        if intake.state is IntakeState.CATALOGED and ended <= ENDED:
            self.intakes.close(intake.id)


class Store:
    def __init__(self, engine: Engine, now: Clock, keys_of: KeysOf, name_keys_of: KeysOf) -> None:
        self.engine = engine
        self.now = now
        self.keys_of = keys_of
        self.name_keys_of = name_keys_of

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """A transaction that may write: committed at the end of the block, or rolled back."""
        with _busy(), self.engine.begin() as connection:
            yield Transaction(connection, self)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """One consistent snapshot, without the write lock."""
        with _busy(), self.engine.connect() as connection:
            connection = connection.execution_options(kiosk_read=True)
            with connection.begin():
                yield Transaction(connection, self)

    def problem(self) -> str:
        """What is wrong with the database itself, "" when nothing is. Looks, changes nothing."""
        if self.engine.dialect.name != "sqlite":
            return ""
        with self.engine.connect() as connection:
            said = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
            mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
            level = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        if said != "ok":
            return "The database file is damaged."
        if mode != "wal" or level != FULL:
            return "The database does not keep what was acknowledged through a power loss."
        return ""

    def describe(self) -> str:
        """Kind and durability, for people."""
        if self.engine.dialect.name == "sqlite":
            return "SQLite, write-ahead log, synchronous FULL"
        return self.engine.dialect.name

    def close(self) -> None:
        self.engine.dispose()


def utc_now() -> datetime:
    return datetime.now(UTC)


def open(
    url: str,
    *,
    keys_of: KeysOf,
    name_keys_of: KeysOf,
    now: Clock = utc_now,
) -> Store:
    """The store at `url`, migrated to this program's schema. Raises StoreUnusable when it cannot
    be reached, is corrupt, or belongs to a newer program."""
    engine = _engine(url)
    try:
        _upgrade(engine)
    except (OperationalError, DBAPIError) as e:
        engine.dispose()
        raise StoreUnusable(
            f"The database cannot be used ({type(e.orig).__name__}: {e.orig}). "
            "No scan was read or lost. Check the path, its disk and its permissions."
        ) from e
    return Store(engine, now, keys_of, name_keys_of)


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    # Threads of the engine each hold their own connection; nothing is shared across a fork.
    engine = create_engine(
        parsed,
        hide_parameters=True,
        poolclass=QueuePool if parsed.database else NullPool,
        pool_size=16,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we begin ourselves: sqlite3 would begin too late
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("kiosk_read", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _alembic(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _upgrade(engine: Engine) -> None:
    script = ScriptDirectory.from_config(_alembic())
    with engine.begin() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current == script.get_current_head():
            return
        known = {revision.revision for revision in script.walk_revisions()}
        if current is not None and current not in known:
            raise StoreUnusable(
                "The database belongs to a newer version of this program. Nothing was changed. "
                "Install that version, or restore the backup made before the upgrade."
            )
        command.upgrade(_alembic(connection), "head")
