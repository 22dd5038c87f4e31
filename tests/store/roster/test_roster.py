"""The roster as the rest of the program uses it: durable, searchable, honest about its age."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from kiosk import identity
from kiosk.adt import Rejected, messages, parse
from kiosk.model.patient import Identifier
from kiosk.model.registration import Applied, Disposition, RegistrationEvent
from kiosk.store import Store
from kiosk.store import open as open_store
from kiosk.store.roster import Refusal
from kiosk.store.roster import rows as tables
from tests.adt.messages import hl7

Arrived = tuple[RegistrationEvent | Refusal, bytes]


def read(raw: bytes, authority: str = "") -> Arrived:
    try:
        return parse(raw, default_charset="utf-8", default_authority=authority), raw
    except Rejected as e:
        return (e.applied, e.trigger, e.control_id), raw


def apply(rows: Store, *raws: bytes, authority: str = "") -> list[Applied]:
    with rows.begin() as tx:
        return tx.roster.apply_all([read(raw, authority) for raw in raws])


def person(number: int, name: str = "SMITH^ANN", born: str = "19700203", **more: str) -> bytes:
    pid = f"PID|1||{number}^^^MERCY^MR||{name}||{born}|F"
    return hl7("A28", pid, control=more.pop("control", f"c{number}"), **more)


def contents(rows: Store) -> list[list[tuple[object, ...]]]:
    """Everything that the roster knows, without when it heard it."""
    with rows.engine.connect() as connection:
        return [
            sorted(tuple(row) for row in connection.execute(select(table)))
            for table in (tables.patient, tables.identifier, tables.key, tables.word)
        ]


STREAM = [
    *(person(n, f"NAME{n}^ANN") for n in range(1, 12)),
    hl7("A40", "PID|1||1^^^MERCY||NAME1^ANN", "MRG|2^^^MERCY", control="m1"),
    hl7("A40", "PID|1||3^^^MERCY||NAME3^ANN", "MRG|1^^^MERCY", control="m2"),
    hl7("A47", "PID|1||70^^^MERCY||NAME7^ANN", "MRG|7^^^MERCY", control="m3"),
    hl7("A24", "PID|1||4^^^MERCY", "PID|2||5^^^MERCY", control="m4"),
    hl7("A37", "PID|1||3^^^MERCY", "PID|2||1^^^MERCY", control="m5"),
    hl7("A29", "PID|1||6^^^MERCY", control="m6", at="202601020900"),
    hl7("A08", "PID|1||8^^^MERCY||OTHER^BOB||19200101|M", control="m7", at="202601020900"),
    hl7("A08", "PID|1||9^^^MERCY||JONES^ANN", control="m8", at="202601020900"),
]


def test_messages_taken_together_have_the_same_effect_as_one_by_one(
    rows: Store, tmp_path: Path
) -> None:
    one_by_one = [apply(rows, raw)[0] for raw in STREAM]
    other = open_store(
        f"sqlite:///{tmp_path / 'other.db'}",
        keys_of=identity.keys_of,
        name_keys_of=identity.name_keys_of,
    )
    assert apply(other, *STREAM) == one_by_one
    assert contents(other) == contents(rows)
    with rows.read() as a, other.read() as b:
        assert a.roster.size() == b.roster.size() == 9
    other.close()


def test_the_whole_stream_sent_again_changes_nothing(rows: Store) -> None:
    apply(rows, *STREAM)
    before = contents(rows)
    again = apply(rows, *STREAM)
    assert {done.disposition for done in again if done.ack == "AA"} == {Disposition.IGNORED}
    assert contents(rows) == before


CHILD = """
import os, signal, sys
from kiosk import identity, store
from tests.store.roster.test_roster import person, read
opened = store.open(sys.argv[1], keys_of=identity.keys_of, name_keys_of=identity.name_keys_of)
with opened.begin() as tx:
    tx.roster.apply(*read(person(1)))
    if sys.argv[2] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("moment", "size"), [("before", 0), ("after", 1)])
