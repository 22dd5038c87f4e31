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

from kiosk.identity.likeness import known_date
from kiosk.identity.naming import Reading, formal_names, parse, sound
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName

_MAX_NAMES = 4  # the current name and the newest former ones: keys stay few enough to store
_MAX_FORMS = 3  # ALEX may be ALEXANDER, ALEXANDRA or ALEJANDRO


def keys(
    patient: PatientIdentity,
    prior: Iterable[Identifier] = (),
    former: Iterable[PersonName] = (),
) -> frozenset[str]:
    """The blocking keys of what a disc states; its `name_keys` are among them."""
    date, readings = _core(patient, former)
    found = _common(patient, prior, former)
    if not date:
        found |= {key for r in readings for key in _sounds(r)}
    if not readings and date:
        found.add(date_key(date))
    return frozenset(found)


def keys_of(local: LocalPatient) -> frozenset[str]:
    """The blocking keys to store for a roster record: those of its identity and of its former
    names and numbers, the two kinds that only a poorly identified disc asks for, and the given
    names, which are only counted."""
    date, readings = _core(local.identity, local.former_names)
    found = _common(local.identity, local.prior_identifiers, local.former_names)
    found |= {key for r in readings for key in _sounds(r)}
    found |= _counted(readings)
    return frozenset(found | ({date_key(date)} if date else set()))


def _core(
    patient: PatientIdentity, former: Iterable[PersonName]
) -> tuple[str, tuple[Reading, ...]]:
    names = [parse(name) for name in (*patient.names, *former)][:_MAX_NAMES]
    readings = tuple(r for name in names if not name.placeholder for r in name.readings)
    return known_date(patient.birth_date), readings


def _common(
    patient: PatientIdentity, prior: Iterable[Identifier], former: Iterable[PersonName]
) -> set[str]:
    date = known_date(patient.birth_date)
    identifiers = (*patient.identifiers, *prior)
    found = {f"i:{value}" for i in identifiers if (value := plain_number(i.value))}
    for name in [parse(name) for name in (*patient.names, *former)][:_MAX_NAMES]:
        if name.placeholder:
            continue
        if name.ideographic:
            found.add(f"n:{name.ideographic}")
        for reading in name.readings:
            found.update(_reading_keys(reading, date, bool(name.newborn)))
    return found


def name_keys(patient: PatientIdentity) -> frozenset[str]:
    """The keys whose counts over the stored ones say how common a disc's names and its birth date
    are: full names (the joint frequency of family and given name), their parts, the date."""
    readings = [r for name in patient.names for r in parse(name).readings]
    given = {given_key(g) for r in readings for g in r.given if len(g) > 1}
    date = known_date(patient.birth_date)
    return _counted(readings) | given | ({date_key(date)} if date else set())


def name_keys_of(local: LocalPatient) -> frozenset[str]:
    """The name keys of a roster record, a subset of `keys_of`."""
    names = (*local.identity.names, *local.former_names)[:_MAX_NAMES]
    return _counted([r for name in names for r in parse(name).readings])


def _counted(readings: Iterable[Reading]) -> frozenset[str]:
    found: set[str] = set()
    for r in readings:
        found.update(full_name(r), map(family_key, {*r.family, r.whole}))
        found |= {given_key(r.given[0])} if r.given else set()
    return frozenset(found)


@lru_cache(maxsize=1 << 12)
def plain_number(value: str) -> str:
    """An identifier as it is compared: upper case, without spaces and leading zeros."""
    return "".join(value.split()).upper().lstrip("0")


def full_name(reading: Reading) -> Iterator[str]:
    """The keys of a full name: every family name, and all of them joined, with the given name."""
    if reading.given:
        for family in {*reading.family, reading.whole}:
            for form in _forms(reading.given[0]):
                yield pair_key(family, form)


def pair_key(family: str, given: str) -> str:
    """The key of one family and one given name, the same in either order."""
    return "n:" + "|".join(sorted((family, given)))


def given_key(given: str) -> str:
    return f"g:{given}"


def family_key(family: str) -> str:
    return f"f:{family}"


def date_key(date: str) -> str:
    return f"b:{date}"


@lru_cache(maxsize=1 << 14)
def _forms(given: str) -> tuple[str, ...]:
    return (given, *sorted(formal_names(given) - {given})[: _MAX_FORMS - 1])


def _reading_keys(reading: Reading, date: str, newborn: bool) -> Iterator[str]:
    given = () if newborn else reading.given[:1]
    if not newborn:
        yield from full_name(reading)
    if not date:
        return
    for word in {*reading.family, *given, *(f for g in given for f in _forms(g))}:
        yield f"d:{date}{word[:2]}"
    for family in {sound(f)[:4] for f in (*reading.family, reading.whole)}:
        for first in {sound(f)[:1] for g in given for f in _forms(g)}:
            yield f"y:{date[:4]}{family}{first}"
            yield f"m:{date[4:]}{family}{first}"


def _sounds(reading: Reading) -> Iterator[str]:
    for family in {sound(f)[:4] for f in (*reading.family, reading.whole)}:
        for given in reading.given[:1]:
            yield f"s:{family}|{sound(given)[:3]}"
