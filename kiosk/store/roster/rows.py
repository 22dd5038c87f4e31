"""The roster's tables, and a sheet's way out of them and back.

`roster_patient` holds all that is known; `roster_identifier`, `roster_key` and `roster_word` are
indexes made from it. They have no foreign keys: a million patients have twenty million index
rows, written only here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    or_,
    select,
    update,
)

from kiosk.model.patient import Identifier, LocalPatient, PersonName
from kiosk.store.roster import accounts
from kiosk.store.roster.record import (
    Number,
    Record,
    decode,
    encode,
    local_patient,
    numbers,
    view,
    words,
)
from kiosk.store.roster.sheet import Sheet
from kiosk.store.roster.statements import Marks, among, insert_rows, insert_tuples, run_all
from kiosk.store.tables import ID, METADATA

T = TypeVar("T")
KeysOf = Callable[[LocalPatient], frozenset[str]]

patient = Table(
    "roster_patient",
    METADATA,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("own", Text, nullable=False),
    # With what merged records bring along; NULL when that is nothing.
    Column("viewed", Text),
    Column("merged_into", BigInteger, nullable=False, index=True),
    Column("birth_date", String(8), nullable=False, default=""),
)

identifier = Table(
    "roster_identifier",
    METADATA,
    Column("value", String(256), primary_key=True),
    Column("issuer", String(256), primary_key=True),
    Column("patient", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

key = Table(
    "roster_key",
    METADATA,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("patient", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

word = Table(
    "roster_word",
    METADATA,
    # Searched by its beginning: ordered by code point on PostgreSQL as well.
    Column(
        "word",
        String(64).with_variant(String(64, collation="C"), "postgresql"),
        primary_key=True,
    ),
    Column("patient", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# Every message that was acknowledged with AA, in the order of arrival.
message = Table(
    "roster_message",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("sender", String(512), nullable=False),
    Column("control_id", String(256), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("recorded_at", String(64), nullable=False),
    Column("received_at", String(32), nullable=False),
    Column("disposition", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("exception", String(64), nullable=False),
    Column("touched", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    UniqueConstraint("control_id", "sender"),
)

# Messages that were not taken, as they came: once each, however often they were sent.
quarantine = Table(
    "roster_quarantine",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("trigger", String(16), nullable=False),
    Column("control_id", String(256), nullable=False),
    Column("first_at", String(32), nullable=False),
    Column("last_at", String(32), nullable=False),
    Column("times", Integer, nullable=False),
    Column("ack", String(2), nullable=False),
    Column("error", Integer, nullable=False),
    Column("location", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
)

exception = Table(
    "roster_exception",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("code", String(64), nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("control_id", String(256), nullable=False),
    Column("touched", Text, nullable=False),
    Column("at", String(32), nullable=False),
)

# Which records changed, in order: cases that rest on them are looked at again.
change = Table(
    "roster_change",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("patient", BigInteger, nullable=False),
)

# An authority's namespace and its OID are one authority: both lead to one spelling.
authority = Table(
    "roster_authority",
    METADATA,
    Column("name", String(256), primary_key=True),
    Column("canonical", String(256), nullable=False),
)

# One row. Locked first by whoever applies messages: one writer at a time, on PostgreSQL too.
state = Table(
    "roster_state",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("next_key", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("last_message_at", String(32), nullable=False),
)


_REWRITE = (
    update(patient)
    .where(patient.c.id == bindparam("at"))
    .values({n: bindparam(n) for n in ("own", "viewed", "merged_into", "birth_date")})
)
_FORGET = {
    table: delete(table).where(*(c == bindparam(f"k{n}") for n, c in enumerate(columns)))
    for table in (identifier, key, word)
    if (columns := table.primary_key.columns.values())
}


def _numbered(values: Marks) -> Select[Any]:
    return select(identifier).where(identifier.c.value.in_(values))


def _family(keys: Marks) -> Select[Any]:
    near = or_(patient.c.id.in_(keys), patient.c.merged_into.in_(keys))
    return select(patient.c.id, patient.c.own, patient.c.viewed).where(near)


_DIGEST = hashlib.blake2b(digest_size=8)


def hashed(key_text: str) -> int:
    """A blocking key as 64 bits: a twentieth of the index's size, and nobody's name in it. Two
    keys that fall together cost a comparison, never a match."""
    digest = _DIGEST.copy()  # half the time of a new one
    digest.update(key_text.encode())
    return int.from_bytes(digest.digest(), "big", signed=True)


def open_sheet(
    connection: Connection,
    next_key: int,
    wanted: Iterable[Number],
    of_accounts: Iterable[Number] = (),
) -> Loaded:
    """A sheet with the records that carry these numbers or accounts and every record merged into
    or above them."""
    keys = accounts.holders(connection, of_accounts)
    asked = set(wanted)
    found = among(connection, _numbered, {value for value, _ in asked})
    keys |= {owner for value, issuer, owner in found if (value, issuer) in asked}
    return open_records(connection, next_key, keys)


def open_records(connection: Connection, next_key: int, keys: set[int]) -> Loaded:
    """The same for records whose keys are known."""
    loaded = Loaded(Sheet(next_key))
    while keys:
        keys = _load(connection, loaded, keys)
    return loaded


def _load(connection: Connection, loaded: Loaded, keys: set[int]) -> set[int]:
    """Loads these and what is merged into them; the keys that are still missing."""
    for at, own, viewed in among(connection, _family, sorted(keys)):
        if at not in loaded.sheet.records:
            loaded.enter(decode(at, own), viewed)
    records = loaded.sheet.records
    above = {r.merged_into for r in records.values() if r.merged_into} - records.keys()
    below = loaded.unfollowed() - keys
    loaded.followed |= keys
    return above | below


class Loaded:
    """A sheet, and how its records lie in the tables: what to write is the difference."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.followed: set[int] = set()
        self._own: dict[int, Record] = {}
        self._viewed: dict[int, Record] = {}

    def enter(self, record: Record, viewed: str | None) -> None:
        self.sheet.load(record)
        self._own[record.key] = record
        self._viewed[record.key] = decode(record.key, viewed) if viewed else record

    def unfollowed(self) -> set[int]:
        """Records of which it is not known yet what is merged into them."""
        return self.sheet.records.keys() - self.followed

    def write(self, connection: Connection, keys_of: KeysOf) -> int:
        """Writes what changed. By how many the searchable records became more."""
        sheet = self.sheet
        changed = {k for k, r in sheet.records.items() if self._own.get(k) is not r}
        stale = changed | {above for k in changed for above in self._above(k)}
        views = {k: view(sheet.records[k], sheet.below(sheet.records[k])) for k in stale}
        self._write_patients(connection, changed, views)
        self._write_identifiers(connection, changed)
        accounts.write(connection, [(self._own.get(k), sheet.records[k]) for k in changed])
        self._write_index(connection, views, keys_of)
        return sum(
            views[k].searchable - (k in self._viewed and self._viewed[k].searchable) for k in views
        )

    def _above(self, start: int) -> Iterator[int]:
        """The survivors over a record, as it is now and as it was."""
        for records in (self.sheet.records, self._own):
            at = records.get(start)
            while at is not None and at.merged_into:
                yield at.merged_into
                at = records.get(at.merged_into)

    def _write_patients(
        self, connection: Connection, changed: set[int], views: dict[int, Record]
    ) -> None:
        new: list[dict[str, object]] = []
        old: list[dict[str, object]] = []
        for k in sorted(views):
            own, seen = self.sheet.records[k], views[k]
            if k not in changed and seen == self._viewed[k]:
                continue
            row = {
                "own": encode(own),
                "viewed": encode(seen) if seen != own else None,
                "merged_into": own.merged_into,
                "birth_date": own.birth_date,
            }
            if k in self._own:
                old.append({"at": k, **row})
            else:
                new.append({"id": k, **row})
        run_all(connection, _REWRITE, old)
        insert_rows(connection, patient, new)

    def _write_identifiers(self, connection: Connection, changed: set[int]) -> None:
        before = {n: k for k in changed if k in self._own for n in numbers(self._own[k])}
        after = {n: k for k in changed for n in numbers(self.sheet.records[k])}
        gone = [n for n, k in before.items() if after.get(n) != k]
        new = [(n, k) for n, k in after.items() if before.get(n) != k]
        forget = [{"k0": value, "k1": issuer} for value, issuer in gone]
        run_all(connection, _FORGET[identifier], forget)
        insert_tuples(connection, identifier, [(*n, k) for n, k in new])

    def _write_index(
        self, connection: Connection, views: dict[int, Record], keys_of: KeysOf
    ) -> None:
        new: dict[Table, list[tuple[object, int]]] = {key: [], word: []}
        old: dict[Table, list[dict[str, object]]] = {key: [], word: []}
        for k, seen in views.items():
            was = self._viewed.get(k)
            if was is not None and _searched(was) == _searched(seen):
                continue
            before: set[int] | set[str]
            after: set[int] | set[str]
            for table, before, after in (
                (key, _keys(was, keys_of), _keys(seen, keys_of)),
                (word, _words(was), _words(seen)),
            ):
                new[table] += [(entry, k) for entry in after - before]
                old[table] += [{"k0": entry, "k1": k} for entry in before - after]
        for table, gone in old.items():
            run_all(connection, _FORGET[table], gone)
        for table, pairs in new.items():
            insert_tuples(connection, table, sorted(pairs))  # neighbours share a page


