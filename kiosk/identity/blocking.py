"""Which roster records are worth comparing: keys that two records of one person share.

A record is found when it shares any key. `d:` is a birth date with the first two letters of a
name, `y:`/`m:` a name with the year or the day of birth (a date with an error), `n:` a full name
(a date missing), `i:` an identifier. Names are taken in both orders, so a swap is found too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kiosk.identity import nicknames
from kiosk.identity.dates import known_date
from kiosk.identity.names import Reading, parse, sound
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName

_MAX_NAMES = 4  # the current name and the newest former ones: keys stay few enough to store
_MAX_FORMS = 3  # ALEX may be ALEXANDER, ALEXANDRA or ALEJANDRO


def keys(
    patient: PatientIdentity,
    prior: Iterable[Identifier] = (),
    former: Iterable[PersonName] = (),
) -> frozenset[str]:
    """The blocking keys of what a disc or a record states; `name_keys` are among them."""
    identifiers = [*patient.identifiers, *prior]
    names = [*patient.names, *former][:_MAX_NAMES]
    date = known_date(patient.birth_date)
    found = {f"i:{value}" for i in identifiers if (value := plain_number(i.value))}
    for name in names:
        parsed = parse(name)
        if parsed.placeholder:
            continue
        if parsed.ideographic:
            found.add(f"n:{parsed.ideographic}")
        for reading in parsed.readings:
            found.update(_reading_keys(reading, date, bool(parsed.newborn)))
    return frozenset(found)


def keys_of(local: LocalPatient) -> frozenset[str]:
    """The blocking keys to store for a roster record."""
    return keys(local.identity, local.prior_identifiers, local.former_names)


def name_keys(patient: PatientIdentity, candidates: Iterable[LocalPatient] = ()) -> frozenset[str]:
    """The full-name keys of a patient and of the candidates found for it. Counted over the stored
    keys, they say how many records carry a name: the joint frequency of given and family name."""
    names = [*patient.names]
    for local in candidates:
        names += [*local.identity.names, *local.former_names][:_MAX_NAMES]
    return frozenset(key for name in names for r in parse(name).readings for key in full_name(r))


def name_keys_of(local: LocalPatient) -> frozenset[str]:
    """The full-name keys of a roster record, a subset of `keys_of`."""
    return name_keys(PatientIdentity(), (local,))


def plain_number(value: str) -> str:
    """An identifier as it is compared: upper case, without spaces and leading zeros."""
    return "".join(value.split()).upper().lstrip("0")


def full_name(reading: Reading) -> Iterator[str]:
    """The keys of a full name: every family name, and all of them joined, with the given name."""
    if reading.given:
        for family in {*reading.family, reading.whole}:
            yield from pair_keys(family, reading.given[0])


def pair_keys(family: str, given: str) -> Iterator[str]:
    """The keys of one family and one given name: the same in either order and for nicknames."""
    for form in _forms(given):
        yield "n:" + "|".join(sorted((family, form)))


def _forms(given: str) -> list[str]:
    return sorted(nicknames.formal(given))[:_MAX_FORMS]


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