def test_a_receiver_killed_around_the_commit_loses_nothing_and_a_resend_is_harmless(
    moment: str, size: int, rows: Store
) -> None:
    url = rows.engine.url.render_as_string()
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", CHILD, url, moment], cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    with rows.read() as tx:
        assert tx.roster.size() == size
    again = apply(rows, person(1))[0]
    assert again.ack == "AA"
    assert again.disposition is (Disposition.IGNORED if size else Disposition.APPLIED)
    with rows.read() as tx:
        assert tx.roster.size() == 1


def test_a_resend_with_other_line_ends_is_the_same_message(rows: Store) -> None:
    apply(rows, person(1))
    again = apply(rows, person(1).replace(b"\r", b"\r\n") + b"\n")[0]
    assert (again.ack, again.disposition) == ("AA", Disposition.IGNORED)


def test_every_acknowledged_message_is_kept_as_it_came(rows: Store) -> None:
    apply(rows, *STREAM)
    with rows.engine.connect() as connection:
        kept = set(connection.scalars(select(tables.message.c.raw)))
        aside = set(connection.scalars(select(tables.quarantine.c.raw)))
    assert kept | aside == set(STREAM)
    assert not kept & aside


def test_what_is_refused_is_set_aside_once_however_often_it_comes(rows: Store) -> None:
    refused = hl7(pid="PID|1||33||SMITH^ANN")
    for _ in range(3):
        assert apply(rows, refused)[0].ack == "AE"
    with rows.engine.connect() as connection:
        (row,) = connection.execute(select(tables.quarantine))
    assert (row.times, row.error, row.location, row.raw) == (3, 101, "PID^1^3^1^4", refused)
    with rows.read() as tx:
        assert [e.code for e in tx.roster.exceptions()] == ["no-authority"]


def test_a_message_refused_for_the_configuration_is_taken_once_that_is_mended(rows: Store) -> None:
    raw = hl7(pid="PID|1||33||SMITH^ANN")
    assert apply(rows, raw)[0].ack == "AE"
    assert apply(rows, raw, authority="MERCY")[0].ack == "AA"


def test_the_age_of_the_feed_is_that_of_the_last_message_taken(rows: Store) -> None:
    with rows.read() as tx:
        assert tx.roster.last_message_at() == ""
    apply(rows, hl7(f11="T"))
    with rows.read() as tx:
        assert tx.roster.last_message_at() == ""
    apply(rows, person(1))
    with rows.read() as tx:
        assert tx.roster.last_message_at().endswith("+00:00")


def test_changes_are_told_once_in_their_order(rows: Store) -> None:
    apply(rows, person(1), person(2))
    with rows.read() as tx:
        last, keys = tx.roster.changes_since(0)
        assert keys == ("1", "2")
        assert tx.roster.changes_since(last) == (last, ())
    apply(rows, hl7("A40", "PID|1||1^^^MERCY||A^B", "MRG|2^^^MERCY", control="m"))
    with rows.read() as tx:
        assert tx.roster.changes_since(last)[1] == ("1", "2")


def test_an_identifier_resolves_only_with_its_issuer(rows: Store) -> None:
    apply(rows, person(1))
    with rows.read() as tx:
        assert tx.roster.resolve(Identifier("1")) is None
        assert tx.roster.resolve(Identifier("1", "OTHER")) is None
        assert tx.roster.issuers("1") == ("MERCY",)


def test_an_authoritys_name_and_its_oid_are_one_authority(rows: Store) -> None:
    apply(
        rows,
        hl7(pid="PID|1||1^^^MERCY&1.2.3&ISO||A^B", control="1"),
        hl7(pid="PID|1||1^^^MERCY||A^B", control="2"),
        hl7(pid="PID|1||1^^^&1.2.3&ISO||A^B", control="3"),
        hl7(pid="PID|1||1^^^MERCY&9.9.9&ISO||C^D", control="4"),
    )
    with rows.read() as tx:
        assert tx.roster.size() == 2
        assert tx.roster.resolve(Identifier("1", "1.2.3")) == tx.roster.resolve(
            Identifier("1", "MERCY")
        )


