"""A real store with a clock that the test moves: every test on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk import store as rooms
from kiosk.model.content import Instance, Series, StatedPatient, Study
from kiosk.model.medium import Medium, MediumKind
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.store.tables import METADATA
from tests.peers.postgresql import PostgreSQL, postgresql


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgreSQL]:
    """A PostgreSQL server of the tests' own."""
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def shared(cluster: PostgreSQL) -> Iterator[Callable[[], str]]:
    """Gives one PostgreSQL database with the schema, as empty as when it was made: a database for
    each test costs a second."""
    with cluster.database() as url:
        nobody = {"keys_of": lambda _: frozenset(), "name_keys_of": lambda _: frozenset()}
        made = rooms.open(url, **nobody)
        with made.read() as tx:
            head = tx.connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        tables = ", ".join(f'"{name}"' for name in METADATA.tables)

        def empty() -> str:
            with made.begin() as tx:
                tx.connection.exec_driver_sql(f"TRUNCATE {tables} RESTART IDENTITY")
                tx.connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{head}'")
            return url

        yield empty
        made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that nobody has written to."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'kiosk.db'}"
    return str(request.getfixturevalue("shared")())


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[rooms.Store]:
    opened = rooms.open(
        url,
        keys_of=lambda _: frozenset(),
        name_keys_of=lambda _: frozenset(),
        now=clock,
    )
    yield opened
    opened.close()


MEDIUM = Medium(MediumKind.IMAGE, "/media/disc.iso", "DISC", "iso9660", fingerprint="sha256:1")


def patient(*uids: str) -> StatedPatient:
    """A patient with one study of one series; an instance for each UID."""
    instances = tuple(
        Instance(uid, "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", n, f"IM{n}", 100, uid)
        for n, uid in enumerate(uids)
    )
    study = Study("1.2.3", series=(Series("1.2.3.4", "CT", instances=instances),))
    stated = PatientIdentity((Identifier("A99"),), (PersonName("DOE", "JANE"),), "19620314", "F")
    return StatedPatient(stated, (study,))
