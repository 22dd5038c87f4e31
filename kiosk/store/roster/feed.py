"""A few messages' way into the roster, in one transaction: the raw message and its effect."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select, update

from kiosk.model.patient import Identifier, LocalPatient
from kiosk.model.registration import (
    Applied,
    Disposition,
    Effect,
    Kept,
    PatientFields,
    RegistrationEvent,
)
from kiosk.store.roster import rows, rules
from kiosk.store.roster.record import QUERY, number
from kiosk.store.roster.sheet import moment
from kiosk.store.roster.statements import Marks, among, insert_rows, insert_tuples, run
from kiosk.store.roster.update import created

Refusal = tuple[Applied, str, str]
"""A message that could not be read as an event: how it is answered, its trigger and control id."""

_AHEAD = timedelta(days=1)  # clocks differ, and a time without a zone may be 14 hours ahead of UTC
_LONGEST = 250  # of a control id or sender that is kept: later versions allow 199


_AUTHORITIES = select(rows.authority)
_STATE = select(rows.state)
_SAVE = update(rows.state).values(
    {name: bindparam(name) for name in ("next_key", "size", "last_message_at")}
)


def _numbered(control_ids: Marks) -> Select[Any]:
    table = rows.message.c
    query = select(table.sender, table.control_id, table.digest)
    return query.where(table.control_id.in_(control_ids))


class Authorities:
    """One spelling for each assigning authority: its namespace and its OID are the same one, and
    two that share a namespace but not the OID are two (IHE ITI TF-2x Appendix N)."""

    def __init__(self, connection: Connection) -> None:
        found = run(connection, _AUTHORITIES)
        self._canonical: dict[str, str] = dict(found)
        self._stored = set(self._canonical)

    def known(self, identifier: Identifier) -> str:
        """The spelling under which numbers of this issuer are filed."""
        for name in (f"={identifier.universal_id}", identifier.issuer, f"={identifier.issuer}"):
            if name in self._canonical:
                return self._canonical[name]
        return identifier.issuer

    def settled(self, event: RegistrationEvent) -> RegistrationEvent:
        """The event with every identifier's issuer in that spelling; new ones are learnt."""
        patients = tuple(map(self._patient, event.patients))
        return event if patients == event.patients else replace(event, patients=patients)

    def _patient(self, patient: PatientFields) -> PatientFields:
        identifiers = tuple(map(self._identifier, patient.identifiers))
        prior = tuple(map(self._identifier, patient.prior))
        account, given_up = self._account(patient.account), self._account(patient.prior_account)
        told = (patient.identifiers, patient.prior, patient.account, patient.prior_account)
        if (identifiers, prior, account, given_up) == told:
            return patient
        return replace(
            patient, identifiers=identifiers, prior=prior, account=account, prior_account=given_up
        )

    def _account(self, account: Identifier | None) -> Identifier | None:
        if account is None or account.issuer or account.universal_id:
            return account and self._identifier(account)
        return account if len(account.value) <= 256 else replace(account, value=account.value[:256])

    def _identifier(self, i: Identifier) -> Identifier:
        value, issuer = i.value[:256], self._learnt(i.issuer[:250], i.universal_id[:250])
        return i if (value, issuer) == number(i) else replace(i, value=value, issuer=issuer)

    def _learnt(self, namespace: str, universal_id: str) -> str:
        names, oid = self._canonical, f"={universal_id}"
        if not universal_id:
            return names.setdefault(namespace, namespace)
        if oid not in names:
            shared = names.setdefault(namespace, namespace) if namespace else universal_id
            taken = any(c == shared and n[0] == "=" for n, c in names.items() if n)
            names[oid] = universal_id if taken else shared
        if namespace:
            names.setdefault(namespace, names[oid])
        return names[oid]

    def write(self, connection: Connection) -> None:
        new = self._canonical.keys() - self._stored
        if new:
            learnt = [(name, self._canonical[name]) for name in sorted(new)]
            insert_tuples(connection, rows.authority, learnt)


