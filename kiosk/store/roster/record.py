"""One registered patient as the roster keeps it, and as the matcher sees it.

A record keeps only what was said of itself. What a survivor has from the records merged into it
(their numbers, names, visits) is computed (`view`): so merging is one pointer, un-merging takes it
away, and both records are again what they were.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any

from kiosk.model.patient import (
    Identifier,
    LocalPatient,
    Order,
    PatientIdentity,
    PatientStatus,
    PersonName,
    Visit,
)

Number = tuple[str, str]  # value and issuer

QUERY = "QUERY"  # in `last_event`: no message has told of the record yet, another register did

MAX_ACCOUNTS = 200  # kept of one record, the newest
MAX_VISITS = 100  # kept of one record, the newest: they rank candidates, no more

# HL7 table 0203: numbers of accounts, cards and papers. A family shares them, a patient changes
# them: they are kept and searched, but a record is never found or joined by them alone.
_NOT_A_PATIENT_NUMBER = frozenset(
    "AN ANC AND ANON ANT BA BC BCT CY CZ DI DL DN DS EI GI HC MA MC MCD MCR PPN SS VN XX".split()
)
_TEMPORARY_FAMILIES = frozenset(
    "trauma unknown unidentified unbekannt emergency anon anonymous nn johndoe janedoe".split()
)
_WORD = re.compile(r"[^\W_]+")
_TEST_FAMILIES = frozenset("test testing testpatient xxtest".split())


@dataclass(frozen=True, slots=True)
class Record:
    """One registered patient as its own messages told of it."""

    key: int
    identifiers: tuple[Identifier, ...] = ()
    prior: tuple[tuple[Identifier, str], ...] = ()  # numbers given up, and since when
    names: tuple[PersonName, ...] = ()  # the current name first, then aliases in use
    former: tuple[PersonName, ...] = ()
    birth_date: str = ""
    sex: str = ""
    address: str = ""
    telephone: str = ""
    mother_birth_name: str = ""
    deceased: bool = False
    vip: bool = False
    protected: bool = False
    multiple_birth: bool = False
    temporary: bool = False
    inactive: bool = False
    held: bool = False
    merged_into: int = 0
    merged_at: str = ""
    linked: tuple[int, ...] = ()
    visits: tuple[Visit, ...] = ()
    last_event: str = ""
    updated_at: str = ""
    accounts: tuple[tuple[Identifier, str], ...] = ()  # one that was given up says since when

    @property
    def name(self) -> PersonName:
        return self.names[0] if self.names else PersonName()

    @property
    def only_queried(self) -> bool:
        return self.last_event.startswith(QUERY)

    @property
    def searchable(self) -> bool:
        return not (self.merged_into or self.inactive)

    def uses(self, identifiers: Iterable[Identifier]) -> bool:
        """True when one of these is a number that the record carries now."""
        mine = {number(i) for i in self.identifiers}
        return any(number(i) in mine for i in identifiers)


def number(identifier: Identifier) -> Number:
    return identifier.value, identifier.issuer


def keyed(identifiers: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
    """Those that name a patient; all of them when none does by its type."""
    if _NOT_A_PATIENT_NUMBER.isdisjoint([i.type for i in identifiers]):
        return identifiers
    return tuple(i for i in identifiers if i.type not in _NOT_A_PATIENT_NUMBER) or identifiers


def numbers(record: Record) -> set[Number]:
    """Every number that leads to the record, given up or not."""
    return {number(i) for i, _ in record.prior} | {number(i) for i in keyed(record.identifiers)}


# -- names -----------------------------------------------------------------------------------


@lru_cache(maxsize=65_536)
def fold(text: str) -> str:
    """Case and accents off, so that spellings compare."""
    if text.isascii():
        return text.lower().strip()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c)).strip()


def same_name(a: PersonName, b: PersonName) -> bool:
    """Equal family and given names: a changed middle name makes no alias."""
    return fold(a.family) == fold(b.family) and fold(a.given) == fold(b.given)


def words(names: Iterable[PersonName]) -> frozenset[str]:
    """The words of these names, folded, without initials."""
    text = " ".join(f"{n.family} {n.given} {n.middle} {n.ideographic} {n.phonetic}" for n in names)
    return frozenset(w for w in _WORD.findall(fold(text)) if len(w) > 1 or not w.isascii())


def is_temporary(record: Record) -> bool:
    """An unidentified patient's placeholder: what follows it is a first name, not a change."""
    return record.temporary or _placeholder(record.name)


def _placeholder(name: PersonName) -> bool:
    family, given = fold(name.family), fold(name.given)
    return family in _TEMPORARY_FAMILIES or (family == "doe" and given in ("john", "jane"))


def _is_test(name: PersonName) -> bool:
    family = fold(name.family)
    return family.startswith("zz") or family in _TEST_FAMILIES


# -- what others see --------------------------------------------------------------------------


