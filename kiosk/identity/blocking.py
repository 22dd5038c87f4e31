"""Which roster records are worth comparing: keys that two records of one person share.

A record is found when it shares any key. `d:` is a birth date with the first two letters of a
name, `y:`/`m:` a name with the year or the day of birth (a date with an error), `n:` a full name,
`i:` an identifier. Family and given names are taken in either order, so a swap is found too.
Records also carry `s:`, how the full name sounds, for discs without a birth date, and `b:`, the
birth date alone, for discs without a name; a disc asks for them only when it needs them, as many
records share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, islice

from kiosk.identity.likeness import known_date
from kiosk.identity.naming import Name, Reading, formal_names, parse, sound
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName

_MAX_NAMES = 4  # the current name and the newest former ones: keys stay few enough to store
_MAX_FORMS = 3  # ALEX may be ALEXANDER, ALEXANDRA or ALEJANDRO


def keys(
    patient: PatientIdentity,
    prior: Iterable[Identifier] = (),
    former: Iterable[PersonName] = (),
) -> frozenset[str]:
    """The blocking keys of what a disc states; its `name_keys` are among them."""
    date, names = known_date(patient.birth_date), _names(patient.names, former)
    found = _numbers(*patient.identifiers, *prior)
    for name in names:
        found |= _found_under(name, date)
    if not date:
        found |= {key for name in names for key in _sounds(name)}
    if date and not any(name.readings and not name.placeholder for name in names):
        found.add(date_key(date))
    if date:
        found |= {key for name in names if not name.placeholder for key in _middle_keys(name, date)}
    return frozenset(found)


def keys_of(local: LocalPatient) -> frozenset[str]:
    """The blocking keys to store for a roster record: those of its identity and of its former
    names and numbers, the two kinds that only a poorly identified disc asks for, and the
    `name_keys_of`, which are only counted."""
    who = local.identity
    date = known_date(who.birth_date)
    found = _numbers(*who.identifiers, *local.prior_identifiers)
    for name in _names(who.names, local.former_names):
        found |= _found_under(name, date)
        found |= _sounds(name)
        found |= _counted(name.readings) | _new_year(name.readings, date)
    if date:
        found.add(date_key(date))
    return frozenset(found)


def _names(current: Iterable[PersonName], former: Iterable[PersonName]) -> list[Name]:
    return [parse(name) for name in islice(chain(current, former), _MAX_NAMES)]


def _numbers(*identifiers: Identifier) -> set[str]:
    return {f"i:{value}" for i in identifiers if (value := plain_number(i.value))}


def _found_under(name: Name, date: str) -> set[str]:
    found: set[str] = set()
    if name.placeholder:
        return found
    if name.ideographic:
        found.add(f"n:{name.ideographic}")
    for reading in name.readings:
        found |= _reading_keys(reading, date, bool(name.newborn))
    return found


def name_keys(patient: PatientIdentity) -> frozenset[str]:
    """The keys whose counts over the stored ones say how common a disc's names and its birth date
    are: full names (the joint frequency of family and given name), their parts, the date."""
    readings = [r for name in patient.names for r in parse(name).readings]
    found = _counted(readings)
    found |= {given_key(g) for r in readings for g in r.given if len(g) > 1}
    date = known_date(patient.birth_date)
    found |= _new_year(readings, date)
    return frozenset(found | {date_key(date)} if date else found)


def name_keys_of(local: LocalPatient) -> frozenset[str]:
    """The name keys of a roster record, a subset of `keys_of`."""
    names = _names(local.identity.names, local.former_names)
    readings = [r for name in names for r in name.readings]
    return frozenset(
        _counted(readings) | _new_year(readings, known_date(local.identity.birth_date))
    )


def _counted(readings: Iterable[Reading]) -> set[str]:
    found: set[str] = set()
    for r in readings:
        found |= full_name(r)
        found.update(map(family_key, (*r.family, r.whole)))
        if r.given:
            found.add(given_key(r.given[0]))
    return found


def _new_year(readings: Iterable[Reading], date: str) -> set[str]:
    """The names of those whose birthday nobody knew: they are from few places, with few names."""
    if not date.endswith("0101"):
        return set()
    borne = {word for r in readings for word in (*r.family, r.whole, *r.given[:1])}
    return {new_year_key(), *map(new_year_key, borne)}


@lru_cache(maxsize=1 << 12)
def plain_number(value: str) -> str:
    """An identifier as it is compared: upper case, without spaces and leading zeros."""
    return "".join(value.split()).upper().lstrip("0")


@lru_cache(maxsize=1 << 12)
def issuers(identifier: Identifier) -> frozenset[str]:
    """Every name of the authority that issued an identifier, folded (`NAME&OID&ISO` has two)."""
    named = (*identifier.issuer.split("&")[:2], identifier.universal_id)
    return frozenset(n.strip().upper() for n in named if n.strip())


def is_identifier_of(identifier: Identifier, local: LocalPatient) -> bool:
    """Whether a record carries an identifier, now or formerly. Without issuer the number decides,
    which is enough for a number that our own front desk picked."""
    said = issuers(identifier)
    return any(
        plain_number(i.value) == plain_number(identifier.value)
        and (not said or not issuers(i) or said & issuers(i))
        for i in (*local.identity.identifiers, *local.prior_identifiers)
    )


def full_name(reading: Reading) -> set[str]:
    """The keys of a full name: every family name, and all of them joined, with the given name."""
    families = (*reading.family, reading.whole)
    return {
        pair_key(f, form) for given in reading.given[:1] for form in _forms(given) for f in families
    }


def pair_key(family: str, given: str) -> str:
    """The key of one family and one given name, the same in either order."""
    return f"n:{family}|{given}" if family < given else f"n:{given}|{family}"


def given_key(given: str) -> str:
    return f"g:{given}"


def family_key(family: str) -> str:
    return f"f:{family}"


def date_key(date: str) -> str:
    return f"b:{date}"


def new_year_key(name: str = "") -> str:
    """Of those born on 1 January who have this family or given name; of all of them."""
    return f"j:{name}"


@lru_cache(maxsize=1 << 14)
def _forms(given: str) -> tuple[str, ...]:
    return (given, *sorted(formal_names(given) - {given})[: _MAX_FORMS - 1])


@lru_cache(maxsize=1 << 14)
def _firsts(given: str) -> frozenset[str]:
    """The first letters of how a given name and its forms sound."""
    return frozenset(sound(form)[:1] for form in _forms(given))


def _reading_keys(reading: Reading, date: str, newborn: bool) -> set[str]:
    found = set() if newborn else full_name(reading)
    if not date:
        return found
    given = "" if newborn or not reading.given else reading.given[0]
    for word in (*reading.family, *(_forms(given) if given else ())):
        found.add(f"d:{date}{word[:2]}")
    year, day = date[:4], date[4:]
    for family in _families(reading):
        for first in _firsts(given) if given else ():
            found.add(f"y:{year}{family}{first}")
            found.add(f"m:{day}{family}{first}")
    return found


def _middle_keys(name: Name, date: str) -> Iterator[str]:
    """Of a person whose record has one of the disc's middle names as given name."""
    for reading in name.readings:
        for middle in reading.given[1:]:
            yield f"d:{date}{middle[:2]}"
            for family in _families(reading):
                yield f"y:{date[:4]}{family}{sound(middle)[:1]}"
                yield f"m:{date[4:]}{family}{sound(middle)[:1]}"


def _families(reading: Reading) -> set[str]:
    """How its family names sound, each and joined."""
    return {sound(f)[:4] for f in (*reading.family, reading.whole)}


def _sounds(name: Name) -> set[str]:
    if name.placeholder:
        return set()
    return {
        f"s:{family}|{sound(given)[:3]}"
        for r in name.readings
        for given in r.given[:1]
        for family in _families(r)
    }