class Feed:
    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._latest = (now + _AHEAD).strftime("%Y%m%d%H%M%S")
        self._arrived = now.strftime("%Y%m%d%H%M%S+0000")
        self._now = now.isoformat(timespec="seconds")
        self._state = self._lock()
        self._authorities = Authorities(connection)
        self._seen: dict[tuple[str, str], str] = {}
        self._messages: list[dict[str, object]] = []
        self._exceptions: list[dict[str, object]] = []
        self._changes: dict[str, None] = {}

    def _lock(self) -> dict[str, Any]:
        if found := run(self._connection, _STATE):
            return dict(zip(rows.state.columns.keys(), found[0], strict=True))
        first = {"id": 1, "next_key": 1, "size": 0, "last_message_at": ""}
        self._connection.execute(insert(rows.state), first)
        return first

    def take(
        self,
        arrived: Sequence[tuple[RegistrationEvent | Refusal, bytes]],
        keys_of: Callable[[LocalPatient], frozenset[str]],
    ) -> list[Applied]:
        """Applies them in their order. Nothing is durable before the commit."""
        settled = [
            (self._authorities.settled(e) if isinstance(e, RegistrationEvent) else e, raw)
            for e, raw in arrived
        ]
        events = [e for e, _ in settled if isinstance(e, RegistrationEvent)]
        self._load_seen(events)
        self._loaded = rows.open_sheet(
            self._connection, self._state["next_key"], _numbers(events), _accounts(events)
        )
        outcomes = [self._one(e, raw) for e, raw in settled]
        self._write(keys_of, any(a.ack == "AA" for a in outcomes))
        return outcomes

    def enter(self, local: LocalPatient, keys_of: Callable[[LocalPatient], frozenset[str]]) -> str:
        """The key of a new record that no message told of; "" when one of its numbers is known.
        Any registration, an older one too, has the word over it."""
        who = local.identity
        fields = PatientFields(
            who.identifiers,
            (*who.names, *local.former_names),
            who.birth_date or Kept.UNCHANGED,
            who.sex or Kept.UNCHANGED,
            who.address or Kept.UNCHANGED,
            who.telephone or Kept.UNCHANGED,
            who.mother_birth_name or Kept.UNCHANGED,
            deceased=local.deceased or Kept.UNCHANGED,
        )
        event = RegistrationEvent(QUERY, local.source, "", patients=(fields,))
        event = self._authorities.settled(event)
        numbers = _numbers([event])
        self._loaded = rows.open_sheet(self._connection, self._state["next_key"], numbers)
        sheet, (patient,) = self._loaded.sheet, event.patients
        if any(sheet.owner(i) for i in patient.identifiers):
            return ""
        key = sheet.put(created(sheet.mint(), patient, event)).key
        self._write(keys_of, heard=False)  # no change of a record that a case could rest on
        return str(key)

    def _load_seen(self, events: Iterable[RegistrationEvent]) -> None:
        ids = {_key(e)[1] for e in events}
        for sender, control_id, digest in among(self._connection, _numbered, ids):
            self._seen[sender, control_id] = digest

    def _one(self, event: RegistrationEvent | Refusal, raw: bytes) -> Applied:
        if not isinstance(event, RegistrationEvent):
            applied, trigger, control_id = event
        else:
            trigger, control_id = event.trigger, event.control_id
            applied = self._apply(event)
        if applied.disposition is Disposition.REJECTED:
            if self._set_aside(applied, trigger, control_id, raw):
                return applied
        elif isinstance(event, RegistrationEvent) and _key(event) not in self._seen:
            self._keep(event, applied, raw)
        if applied.exception:
            self._raise(applied, trigger, control_id)
        self._changes |= dict.fromkeys(applied.touched)
        return applied

    def _apply(self, event: RegistrationEvent) -> Applied:
        known = self._seen.get(_key(event))
        if known == event.digest:
            return Applied(Disposition.IGNORED, reason="This message was applied before.")
        if known is not None:
            reason = "The control id was used before, with another content."
            return Applied(Disposition.REJECTED, "AE", 205, "MSH^1^10", reason, "control-id-reused")
        if moment(event.recorded_at) <= self._latest:
            return rules.apply(self._loaded.sheet, event)
        # Believed, it would outdate all that is true until then: it counts as recorded on arrival.
        done = rules.apply(self._loaded.sheet, replace(event, recorded_at=self._arrived))
        return replace(done, exception=done.exception or "recorded-in-the-future")

    def _keep(self, event: RegistrationEvent, applied: Applied, raw: bytes) -> None:
        sender, control_id = _key(event)
        self._seen[sender, control_id] = event.digest
        self._messages.append(
            {
                "sender": sender,
                "control_id": control_id,
                "digest": event.digest,
                "trigger": event.trigger,
                "recorded_at": event.recorded_at[:64],
                "received_at": self._now,
                "disposition": applied.disposition.value,
                "reason": applied.reason,
                "exception": applied.exception,
                "touched": json.dumps(applied.touched) if applied.touched else "[]",
                "raw": raw,
            }
        )

    def _set_aside(self, applied: Applied, trigger: str, control_id: str, raw: bytes) -> bool:
        """Keeps what was not taken; True when the same was set aside before."""
        table, digest = rows.quarantine, hashlib.sha256(raw).hexdigest()
        again = update(table).where(table.c.digest == digest)
        values = {"times": table.c.times + 1, "last_at": self._now}
        if self._connection.execute(again.values(values)).rowcount:
            return True
        self._connection.execute(
            insert(table).values(
                digest=digest,
                trigger=trigger[:16],
                control_id=control_id[:_LONGEST],
                first_at=self._now,
                last_at=self._now,
                times=1,
                ack=applied.ack,
                error=applied.error,
                location=applied.location,
                reason=applied.reason,
                raw=bytes(raw),
            )
        )
        return False

    def _raise(self, applied: Applied, trigger: str, control_id: str) -> None:
        self._exceptions.append(
            {
                "code": applied.exception,
                "trigger": trigger[:16],
                "control_id": control_id[:_LONGEST],
                "touched": json.dumps(applied.touched),
                "at": self._now,
            }
        )

    def _write(self, keys_of: Callable[[LocalPatient], frozenset[str]], heard: bool) -> None:
        more = self._loaded.write(self._connection, keys_of)
        self._authorities.write(self._connection)
        changes = [{"patient": int(k)} for k in self._changes]
        insert_rows(self._connection, rows.message, self._messages)
        insert_rows(self._connection, rows.exception, self._exceptions)
        insert_rows(self._connection, rows.change, changes)
        # A feed of which nothing is taken is as old as one that is silent.
        last = self._now if heard else self._state["last_message_at"]
        new = {"next_key": self._loaded.sheet.next_key, "size": self._state["size"] + more}
        run(self._connection, _SAVE, **new, last_message_at=last)


def _key(event: RegistrationEvent) -> tuple[str, str]:
    """What tells a resend: sender and control id; the content where there is no control id."""
    return event.sender[:_LONGEST], event.control_id[:_LONGEST] or f"#{event.digest}"


def _numbers(events: Iterable[RegistrationEvent]) -> set[tuple[str, str]]:
    return {number(i) for e in events for p in e.patients for i in (*p.identifiers, *p.prior)}


_OF_ACCOUNTS = frozenset({Effect.MERGE_ACCOUNT, Effect.MOVE_ACCOUNT})


def _accounts(events: Iterable[RegistrationEvent]) -> set[tuple[str, str]]:
    """The accounts that these events merge or move."""
    told = (p for e in events if e.effect in _OF_ACCOUNTS or e.trigger == "A36" for p in e.patients)
    return {number(a) for p in told for a in (p.account, p.prior_account) if a}
