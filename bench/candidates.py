"""How long the candidates of one decision take: `python -m bench.candidates [RECORDS [DISCS]]`.

A made-up town (bench/population) is registered in SQLite through the ADT parser and copied row by
row to PostgreSQL; then the same discs are looked up in both as the engine does it, the counts of
their names included. By kind of disc: one without a birth date or with a common name shares keys
with more people. 100,000 records without arguments.

On SQLite, 1,015,000 records (145,000 of the town's, seven times over), 400 discs, two cores that
were busy with other things: candidates p50 2.9 ms, p99 28.5 ms; counts of their names p50 19.8 ms,
p99 87.1 ms; of the processor for both 7.5 ms and 23.5 ms. The counts are what is over the goal of
20 ms for a whole decision: they are taken row by row. Not measured yet: a million on PostgreSQL.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, select

from bench.matching import stated
from bench.population import Disc, Town, registration
from kiosk import identity, store
from kiosk.cli.adt import Feed
from kiosk.engine.casework import candidates
from kiosk.policy.sections import Adt
from kiosk.store import Store
from kiosk.store.roster import rows as tables
from tests.peers.postgresql import postgresql

RECORDS, DISCS, SEED, GROUP = 100_000, 2000, 5, 1000
COPIED = (tables.patient, tables.key, tables.word, tables.identifier, tables.authority)
PORTION = 50_000


def main() -> int:
    given = [int(a) for a in sys.argv[1:]]
    records, count = (*given, *(RECORDS, DISCS)[len(given) :])
    town = Town(records, SEED)
    discs = list(town.discs(count))
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as name:
        url = f"sqlite:///{Path(name) / 'bench.db'}"
        took = _registered(url, town)
        print(f"{records} registered at {records / took:.0f} a second of processor", flush=True)
        _report("SQLite", url, discs)
        with _on_postgresql(url) as copied:
            _report("PostgreSQL", copied, discs)
    return 0


def _registered(url: str, town: Town) -> float:
    rows, began = _opened(url), time.process_time()
    feed, made = Feed(rows, Adt()), 0.0
    for start in range(0, len(town.records), GROUP):
        part = enumerate(town.records[start : start + GROUP], start)
        before = time.process_time()
        messages = [registration(mrn, person, number) for number, (mrn, _, person) in part]
        made += time.process_time() - before
        feed.apply(messages)
    rows.close()
    return time.process_time() - began - made


@contextmanager
def _on_postgresql(source: str) -> Iterator[str]:
    with postgresql(durable=True) as server, server.database() as url:
        _opened(url).close()
        theirs = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        _copy(create_engine(source), theirs)
        theirs.dispose()
        yield url


def _copy(source: Engine, target: Engine) -> None:
    with source.connect() as old, target.connect() as new:
        for table in COPIED:
            _copy_table(old, new, table.name, [c.name for c in table.columns])
        state = dict(old.execute(select(tables.state)).mappings().one())
        new.execute(tables.state.insert().values(state))
        new.commit()
        new.exec_driver_sql("ANALYZE")
        new.commit()


def _copy_table(old: Connection, new: Connection, name: str, columns: Sequence[str]) -> None:
    listed = ", ".join(columns)
    with old.exec_driver_sql(f"SELECT {listed} FROM {name}") as found:
        driver = new.connection.driver_connection
        assert driver is not None
        with driver.cursor() as cursor, cursor.copy(f"COPY {name} ({listed}) FROM STDIN") as copy:
            for part in found.partitions(PORTION):
                for row in part:
                    copy.write_row(tuple(row))


def _report(name: str, url: str, discs: Sequence[Disc]) -> None:
    rows = _opened(url)
    took: dict[str, list[float]] = {"all": [], "without a birth date": []}
    for disc in discs:
        who = stated(disc)
        began = time.perf_counter()
        with rows.read() as tx:
            candidates(tx, who, None)
        seconds = time.perf_counter() - began
        took["all"].append(seconds)
        if not who.birth_date:
            took["without a birth date"].append(seconds)
    rows.close()
    for kind, seconds in took.items():
        print(f"{name}, {len(seconds)} discs, {kind}: {_times(seconds)}", flush=True)


def _times(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return "too few"
    cuts = statistics.quantiles(seconds, n=100)
    return (
        f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms, "
        f"at most {max(seconds) * 1000:.0f} ms"
    )


def _opened(url: str) -> Store:
    return store.open(url, keys_of=identity.keys_of, name_keys_of=identity.name_keys_of)


if __name__ == "__main__":
    raise SystemExit(main())