def view(record: Record, below: Iterable[Record]) -> Record:
    """The record with what the records merged into it bring along."""
    below = list(below)
    if not below:
        return record
    prior, former = dict(record.prior), list(record.former)
    visits, linked = dict.fromkeys(record.visits), dict.fromkeys(record.linked)
    accounts = dict.fromkeys(record.accounts)
    for child in below:
        prior |= dict.fromkeys(child.identifiers, child.merged_at) | dict(child.prior)
        visits |= dict.fromkeys(child.visits)
        accounts |= dict.fromkeys(child.accounts)
        linked |= dict.fromkeys(child.linked)
        for name in () if child.temporary else (*child.names, *child.former):
            if not _placeholder(name) and not any(
                same_name(name, other) for other in (*record.names, *former)
            ):
                former.append(name)
    linked.pop(record.key, None)
    return replace(
        record,
        prior=tuple(prior.items()),
        former=tuple(former),
        visits=tuple(visits),
        linked=tuple(linked),
        accounts=tuple(accounts),
    )


def local_patient(record: Record) -> LocalPatient:
    """A viewed record in the model's words."""
    return LocalPatient(
        key=str(record.key),
        identity=PatientIdentity(
            record.identifiers,
            record.names,
            record.birth_date,
            record.sex,
            record.address,
            record.telephone,
            record.mother_birth_name,
        ),
        prior_identifiers=tuple(i for i, _ in record.prior),
        former_names=record.former,
        status=_status(record),
        merged_into=str(record.merged_into or ""),
        linked=tuple(str(key) for key in record.linked),
        deceased=record.deceased,
        confidential=record.vip or record.protected,
        multiple_birth=record.multiple_birth,
        visits=record.visits,
        last_event=record.last_event,
        updated_at=record.updated_at,
        accounts=tuple([a for a, since in record.accounts if not since]),
        prior_accounts=tuple([a for a, since in record.accounts if since]),
    )


def _status(record: Record) -> PatientStatus:
    if record.merged_into:
        return PatientStatus.MERGED
    if record.held:
        return PatientStatus.HELD
    if record.inactive:
        return PatientStatus.INACTIVE
    return PatientStatus.TEST if _is_test(record.name) else PatientStatus.ACTIVE


# -- one text column --------------------------------------------------------------------------
# A row is read for each of up to 200 candidates of a decision that may take 20 ms in all:
# `kiosk.model.plain` checks every field of it and takes 15 times as long (measured).


def encode(record: Record) -> str:
    """The record as compact JSON, its key apart."""
    r = record
    return _compact(
        [
            [_identifier(i) for i in r.identifiers],
            [[_identifier(i), at] for i, at in r.prior],
            [_name(n) for n in r.names],
            [_name(n) for n in r.former],
            [r.birth_date, r.sex, r.address, r.telephone, r.mother_birth_name],
            [*map(int, _flags(r))],
            [r.merged_into, r.merged_at, list(r.linked)],
            [_visit(v) for v in r.visits],
            [r.last_event, r.updated_at],
            [[_identifier(i), at] for i, at in r.accounts],
        ]
    )


def _visit(v: Visit) -> list[Any]:
    plain: list[Any] = [v.number, v.patient_class, v.location, v.starts_at, v.status]
    if o := v.order:
        ids = [o.requested_procedure_id, o.scheduled_step_id, o.study_instance_uid]
        plain.append([o.accession_number, list(o.procedure), *ids])
    return plain


def _as_visit(plain: list[Any]) -> Visit:
    if len(plain) == 5:
        return Visit(*plain)
    accession, (code, meaning, scheme), *ids = plain[5]
    number, patient_class, location, starts_at, status = plain[:5]
    order = Order(accession, (code, meaning, scheme), *ids)
    return Visit(number, patient_class, location, starts_at, status, order)


_flags = attrgetter(
    "deceased", "vip", "protected", "multiple_birth", "temporary", "inactive", "held"
)
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def decode(key: int, text: str) -> Record:
    """The inverse of `encode`."""
    told = json.loads(text)
    identifiers, prior, names, former, plain, flags, merged, visits, last, accounts = told
    into, at, linked = merged
    rest: list[Any] = [*plain, *map(bool, flags), into, at, tuple(linked)]
    rest += [tuple(map(_as_visit, visits)), *last]
    rest.append(tuple([(Identifier(*i), since) for i, since in accounts]))
    return Record(
        key,
        tuple(Identifier(*i) for i in identifiers),
        tuple((Identifier(*i), since) for i, since in prior),
        tuple(PersonName(*n) for n in names),
        tuple(PersonName(*n) for n in former),
        *rest,
    )


def _identifier(i: Identifier) -> list[str]:
    return _trimmed([i.value, i.issuer, i.type, i.universal_id, i.universal_id_type])


def _name(n: PersonName) -> list[str]:
    return _trimmed(
        [n.family, n.given, n.middle, n.prefix, n.suffix, n.ideographic, n.phonetic, n.type]
    )


def _trimmed(texts: list[Any]) -> list[Any]:
    while texts and not texts[-1]:
        texts.pop()
    return texts
