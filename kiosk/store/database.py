"""Opening the database and its transactions: SQLite on a kiosk, PostgreSQL for a fleet.

Every transaction that writes begins with the write lock, does no I/O inside, and writes state,
result and journal line together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kiosk.model.delivery import StepStatus
from kiosk.model.patient import Identifier, LocalPatient
from kiosk.model.work import Case, CaseState, DeliveryState, IntakeState
from kiosk.store import databases
from kiosk.store.cases import Cases
from kiosk.store.choosing import Choices, Pictures
from kiosk.store.deliveries import Deliveries
from kiosk.store.evidence import Decisions, Sources
from kiosk.store.intakes import Intakes
from kiosk.store.journal import Journal
from kiosk.store.outgoing import Commitments, Destinations, Images, Recalls, Steps, Withholding
from kiosk.store.people import People, Tries
from kiosk.store.reporting import Reports
from kiosk.store.roster import Roster
from kiosk.store.tables import mark

log = logging.getLogger("kiosk.store")

Clock = Callable[[], datetime]
KeysOf = Callable[[LocalPatient], frozenset[str]]

RECALLED_TOO = "A study of it was also brought in with {ticket}, and that import was recalled."
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
    except (OperationalError, InternalError, PoolTimeout) as e:  # InternalError: a standby's
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
        self.images = Images(connection)
        self.choices = Choices(connection, self.journal, store.now)
        self.pictures = Pictures(connection, self.journal, store.now)
        self.recalls = Recalls(connection, self.journal, store.now)
        self.steps = Steps(connection, self.journal, store.now)
        self.withholding = Withholding(connection, self.journal, store.now)
        self.roster = Roster(connection, store.keys_of, store.name_keys_of, store.now)
        self.decisions = Decisions(connection, self.journal, store.now, self._survivor)
        self.sources = Sources(connection, self.journal, store.now)
        self.people = People(connection, self.journal, store.now)
        self.tries = Tries(connection)
        self.reports = Reports(connection)

    def _survivor(self, key: str) -> str:
        """Of a patient whom only another register knew: the record that has the number since."""
        named = key.startswith("?")
        local = self.roster.resolve(Identifier.parse(key[1:])) if named else self.roster.get(key)
        key = local.key if local else key
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
        """After a delivery or a decision: the case is DONE when all of its deliveries ended well
        and no study of it waits, its intake CLOSED when all of its cases ended."""
        case = self.cases.get(case_id)
        states = {each.state for each in self.deliveries.of_case(case_id)}
        over = states <= ENDED_WELL and self.choices.ended(case_id)
        if case.state is CaseState.RELEASED and over:
            self.cases.done(case_id)
            self.steps.end(case_id, StepStatus.COMPLETED)
        intake = self.intakes.get(case.intake)
        ended = all(map(self._ended, self.cases.of_intake(case.intake)))
        if intake.state is IntakeState.CATALOGED and ended:
            self.intakes.close(intake.id)

    def _ended(self, case: Case) -> bool:
        """A study of a DONE case that is wanted after all keeps its bytes until it is decided."""
        wanted = case.state is CaseState.DONE and not self.choices.ended(case.id)
        return case.state in ENDED and not wanted

    def more_of(self, case_id: int) -> None:
        """Another study of a case that went out goes out: it has not ended yet."""
        if self.choices.go_on(case_id):
            self.intakes.reopen(self.cases.get(case_id).intake)

    def changed_after_release(self, case: Case, before: str, after: str, withheld: str) -> None:
        """The registration that a RELEASED or DONE case rests on is another by now. Where nothing
        is out the decision is taken anew, for the reason `before`; else nothing more goes out, as
        `withheld` says, and a person looks, for the reason `after`."""
        if case.state is CaseState.RELEASED and self.withholding.nothing_is_out(case.id):
            self.withholding.take_back(case.id)
            self.steps.end(case.id, StepStatus.DISCONTINUED)
            self.cases.back_to_matching(case.id, "engine", before)
            return
        self.withholding.withhold(case.id, withheld)
        self.cases.flag(case.id, after)

    def recall(self, case: Case, code: str, actor: str, data: dict[str, object]) -> None:
        """Takes a case back that went out wrong: nothing more of it is sent, what may have arrived
        is withdrawn, and once that is proved the case is decided anew. Raises IllegalMove."""
        sent = self.deliveries.of_case(case.id)
        self.recalls.begin(case, sent, code)
        data = data | {"code": code, "studies": sorted({d.study_instance_uid for d in sent})}
        self.recalls.recorded(case, actor, data)
        for other in self.recalls.sharing(case.id):
            ticket = self.intakes.get(case.intake).ticket
            self.cases.flag(other, RECALLED_TOO.format(ticket=ticket))
        self.steps.end(case.id, StepStatus.DISCONTINUED)
        self.intakes.reopen(case.intake)
        self.end_recall(case.id)

    def end_recall(self, case_id: int) -> None:
        """After a withdrawal is over."""
        self.recalls.end(case_id)
        self.end_case(case_id)


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
    def claiming(self) -> Iterator[Transaction]:
        """A transaction that claims a row or keeps its lease, and writes nothing else: it waits
        for no other writer where the database can lock rows."""
        with _busy(), self.engine.connect() as connection:
            connection = connection.execution_options(kiosk_begin="claim")
            with connection.begin():
                yield Transaction(connection, self)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """One consistent snapshot, without the write lock."""
        with _busy(), self.engine.connect() as connection:
            connection = databases.reading(connection)
            with connection.begin():
                yield Transaction(connection, self)

    def problem(self) -> str:
        """What is wrong with the database itself, "" when nothing is. Looks, changes nothing."""
        with self.read() as tx:
            return databases.problem(tx.connection)

    def describe(self) -> str:
        """Kind, place and durability, for people."""
        with self.read() as tx:
            return databases.describe(tx.connection)

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
    password: str = "",
) -> Store:
    """The store at `url`, migrated to this program's schema. `password` is PostgreSQL's, when the
    address has none. Raises StoreUnusable when it cannot be reached, is corrupt, or belongs to a
    newer program."""
    try:
        engine = databases.engine(url, password)
    except databases.UnknownDatabase as e:
        raise StoreUnusable(str(e)) from e
    with ExitStack() as undo:
        undo.callback(engine.dispose)
        try:
            _upgrade(engine)
        except DBAPIError as e:
            reason = " ".join(str(e.orig).split())
            raise StoreUnusable(
                f"The database cannot be used ({type(e.orig).__name__}: {reason}). No scan was "
                "read or lost. Check that it runs, its address, disk and permissions."
            ) from e
        store = Store(engine, now, keys_of, name_keys_of)
        while _index_some(store):
            pass
        undo.pop_all()
    return store


_SCHEME, _WANTED, _REACHED = "roster index", "roster index wanted", "roster index reached"


def _index_some(store: Store) -> bool:
    """Where records are indexed under other keys than this program looks for: indexes some of them
    anew, and says whether to go on. Each part is kept, whatever ends the program in between."""
    with store.read() as tx:
        scheme = tx.roster.scheme()
        if tx.mark("", _SCHEME) == scheme:
            return False
    with store.begin() as tx:
        if tx.mark("", _WANTED) != scheme:
            if tx.roster.size():
                log.info("The list of patients is indexed anew. This may take minutes.")
            tx.roster.forget_index()
            tx.set_mark("", _WANTED, scheme)
            tx.set_mark("", _REACHED, 0)
        last = tx.roster.index_after(tx.mark("", _REACHED))
        tx.set_mark("", _SCHEME if not last else _REACHED, last or scheme)
    return bool(last)


def _alembic(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _upgrade(engine: Engine) -> None:
    with engine.connect() as connection, databases.reading(connection).begin():
        if _is_current(connection):
            return
    with engine.begin() as connection:
        if not _is_current(connection):  # another program may have been first
            command.upgrade(_alembic(connection), "head")


def knows(revision: str) -> bool:
    """Whether this program knows a schema of that revision: it, or one that it can bring on."""
    script = ScriptDirectory.from_config(_alembic())
    return revision in {known.revision for known in script.walk_revisions()}


def _is_current(connection: Connection) -> bool:
    script = ScriptDirectory.from_config(_alembic())
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and not knows(current):
        raise StoreUnusable(
            "The database belongs to a newer version of this program. Nothing was changed. "
            "Install that version, or restore the backup made before the upgrade."
        )
    return current == script.get_current_head()
