"""What holds on both databases alike, and what a fleet's PostgreSQL adds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from kiosk import store as rooms
from kiosk.model.content import Catalog, Finding, Instance, InstanceStatus, Ledger, Severity
from kiosk.model.medium import ReadReport
from kiosk.model.patient import Identifier
from kiosk.model.work import Event, IntakeState
from kiosk.store import DatabaseBusy, Store, StoreUnusable
from tests.peers import free_port
from tests.peers.postgresql import PASSWORD, PostgreSQL
from tests.station import until
from tests.store.conftest import MEDIUM, patient

HERE = "kiosk-1"


def open_store(url: str, password: str = "") -> Store:
    keys = {"keys_of": lambda _: frozenset(), "name_keys_of": lambda _: frozenset()}
    return rooms.open(url, password=password, **keys)


@pytest.fixture
def fleet(shared: Callable[[], str]) -> Iterator[Store]:
    opened = open_store(shared())
    yield opened
    opened.close()


# -- both ----------------------------------------------------------------------------------------


def test_a_second_writer_waits_and_is_then_told_to_come_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.store.databases.BUSY_SECONDS", 0.05)
    one, other = open_store(url), open_store(url)
    with one.begin() as tx:
        tx.intakes.create(MEDIUM, HERE)
        with pytest.raises(DatabaseBusy, match="Nothing was written"), other.begin():
            pass
    with other.begin() as tx:
        tx.intakes.create(MEDIUM, HERE)
    with one.read() as tx:
        assert len(tx.intakes.recent()) == 2
    one.close()
    other.close()


def test_a_reader_sees_one_moment_and_holds_up_no_writer(store: Store) -> None:
    with store.read() as reader:
        before = reader.journal.last_id()
        with store.begin() as tx:
            tx.intakes.create(MEDIUM, HERE)
        assert reader.journal.last_id() == before
    with store.read() as reader:
        assert reader.journal.last_id() == before + 1


def test_writers_at_the_same_time_leave_one_unbroken_chain(store: Store) -> None:
    def write() -> None:
        for _ in range(20):
            with store.begin() as tx:
                tx.journal.write(Event("bench.line", actor="a"))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as tx:
        assert tx.journal.first_broken() is None
        assert tx.journal.last_id() == 80


def test_what_a_hostile_disc_states_is_kept_as_it_is(store: Store) -> None:
    """PostgreSQL enforces lengths and ranges that SQLite does not: the schema promises neither."""
    hostile = Instance(
        "1." * 60, "2" * 200, "", 1, "A\\" * 500, 2**33, "f" * 64, InstanceStatus.DAMAGED,
        number="9" * 300, rows=2**31, columns=2**32, frames=2**40,
    )  # fmt: skip
    stated = patient("1.1")
    study = stated.studies[0]
    series = replace(study.series[0], series_instance_uid="7." * 50, instances=(hostile,))
    study = replace(study, study_instance_uid="6." * 70, series=(series,))
    stated = replace(stated, studies=(study,))
    finding = Finding("x", Severity.ERROR, where="P" * 5000, detail="\u202e" * 3000)
    with store.begin() as tx:
        id = tx.intakes.create(MEDIUM, HERE).id
        _, held = tx.intakes.claim(IntakeState.RECEIVED, HERE, 60)
        tx.intakes.read(held, ReadReport(MEDIUM, files=1, directories=1, bytes=2**40))
        _, held = tx.intakes.claim(IntakeState.READ, HERE, 60)
        tx.intakes.cataloged(held, Catalog((stated,), Ledger(files=1), findings=(finding,)))
        case = tx.cases.open(id, stated)
    with store.read() as tx:
        assert tx.cases.patient(tx.cases.get(case)) == stated
        assert tx.intakes.findings(id) == (finding,)


def test_a_nul_in_a_text_is_no_defect(store: Store) -> None:
    finding = Finding("x", Severity.WARNING, where="A\0B")
    with store.begin() as tx:
        id = tx.intakes.create(MEDIUM, HERE, operator="a\0b").id
        tx.intakes.add_findings(id, (finding,))
    with store.read() as tx:
        assert tx.intakes.findings(id)[0].where in ("A\0B", "A\ufffdB")
        assert tx.roster.resolve(Identifier("1\0", "M")) is None
        assert tx.roster.search("SM\0TH") == ()


def keeps(tx: rooms.Transaction) -> bool:
    """Whether what this transaction commits outlives a power loss by itself."""
    if tx.connection.dialect.name == "sqlite":
        return tx.connection.execute(text("PRAGMA synchronous")).scalar() == 2
    return tx.connection.execute(text("SHOW synchronous_commit")).scalar() == "on"


def test_only_a_claim_waits_for_no_disk(store: Store) -> None:
    """A lease that a power loss takes is free again; the connection is another's afterwards."""
    with store.claiming() as tx:
        assert not keeps(tx)
    with store.begin() as tx:
        assert keeps(tx)
    with store.read() as tx:
        assert keeps(tx)