def test_candidates_share_a_key_and_the_likeliest_come_first(rows: Store) -> None:
    apply(rows, person(1, "SMITH^ANN"), person(2, "SMITH^ZOE"), person(3, "LOPEZ^EVA", "19800101"))
    with rows.read() as tx:
        one = tx.roster.resolve(Identifier("1", "MERCY"))
        assert one is not None
        found = tx.roster.candidates(identity.keys_of(one))
        assert found[0] == one
        assert "3" not in {p.key for p in found}
        assert len(tx.roster.candidates(identity.keys_of(one), limit=1)) == 1
        assert tx.roster.candidates([]) == ()


def test_a_merged_record_is_found_as_its_survivor_under_its_old_name(rows: Store) -> None:
    apply(rows, person(1, "SMITH^ANN"), person(2, "LOPEZ^EVA"))
    apply(rows, hl7("A40", "PID|1||1^^^MERCY", "MRG|2^^^MERCY", control="m"))
    with rows.read() as tx:
        assert [p.key for p in tx.roster.search("lopez")] == ["1"]
        assert tx.roster.size() == 1
        assert [p.key for p in tx.roster.merged_from("1")] == ["2"]


def test_statistics_count_the_records_that_carry_a_name(rows: Store) -> None:
    apply(rows, *(person(n, "SMITH^ANN") for n in (1, 2, 3)), person(4, "LOPEZ^EVA"))
    with rows.read() as tx:
        smith = tx.roster.get("1")
        assert smith is not None
        keys = identity.name_keys_of(smith)
        counted = tx.roster.statistics([*keys, "n:nobody"])
    assert counted.size == 4
    assert counted.counts == {**dict.fromkeys(keys, 3), "n:nobody": 0}


@pytest.mark.parametrize(
    ("text", "born", "keys"),
    [
        ("smith", "", ["1", "2"]),
        ("SMITH^ANN", "", ["1"]),
        ("ann, smi", "", ["1"]),
        ("mull", "", ["3"]),
        ("Müller", "", ["3"]),
        ("smith", "19800101", ["2"]),
        ("", "19800101", ["2"]),
        ("2", "", ["2"]),
        ("2^MERCY", "", ["2"]),
        ("2^CLINIC", "", []),
        ("nobody", "", []),
        ("", "", []),
        ("%", "", []),
    ],
)
def test_the_front_desk_finds_by_number_or_by_how_names_begin(
    rows: Store, text: str, born: str, keys: list[str]
) -> None:
    apply(
        rows,
        person(1, "SMITH^ANN"),
        person(2, "SMITH^BOB", "19800101"),
        person(3, "MÜLLER^JÖRG", "19500505"),
    )
    with rows.read() as tx:
        assert [p.key for p in tx.roster.search(text, born)] == keys


def test_every_real_message_is_applied_ignored_or_refused_and_none_is_lost(
    corpus: Path, rows: Store
) -> None:
    arrived = []
    for path in sorted((corpus / "hl7").rglob("*.hl7")):
        with path.open("rb") as stream:
            arrived += [read(raw, "HOSP") for raw in messages(stream)]
    with rows.begin() as tx:
        outcomes = tx.roster.apply_all(arrived)
    counts = Counter(done.disposition for done in outcomes)
    assert counts.total() == len(arrived)
    for done in outcomes:
        assert done.disposition is Disposition.APPLIED or done.reason
        assert (done.disposition is Disposition.REJECTED) == (done.ack != "AA") == bool(done.error)
    with rows.engine.connect() as connection:
        kept = set(connection.scalars(select(tables.message.c.digest)))
        aside = set(connection.scalars(select(tables.quarantine.c.raw)))
        assert connection.scalar(select(func.count()).select_from(tables.patient))
    for (event, raw), done in zip(arrived, outcomes, strict=True):
        taken = isinstance(event, RegistrationEvent) and event.digest in kept
        assert taken if done.ack == "AA" else raw in aside
