"""The roster: who is registered here, as the hospital's feed tells it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Integer, Select, bindparam, func, select

from kiosk.model.matching import IndexStatistics
from kiosk.model.patient import Identifier, LocalPatient, PatientStatus
from kiosk.model.registration import Applied, RegistrationEvent, RosterException
from kiosk.store.roster import accounts, rows
from kiosk.store.roster.feed import Authorities, Feed, Refusal
from kiosk.store.roster.record import decode, fold, local_patient
from kiosk.store.roster.statements import LONGEST, Marks, among

_ROW = rows.patient.c


class Roster:
    """Queries, and the one way in: `apply`. Blocking keys come from the matcher, which names the
    keys under which a record can be found and compared."""

    def __init__(
        self,
        connection: Connection,
        keys_of: Callable[[LocalPatient], frozenset[str]],
        name_keys_of: Callable[[LocalPatient], frozenset[str]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = connection
        self._keys_of = lambda local: keys_of(local) | name_keys_of(local)
        self._now = now

    # -- the feed ----------------------------------------------------------------------------

    def apply(self, event: RegistrationEvent, raw: bytes) -> Applied:
        """What the event does to the roster, done; the raw message is kept with it. Nothing is
        durable before the transaction is committed."""
        return self.apply_all([(event, raw)])[0]

    def apply_all(
        self, arrived: Sequence[tuple[RegistrationEvent | Refusal, bytes]]
    ) -> list[Applied]:
        """`apply` for many messages in their order, in one transaction; what could not be read as
        an event goes to the quarantine."""
        return Feed(self._connection, self._now()).take(arrived, self._keys_of)

    def enter(self, local: LocalPatient) -> LocalPatient | None:
        """A record for a patient whom another register named and a person accepted: from now on
        the feed's messages about its numbers are about it. None when one of them is known: the
        feed told of it meanwhile."""
        key = Feed(self._connection, self._now()).enter(local, self._keys_of)
        return self.get(key) if key else None

    def last_message_at(self) -> str:
        """When the feed last said anything, ISO 8601 UTC; "" when it never did."""
        return str(self._connection.execute(select(rows.state.c.last_message_at)).scalar() or "")

    def exceptions(self, limit: int = 200) -> tuple[RosterException, ...]:
        """What was odd in the feed, newest first."""
        table = rows.exception
        query = select(table).order_by(table.c.id.desc()).limit(limit)
        return tuple(
            RosterException(r.code, r.trigger, r.control_id, tuple(json.loads(r.touched)), r.at)
            for r in self._connection.execute(query)
        )

    def clear_hold(self, key: str) -> None:
        """A person has looked: the record is no overlay and may be linked to again."""
        loaded = rows.open_records(self._connection, 0, {int(key)})
        loaded.sheet.put(replace(loaded.sheet.records[int(key)], held=False))
        loaded.write(self._connection, self._keys_of)

    def changes_since(self, last: int, limit: int = 1000) -> tuple[int, tuple[str, ...]]:
        """The keys of the records that changed after the change `last`, and the last change now
        known: the `last` to ask with next time."""
        table = rows.change.c
        query = select(rows.change).where(table.id > last).order_by(table.id).limit(limit)
        found = self._connection.execute(query).all()
        keys = tuple(dict.fromkeys(str(row.patient) for row in found))
        return (int(found[-1].id) if found else last), keys

    # -- its index ---------------------------------------------------------------------------

    def scheme(self) -> int:
        """Which keys and words records are indexed under: another number, another index."""
        return rows.scheme(self._keys_of)

    def forget_index(self) -> None:
        rows.forget_index(self._connection)

    def index_after(self, last: int, limit: int = 1000) -> int:
        """Indexes the next records after this one; the last of them, 0 when there were none."""
        return rows.index_after(self._connection, last, self._keys_of, limit)

    # -- looking up --------------------------------------------------------------------------

    def size(self) -> int:
        """How many records can be found: neither merged nor inactive."""
        return int(self._connection.execute(select(rows.state.c.size)).scalar() or 0)

    def get(self, key: str) -> LocalPatient | None:
        """The record itself, merged or not. None for the key of a patient whom only another
        register knows."""
        if not key.isdecimal():
            return None
        found = self._patients(select(rows.patient).where(_ROW.id == int(key)))
        return found[0] if found else None

    def resolve(self, identifier: Identifier) -> LocalPatient | None:
        """The patient whom the identifier names today: merges followed to their end. An identifier
        without issuer names nobody."""
        local = self.owner(identifier)
        return self.survivor(local.key) if local else None

    def survivor(self, key: str) -> LocalPatient | None:
        """The record that this one was merged into, directly or not; itself when it was not. Merges
        in a circle, which only a damaged database can have, lead to nobody."""
        seen: set[str] = set()
        while key not in seen:
            seen.add(key)
            local = self.get(key)
            if local is None or not local.merged_into:
                return local
            key = local.merged_into
        return None

    def owner(self, identifier: Identifier) -> LocalPatient | None:
        """The record that carries the identifier, or carried it last: merged or not."""
        issuer = Authorities(self._connection).known(identifier)
        table = rows.identifier.c
        query = select(table.patient).where(table.value == identifier.value, table.issuer == issuer)
        key = self._connection.execute(query).scalar()
        return None if key is None else self.get(str(key))

    def issuers(self, value: str) -> tuple[str, ...]:
        """The authorities that have given this number to somebody."""
        table = rows.identifier.c
        query = select(table.issuer).where(table.value == value).order_by(table.issuer)
        return tuple(self._connection.scalars(query))

    def merged_from(self, key: str) -> tuple[LocalPatient, ...]:
        """The records that were merged directly into this one."""
        query = select(rows.patient).where(_ROW.merged_into == int(key)).order_by(_ROW.id)
        return self._patients(query)

    def candidates(self, keys: Iterable[str], limit: int = 200) -> tuple[LocalPatient, ...]:
        """The records that share a blocking key, those with most keys in common first. Of more keys
        than a disc's names can make, the first thousand count."""
        asked = sorted({rows.hashed(k) for k in keys})[:LONGEST]
        found = among(self._connection, _sharing, asked, limit=limit)
        return tuple(local_patient(decode(key, viewed or own)) for key, own, viewed in found)

    def statistics(self, name_keys: Iterable[str]) -> IndexStatistics:
        """How many records there are, and how many of them carry each of these name keys."""
        wanted = {rows.hashed(name): name for name in name_keys}
        counts = dict.fromkeys(wanted.values(), 0)
        for key, carriers in among(self._connection, _carrying, wanted):
            counts[wanted[key]] = int(carriers)
        return IndexStatistics(self.size(), counts)

    def search(self, text: str, birth_date: str = "", limit: int = 20) -> tuple[LocalPatient, ...]:
        """For people: the records with that number, else with that account, else those in whose
        names every word of `text` begins a word, born on `birth_date` (DA) if that is given."""
        found = self._by_number(text.strip(), limit)
        if not found:
            query = self._by_words(text, birth_date)
            found = () if query is None else self._patients(query.order_by(_ROW.id).limit(limit))
        return tuple(p for p in found if birth_date in ("", p.identity.birth_date))

    def _by_number(self, text: str, limit: int) -> tuple[LocalPatient, ...]:
        asked = Identifier.parse(text)
        issuers = [asked.issuer] if asked.issuer else self.issuers(asked.value)[:limit]
        named = (self.resolve(Identifier(asked.value, issuer)) for issuer in issuers)
        found = {p.key: p for p in named if p and p.status is not PatientStatus.INACTIVE}
        return tuple(found.values()) or self._by_account(asked, limit)

    def _by_account(self, asked: Identifier, limit: int) -> tuple[LocalPatient, ...]:
        holders = accounts.holders(self._connection, [(asked.value, asked.issuer)])
        named = (self.survivor(str(key)) for key in sorted(holders)[:limit])
        found = {p.key: p for p in named if p and p.status is not PatientStatus.INACTIVE}
        return tuple(found.values())

    def _by_words(self, text: str, birth_date: str) -> Select[tuple[object, ...]] | None:
        asked = [w for w in fold(text.replace("^", " ").replace(",", " ")).split() if w]
        if not (asked or birth_date):
            return None
        query = select(rows.patient)
        for begin in asked:
            table = rows.word.alias()
            matches = table.c.word.between(begin, begin + "\U0010ffff")
            query = query.where(_ROW.id.in_(select(table.c.patient).where(matches)))
        return query.where(_ROW.birth_date == birth_date) if birth_date else query

    def _patients(self, query: Select[tuple[object, ...]]) -> tuple[LocalPatient, ...]:
        return tuple(
            local_patient(decode(row.id, row.viewed or row.own))
            for row in self._connection.execute(query)
        )


def _sharing(keys: Marks) -> Select[Any]:
    """The patients with one of these keys, those with most of them first, at most `limit`."""
    count = func.count()
    shared = select(rows.key.c.patient, count.label("shared")).where(rows.key.c.key.in_(keys))
    shared = shared.group_by(rows.key.c.patient).order_by(count.desc(), rows.key.c.patient)
    first = shared.limit(bindparam("limit", type_=Integer)).subquery()
    query = select(rows.patient.c.id, rows.patient.c.own, rows.patient.c.viewed)
    query = query.join(first, rows.patient.c.id == first.c.patient)
    return query.order_by(first.c.shared.desc(), rows.patient.c.id)


def _carrying(keys: Marks) -> Select[Any]:
    """Each of these keys that anybody has, and how many have it."""
    count = func.count().label("carriers")
    return select(rows.key.c.key, count).where(rows.key.c.key.in_(keys)).group_by(rows.key.c.key)