# -- PostgreSQL ----------------------------------------------------------------------------------


def test_workers_claim_different_rows_without_waiting_for_each_other(fleet: Store) -> None:
    with fleet.begin() as tx:
        ids = [tx.intakes.create(MEDIUM, HERE).id for _ in range(2)]
    claimed = []
    with fleet.claiming() as one, fleet.claiming() as two, fleet.claiming() as three:
        for tx in (one, two):
            found = tx.intakes.claim(IntakeState.RECEIVED, HERE, 60)
            assert found
            claimed.append(found[0].id)
        assert three.intakes.claim(IntakeState.RECEIVED, HERE, 60) is None
    assert claimed == ids


def test_looking_for_work_waits_for_no_writer(fleet: Store) -> None:
    with fleet.begin() as writer:
        writer.journal.write(Event("bench.line", actor="a"))
        with fleet.claiming() as tx:
            assert tx.intakes.claim(IntakeState.RECEIVED, HERE, 60) is None


def test_a_connection_that_is_cut_costs_its_transaction_and_no_more(
    fleet: Store, cluster: PostgreSQL
) -> None:
    mine = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='kiosk'"

    def cut() -> None:
        with fleet.begin() as tx:
            tx.intakes.create(MEDIUM, HERE)
            cluster.sql(mine)
            tx.intakes.create(MEDIUM, HERE)

    with pytest.raises(DatabaseBusy):
        cut()
    with fleet.begin() as tx:
        tx.intakes.create(MEDIUM, HERE)
    with fleet.read() as tx:
        assert len(tx.intakes.recent()) == 1


def test_a_standby_takes_nothing_and_says_so_as_a_busy_database_does(
    fleet: Store,
) -> None:
    def write() -> None:
        with fleet.begin() as tx:
            tx.connection.execute(text("SET TRANSACTION READ ONLY"))
            tx.intakes.create(MEDIUM, HERE)

    with pytest.raises(DatabaseBusy):
        write()


def test_programs_that_start_together_make_the_schema_once(cluster: PostgreSQL) -> None:
    with cluster.database() as url:
        opened: list[Store] = []
        threads = [
            threading.Thread(target=lambda: opened.append(open_store(url))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(opened) == 3
        for each in opened:
            each.close()


def test_a_server_that_does_not_sync_is_found_out(fleet: Store, cluster: PostgreSQL) -> None:
    assert "power loss" in fleet.problem()
    for change, sync in (("SET fsync = on", "on"), ("RESET fsync", "off")):
        cluster.sql(f"ALTER SYSTEM {change}")
        cluster.sql("SELECT pg_reload_conf()")
        until(lambda sync=sync: cluster.sql("SHOW fsync") == sync, "the setting")
        if sync == "on":
            assert fleet.problem() == ""
    assert fleet.describe().startswith("PostgreSQL 1")


def test_the_password_comes_apart_from_the_address_and_is_never_said(
    cluster: PostgreSQL,
) -> None:
    with cluster.database() as url:
        name = url.partition("@/")[2].partition("?")[0]
        address = f"postgresql://kiosk@{cluster.host}:{cluster.port}/{name}"
        opened = open_store(address, PASSWORD)
        said = opened.describe()
        opened.close()
        with pytest.raises(StoreUnusable) as refused:
            open_store(address, "guessed wrongly")
        with pytest.raises(StoreUnusable) as absent:
            open_store(f"postgresql://kiosk@{cluster.host}:{free_port()}/{name}", PASSWORD)
    for text_ in (said, str(refused.value), str(absent.value)):
        assert PASSWORD not in text_
        assert "guessed wrongly" not in text_


@pytest.mark.parametrize("url", ["nonsense", "mysql://kiosk:hush@db/kiosk", "postgresql:/hush"])
def test_an_address_that_names_no_database_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(StoreUnusable, match=r"database\.url") as refused:
        open_store(url)
    assert "hush" not in str(refused.value)


def test_sqlite_says_how_it_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    opened = open_store(f"sqlite:///{tmp_path / 'kiosk.db'}")
    assert opened.problem() == ""
    assert opened.describe() == "SQLite, write-ahead log, synchronous FULL"
    opened.close()
