"""How fast registrations become rows, and how fast rows become candidates; in one run, interleaved.
Only the ratios mean anything on another machine: a commit lasts as long as its disk takes.

    python -m bench.adt [patients, default 10000] [single messages, default 200]

* grouped: 1,000 messages to a commit, as `kiosk adt load` does; single: one commit each; live: 16
  senders over MLLP that each wait for their acknowledgement. All are durable before they are
  acknowledged (SQLite: WAL, synchronous FULL; PostgreSQL: fsync, synchronous_commit).
* bare: the same messages as they are, inserted into one table of SQLite with the same durability
  and the same commits: what no receiver can beat. A ratio is ours by bare, of the clock and of the
  processor; the median of the rounds' own.
* parsing: our time a message by hl7apy's.
* candidates: the query that a decision asks, the names' frequencies included, for people of whom
  one letter is wrong.
"""

from __future__ import annotations

import gc
import random
import socket
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hl7apy.parser import parse_message

from kiosk import adt, identity, store
from kiosk.adt.mllp import wrap
from kiosk.cli.adt import GARBAGE, Feed
from kiosk.model.patient import PatientIdentity, PersonName
from kiosk.model.registration import RegistrationEvent
from kiosk.policy.sections import Adt
from kiosk.store import Store
from tests.peers.postgresql import postgresql

SETTINGS = Adt().model_copy(update={"port": 0})
GROUP = 1000
ROUNDS = 3
SENDERS = 16
QUERIES = 500
PARTS = "AL AN BAR BER COR DAN DEL DEN EL ER FER GAR HEN IN KA LE MA MON NER O RI SA SON TA".split()


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float


def messages(count: int, seed: int = 1) -> list[bytes]:
    """A28 of `count` people: family names as unevenly common as real ones, some former names."""
    chance = random.Random(seed)
    families = ["".join(chance.choices(PARTS, k=chance.randint(2, 4))) for _ in range(4000)]
    givens = ["".join(chance.choices(PARTS, k=2)) for _ in range(300)]
    made = []
    for number in range(count):
        family = families[int(len(families) * chance.random() ** 2)]
        given, middle = chance.choices(givens, k=2)
        former = f"~{chance.choice(families)}^{given}^^^^^M" if chance.random() < 0.1 else ""
        born = f"{chance.randint(1930, 2020)}{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}"
        made.append(
            f"MSH|^~\\&|EPIC|MERCY|KIOSK|MERCY|20260101120000||ADT^A28^ADT_A05|{number}|P|2.5.1\r"
            "EVN|A28|20260101120000\r"
            f"PID|1||{number}^^^MERCY&1.2.826.0.1.99.1&ISO^MR||{family}^{given}^{middle}^^^^L{former}"
            f"||{born}|{chance.choice('MF')}|||{number % 997} {family} ST^^TOWN^TX^77001^USA^H"
            f"||713{number:07d}|||||||||||N||||||N\rPV1|1|O\r".encode()
        )
    return made


def cost(work: Callable[[], None]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def bare(folder: Path, raw: Sequence[bytes], group: int) -> None:
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, raw BLOB)")
    for start in range(0, len(raw), group):
        connection.execute("BEGIN IMMEDIATE")
        rows = [(each,) for each in raw[start : start + group]]
        connection.executemany("INSERT INTO message (raw) VALUES (?)", rows)
        connection.execute("COMMIT")
    connection.close()


def opened(url: str) -> Store:
    return store.open(url, keys_of=identity.keys_of, name_keys_of=identity.name_keys_of)


def ours(rows: Store, raw: Sequence[bytes], group: int) -> None:
    feed = Feed(rows, SETTINGS)
    for start in range(0, len(raw), group):
        done = feed.apply(raw[start : start + group])
        assert {each.ack for each in done} == {"AA"}


