"""One patient's fields against its record: what is kept, replaced, deleted, or cannot be true."""

from __future__ import annotations

import difflib
from dataclasses import replace
from operator import attrgetter
from typing import TypeVar

from kiosk.model.patient import Identifier, PersonName, Visit
from kiosk.model.registration import NULL, Effect, Kept, PatientFields, RegistrationEvent
from kiosk.store.roster.record import (
    MAX_ACCOUNTS,
    MAX_VISITS,
    Record,
    fold,
    is_temporary,
    number,
    same_name,
    words,
)
from kiosk.store.roster.sheet import moment

T = TypeVar("T", str, bool)

_COMPONENTS = ("family", "given", "middle", "prefix", "suffix", "ideographic", "phonetic")
_PARTS = attrgetter(*_COMPONENTS)
_ALIKE = 0.75  # two words at least this alike may be one misspelt (difflib ratio)


def created(key: int, fields: PatientFields, event: RegistrationEvent) -> Record:
    """A new record from what the message says. Only a registration dates it: what a merge, a link
    or an order says in passing gives way to any registration, an older one too."""
    record = updated(Record(key, identifiers=fields.identifiers), fields, event)
    return record if event.effect is Effect.UPSERT else replace(record, updated_at="")


def updated(record: Record, fields: PatientFields, event: RegistrationEvent) -> Record:
    """The record after the update: absent fields unchanged, deleted ones gone, more identifiers
    added, a name that is no longer used kept among the former ones, its visit entered."""
    names, former = _names(record, fields.names)
    return Record(  # written out: `replace` takes twice as long, and this is done for every message
        record.key,
        with_identifiers(record.identifiers, fields.identifiers),
        record.prior,
        names,
        former,
        _kept(fields.birth_date, record.birth_date, ""),
        _kept(fields.sex, record.sex, ""),
        _kept(fields.address, record.address, ""),
        _kept(fields.telephone, record.telephone, ""),
        _kept(fields.mother_birth_name, record.mother_birth_name, ""),
        _kept(fields.deceased, record.deceased, False),
        _kept(fields.vip, record.vip, False),
        _kept(fields.protected, record.protected, False),
        _kept(fields.multiple_birth, record.multiple_birth, False),
        fields.temporary,
        False,
        record.held,
        record.merged_into,
        record.merged_at,
        record.linked,
        _visits(record.visits, fields.visit),
        f"{event.trigger} {event.control_id}",
        event.recorded_at or record.updated_at,
        with_account(record, fields.account).accounts,
    )


def _kept(said: T | Kept, stored: T, nothing: T) -> T:
    if isinstance(said, Kept):
        return stored if said is Kept.UNCHANGED else nothing
    return said


def with_identifiers(
    mine: tuple[Identifier, ...], said: tuple[Identifier, ...]
) -> tuple[Identifier, ...]:
    """Those said, in place of their older spellings, and those kept: silence deletes nothing."""
    if mine == said:
        return mine
    latest = {number(i): i for i in (*mine, *said)}
    return tuple(latest.values())


def _names(
    record: Record, said: tuple[PersonName, ...] | Kept
) -> tuple[tuple[PersonName, ...], tuple[PersonName, ...]]:
    if said is Kept.UNCHANGED:
        return record.names, record.former
    if said is Kept.DELETED:
        return (), with_alias(record, record.names).former
    assert not isinstance(said, Kept)
    current = _completed(said[0], record.names[0]) if record.names else _bare(said[0])
    if len(said) == 1 and not record.names and not record.former:
        return (current,), ()
    others = [*map(_bare, said[1:]), *record.names[1:]]
    kept = tuple(n for n in dict.fromkeys(others) if not same_name(n, current))
    former = record.former
    if record.name and not same_name(record.name, current):
        former = (*former, record.name)
    former = tuple(n for n in dict.fromkeys(former) if not same_name(n, current))
    return (current, *kept), former


def _completed(said: PersonName, stored: PersonName) -> PersonName:
    """A name with the components that it leaves out taken from the stored one, if they share the
    family or the given name: a different name altogether leaves nothing of the old one behind."""
    related = any(
        fold(getattr(said, part)) == fold(getattr(stored, part)) != ""
        for part in ("family", "given")
    )
    if not related:
        return _bare(said)
    filled = {part: getattr(said, part) or getattr(stored, part) for part in _COMPONENTS}
    return _bare(replace(said, **filled))


def _bare(name: PersonName) -> PersonName:
    """The name without the components that were to be deleted."""
    parts = _PARTS(name)
    if NULL not in parts:
        return name
    return replace(name, **{part: "" for part in _COMPONENTS if getattr(name, part) == NULL})


def with_alias(record: Record, names: tuple[PersonName, ...]) -> Record:
    """The record, to be found under these names as well."""
    known = [*record.names, *record.former]
    new = [n for n in map(_bare, names) if n and not any(same_name(n, k) for k in known)]
    return replace(record, former=(*record.former, *dict.fromkeys(new)))


def with_visit(record: Record, visit: Visit | None) -> Record:
    """The record with the visit entered or brought up to date; what it leaves out stays."""
    return replace(record, visits=_visits(record.visits, visit)) if visit else record


def with_account(record: Record, account: Identifier | None) -> Record:
    """The record with the account, unless it has or had it: one given up is not revived."""
    if account is None or any(number(a) == number(account) for a, _ in record.accounts):
        return record
    return replace(record, accounts=(*record.accounts, (account, ""))[-MAX_ACCOUNTS:])


def _visits(mine: tuple[Visit, ...], said: Visit | None) -> tuple[Visit, ...]:
    if said is None:
        return mine
    known = {v.number: v for v in mine}
    old = known.pop(said.number, Visit(said.number))
    known[said.number] = Visit(
        said.number,
        said.patient_class or old.patient_class,
        said.location or old.location,
        said.starts_at or old.starts_at,
        said.status or old.status or "active",
        said.order or old.order,
    )
    return _newest(tuple(known.values()))


def _newest(visits: tuple[Visit, ...]) -> tuple[Visit, ...]:
    if len(visits) <= MAX_VISITS:
        return visits
    return tuple(sorted(visits, key=lambda v: moment(v.starts_at))[-MAX_VISITS:])


def is_overlay(record: Record, fields: PatientFields) -> bool:
    """True when the update describes somebody else: no word of the name is left, and the birth
    date differs too (or the sex, where a birth date is missing). What another register said of a
    number is no registration that could be overlaid."""
    if isinstance(fields.names, Kept) or not record.name or is_temporary(record):
        return False
    if record.only_queried:
        return False
    old, new = words((*record.names, *record.former)), words(fields.names)
    if not old or not new or old & new:
        return False
    if any(difflib.get_close_matches(w, old, 1, _ALIKE) for w in new):
        return False
    if isinstance(fields.birth_date, Kept) or not record.birth_date:
        return bool(fields.sex and record.sex and fields.sex not in (*Kept, record.sex))
    return fields.birth_date != record.birth_date