def forget_index(connection: Connection) -> None:
    """Takes away every blocking key and word: `index_after` makes them anew."""
    for table in (key, word):
        connection.execute(delete(table))


def index_after(connection: Connection, last: int, keys_of: KeysOf, limit: int) -> int:
    """Enters the blocking keys and words of the next records; the last one's key, 0 after all."""
    query = select(patient.c.id, patient.c.own, patient.c.viewed).where(patient.c.id > last)
    found = connection.execute(query.order_by(patient.c.id).limit(limit)).all()
    records = [decode(row.id, row.viewed or row.own) for row in found]
    keys = [(k, r.key) for r in records for k in _keys(r, keys_of)]
    insert_tuples(connection, key, sorted(keys))
    insert_tuples(connection, word, sorted((w, r.key) for r in records for w in _words(r)))
    return records[-1].key if records else 0


def scheme(keys_of: KeysOf) -> int:
    """A number that is another one when records would be indexed under other keys or words: made
    of those of people who between them have everything that keys are made of."""
    entries = [f"{sorted(_keys(r, keys_of))} {sorted(_words(r))}" for r in _SAMPLES]
    return hashed("\n".join(entries))


_SAMPLES = tuple(
    Record(
        number,
        identifiers=(Identifier(f"00{number}A-7", "M", "MR"), Identifier(f"77{number}", "C")),
        prior=((Identifier(f"5 {number}", "M"), ""),),
        names=tuple(map(PersonName.from_dicom, names.split("|"))),
        former=(PersonName("Schmidt-Öztürk", "Eva"),) if number % 2 else (),
        birth_date=("", "19700203", "19880101")[number % 3],
        sex="MF"[number % 2],
        address=f"{number} Long Street",
        telephone=f"555 010{number}",
    )
    for number, names in enumerate(
        "Smith^John^A^^JR|Smyth^Jack;Garcia Lopez^Maria^de los Angeles;O'Neil^Bill;Ünal^Ömer;"
        "De la Cruz^Peggy;Wang^XiaoDong=王^小東;Müller-Lüdenscheidt^Hans;Al Hassan^Mohammed;"
        "Baby^Girl A;Kowalski^Aleksander;Nguyen^Thi Lan;MacDonald^Liz".split(";")
    )
)


def _searched(record: Record) -> tuple[object, ...]:
    """What a record's index rows depend on."""
    r = record
    return (
        r.searchable,
        r.identifiers,
        r.prior,
        r.names,
        r.former,
        r.birth_date,
        r.sex,
        r.address,
        r.telephone,
        r.mother_birth_name,
    )


def _keys(record: Record | None, keys_of: KeysOf) -> set[int]:
    if record is None or not record.searchable:
        return set()
    return {hashed(text) for text in keys_of(local_patient(record))}


def _words(record: Record | None) -> set[str]:
    if record is None or not record.searchable:
        return set()
    return {w[:64] for w in words((*record.names, *record.former))}