def live(rows: Store, raw: Sequence[bytes]) -> None:
    def send(mine: Sequence[bytes], port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as peer:
            for message in mine:
                peer.sendall(wrap(message))
                assert b"|AA|" in peer.recv(65536)

    with adt.listen(SETTINGS, Feed(rows, SETTINGS).answer) as listener:
        shares = [raw[n::SENDERS] for n in range(SENDERS)]
        senders = [threading.Thread(target=send, args=(s, listener.port)) for s in shares]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()


def ratio(mine: Sequence[Cost], theirs: Sequence[Cost]) -> str:
    wall = statistics.median(a.wall / b.wall for a, b in zip(mine, theirs, strict=True))
    cpu = statistics.median(a.cpu / b.cpu for a, b in zip(mine, theirs, strict=True))
    return f"{wall:.1f} x bare (processor {cpu:.1f} x)"


def rate(costs: Sequence[Cost], count: int) -> str:
    best = min(costs, key=lambda c: c.wall)
    cpu = min(c.cpu for c in costs)
    return f"at best {count / best.wall:.0f}/s, {count / cpu:.0f} a second of processor"


def parsing(raw: Sequence[bytes]) -> str:
    few = raw[:100]
    theirs, mine = [], []
    for _ in range(ROUNDS):
        theirs.append(cost(lambda: [parse_message(m.decode(), find_groups=False) for m in few]))
        mine.append(cost(lambda: [_parsed(m) for m in raw[:1000]]))
    faster = statistics.median(10 * a.cpu / b.cpu for a, b in zip(theirs, mine, strict=True))
    return f"parsing: {faster:.0f} x as fast as hl7apy; {rate(mine, 1000)}"


def _parsed(message: bytes) -> RegistrationEvent:
    return adt.parse(message, default_charset="utf-8", default_authority="")


def storing(
    name: str, database: Callable[[], str], raw: Sequence[bytes], single: int
) -> Iterator[str]:
    """The figures of one database. `database` gives the URL of a new one."""
    costs: dict[str, list[Cost]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            rows = opened(database())
            ways: dict[str, tuple[Callable[[], None], int]] = {
                "bare grouped": (partial(bare, Path(folder), raw, GROUP), len(raw)),
                "grouped": (partial(ours, rows, raw, GROUP), len(raw)),
            }
            more = [m.replace(b"|A28|", b"|A31|").replace(b"^A28^", b"^A31^") for m in raw]
            again = [m.replace(b"05|", b"05|again", 1) for m in more]
            ways["bare single"] = (partial(bare, Path(folder), again[:single], 1), single)
            ways["single"] = (partial(ours, rows, again[:single], 1), single)
            ways["live"] = (partial(live, rows, again[single : 6 * single]), 5 * single)
            for way, (work, _) in ways.items():
                costs.setdefault(way, []).append(cost(work))
            counts = {way: count for way, (_, count) in ways.items()}
            rows.close()
    for way in ("grouped", "single"):
        compared = ratio(costs[way], costs[f"bare {way}"])
        yield f"{name}, {way}: {compared}; {rate(costs[way], counts[way])}"
    yield f"{name}, live, {SENDERS} senders: {rate(costs['live'], counts['live'])}"
    grouped = rate(costs["bare grouped"], len(raw))
    yield f"bare, grouped: {grouped}; single: {rate(costs['bare single'], single)}"


def candidates(name: str, url: str, raw: Sequence[bytes]) -> str:
    rows = opened(url)
    ours(rows, raw, GROUP)
    chance, took = random.Random(2), []
    for message in chance.choices(raw, k=QUERIES):
        stated = _misspelt(_parsed(message))
        began = time.perf_counter()
        with rows.read() as tx:
            found = tx.roster.candidates(identity.keys(stated), 60)
            tx.roster.statistics(
                identity.name_keys(stated).union(*map(identity.name_keys_of, found))
            )
        took.append((time.perf_counter() - began) * 1000)
    rows.close()
    p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
    return f"{name}, candidates among {len(raw)}: p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def _misspelt(event: RegistrationEvent) -> PatientIdentity:
    fields = event.patients[0]
    assert isinstance(fields.names, tuple)
    assert isinstance(fields.birth_date, str)
    name = fields.names[0]
    wrong = replace(name, family=name.family[:-1] + "X", type="")
    return PatientIdentity(
        names=(PersonName(wrong.family, wrong.given),), birth_date=fields.birth_date
    )


@contextmanager
def sqlite_databases() -> Iterator[Callable[[], str]]:
    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(1000))
        yield lambda: f"sqlite:///{folder}/{next(numbers)}.db"


@contextmanager
def postgresql_databases() -> Iterator[Callable[[], str]]:
    with postgresql(durable=True) as server:
        numbers = iter(range(1000))

        def new() -> str:
            name = f"bench_{next(numbers)}"
            server.sql(f"CREATE DATABASE {name}")
            return server.url(name)

        yield new


def main(arguments: Sequence[str]) -> None:
    count, single = (*map(int, arguments), *(10_000, 200)[len(arguments) :])
    gc.set_threshold(GARBAGE)  # as the commands do
    raw = messages(max(count, 6 * single))
    print(parsing(raw), flush=True)
    kinds = {"SQLite": sqlite_databases, "PostgreSQL": postgresql_databases}
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        print("PostgreSQL is not installed (installer/system-packages peers).")
        del kinds["PostgreSQL"]
    for name, databases in kinds.items():
        with databases() as database:
            for line in storing(name, database, raw, single):
                print(line, flush=True)
            print(candidates(name, database(), raw), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
