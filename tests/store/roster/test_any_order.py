"""Through the rows, on both databases: whatever the order of registrations, merges, changes, moves,
links and un-merges, one by one or together, no number ever seen is lost and no way is a circle."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from kiosk import identity, store
from kiosk.model.patient import Identifier, PersonName
from kiosk.model.registration import PatientFields, RegistrationEvent
from kiosk.store import Store, Transaction
from kiosk.store.roster import rows as tables
from kiosk.store.roster.accounts import account
from kiosk.store.roster.record import Record, decode, local_patient
from tests.adt.messages import hl7
from tests.store.roster.test_roster_cases import arrive

some = st.sampled_from("12345").map(lambda v: Identifier(v, "M", "MR"))
times = st.integers(1, 28).map(lambda day: f"202601{day:02d}")
names = st.sampled_from(["SMITH", "JONES", "BROWN"]).map(lambda n: (PersonName(n, "ANN"),))
one = st.builds(
    lambda trigger, at, who, name: (trigger, at, (PatientFields((who,), name, "19700203"),)),
    st.sampled_from(["A04", "A08", "A28", "A31", "A29"]), times, some, names,
)  # fmt: skip
moved = st.builds(
    lambda trigger, at, to, old: (trigger, at, (PatientFields((to,), prior=(old,)),)),
    st.sampled_from(["A40", "A18", "A47", "A43"]), times, some, some,
)  # fmt: skip
pair = st.builds(
    lambda trigger, at, a, b: (trigger, at, (PatientFields((a,)), PatientFields((b,)))),
    st.sampled_from(["A24", "A37"]), times, some, some,
)  # fmt: skip
accounts = st.sampled_from("789").map(lambda v: Identifier(v, "M", "AN"))
billed = st.builds(
    lambda trigger, at, who, new, old: (
        trigger, at, (PatientFields((who,), account=new, prior=(who,), prior_account=old),)
    ),
    st.sampled_from(["A04", "A35", "A41", "A44", "A49"]), times, some, accounts, accounts,
)  # fmt: skip
# Each list is one transaction.
feeds = st.lists(st.lists(st.one_of(one, moved, pair, billed), min_size=1, max_size=6), max_size=6)


def hold(feed: list[list[tuple[str, str, tuple[PatientFields, ...]]]], rows: Store) -> None:
    seen: set[Identifier] = set()
    number = 0
    for group in feed:
        arrived = []
        for trigger, at, patients in group:
            number += 1
            event = RegistrationEvent(trigger, str(number), "S", at, patients, digest=str(number))
            arrived.append((event, b"raw"))
        with rows.begin() as tx:
            outcomes = tx.roster.apply_all(arrived)
        for (event, _), done in zip(arrived, outcomes, strict=True):
            if done.ack == "AA" and done.disposition.value == "applied":
                seen |= {i for p in event.patients for i in (*p.identifiers, *p.prior)}
    with rows.read() as tx:
        for identifier in seen:
            found = tx.roster.resolve(identifier)
            assert found is not None
            assert not found.merged_into
        the_index_is_what_the_records_say(tx)


def the_index_is_what_the_records_say(tx: Transaction) -> None:
    """Written piece by piece, it is as one that is made anew."""
    records = {
        row.id: decode(row.id, row.viewed or row.own)
        for row in tx.connection.execute(tables.patient.select())
    }
    own = [decode(row.id, row.own) for row in tx.connection.execute(tables.patient.select())]
    had = {(a.value, a.issuer, r.key) for r in own for a, _ in r.accounts}
    assert entries(tx, account) == had
    shown = [r for r in records.values() if r.searchable]
    assert tx.roster.size() == len(shown)
    assert entries(tx, tables.key) == {(key, r.key) for r in shown for key in keys(r)}


def entries(tx: Transaction, table: object) -> set[tuple[object, ...]]:
    return {tuple(row) for row in tx.connection.execute(table.select())}  # type: ignore[attr-defined]


def keys(record: Record) -> set[int]:
    local = local_patient(record)
    return {tables.hashed(k) for k in identity.keys_of(local) | identity.name_keys_of(local)}


def opened(url: str) -> Store:
    return store.open(url, keys_of=identity.keys_of, name_keys_of=identity.name_keys_of)


@settings(max_examples=12)
@given(feeds)
def test_no_number_is_lost_whatever_comes_in_whatever_order_on_sqlite(feed: list) -> None:  # type: ignore[type-arg]
    with TemporaryDirectory() as folder:
        rows = opened(f"sqlite:///{Path(folder) / 'kiosk.db'}")
        hold(feed, rows)
        rows.close()


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(feed=feeds)
def test_no_number_is_lost_whatever_comes_in_whatever_order_on_postgresql(
    shared,  # type: ignore[no-untyped-def]
    feed: list,  # type: ignore[type-arg]
) -> None:
    rows = opened(shared())
    hold(feed, rows)
    rows.close()


def test_a_damaged_databases_circle_of_merges_leads_to_nobody_and_ends(rows: Store) -> None:
    with rows.begin() as tx:
        for n in "12":
            arrive(tx, hl7("A28", f"PID|1||{n}^^^M||SMITH^ANN", control=n, at="20260101"))
        for key, other in ((1, 2), (2, 1)):
            record = tables.encode(Record(key, merged_into=other))
            change = update(tables.patient).where(tables.patient.c.id == key)
            tx.connection.execute(change.values(own=record, viewed=None, merged_into=other))
    with rows.read() as tx:
        assert tx.roster.survivor("1") is None
        assert tx.roster.resolve(Identifier("1", "M")) is None
