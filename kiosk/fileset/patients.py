"""Who the instances say they are of: the same person's spellings together, two people never."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import lru_cache

from kiosk.model.content import Instance, Series, StatedPatient, Study
from kiosk.model.patient import PatientIdentity, PersonName

_DEMOGRAPHICS = ("birth_date", "sex", "address", "telephone", "mother_birth_name")
# More people with one number than a medium can honestly hold are not compared with each other.
MOST_PEOPLE_OF_ONE_NUMBER = 50


@dataclass(frozen=True, slots=True)
class Placed:
    """An instance, and the patient, study and series that its own header states."""

    instance: Instance
    identity: PatientIdentity
    study: Study
    series: Series


@dataclass(slots=True)
class _Person:
    identities: list[PatientIdentity] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)


_Unit = tuple[PatientIdentity, str]  # what is never taken apart: an identity, or it in one study


def group(placed: Sequence[Placed]) -> tuple[StatedPatient, ...]:
    """One StatedPatient for each person, in order of first appearance, those without number and
    name last. Its `identity` is the spelling that most instances have, with what only some of them
    state filled in; `variants` are the other spellings.

    The same number with a compatible name, birth date and sex is one person, with an incompatible
    one another. Without a number only the same name and birth date, or the same study, hold two
    spellings together.
    """
    units: dict[_Unit, list[Placed]] = {}
    for one in placed:
        units.setdefault(_unit(one), []).append(one)
    order = {id(one): n for n, one in enumerate(placed)}
    people = [p for p in _people(units) if p.placed]
    for person in people:
        person.placed.sort(key=lambda one: order[id(one)])
    people.sort(key=lambda p: (not _named(p.identities[0]), order[id(p.placed[0])]))
    return tuple(_patient(person) for person in people)


def _named(identity: PatientIdentity) -> bool:
    return bool(identity.identifier.value or identity.name)


def _unit(one: Placed) -> _Unit:
    identity = one.identity
    stands_alone = identity.identifier.value or (identity.name and identity.birth_date)
    return identity, "" if stands_alone else one.study.study_instance_uid


def _people(units: dict[_Unit, list[Placed]]) -> Iterable[_Person]:
    """The fullest identities first, so that a bare one cannot bridge two people."""
    known: dict[str, list[_Person]] = {}  # by number, or by name and birth date, or by study
    people: list[_Person] = []
    for unit in sorted(units, key=lambda u: _fullness(u[0]), reverse=True):
        identity, studies = unit[0], {p.study.study_instance_uid for p in units[unit]} - {""}
        number = identity.identifier.value
        keys = [f"number {number}"] if number else [f"study {s}" for s in sorted(studies)]
        if not number and identity.name and identity.birth_date:
            keys.append(f"name {identity.birth_date} {sorted(_tokens(identity.name))}")
        fitting = _fitting(identity, keys, known)
        person = fitting[0] if len(fitting) == 1 else _Person()
        if person not in fitting:
            people.append(person)
        person.identities.append(identity)
        person.placed += units[unit]
        for key in {*keys, *(f"study {s}" for s in studies)}:
            known.setdefault(key, []).append(person)
    return people


def _fitting(
    identity: PatientIdentity, keys: Iterable[str], known: dict[str, list[_Person]]
) -> list[_Person]:
    """The people under these keys with whom every spelling of theirs is compatible."""
    candidates: dict[int, _Person] = {}
    for key in keys:
        for person in known.get(key, [])[:MOST_PEOPLE_OF_ONE_NUMBER]:
            candidates[id(person)] = person
    return [p for p in candidates.values() if all(compatible(identity, o) for o in p.identities)]


def _fullness(identity: PatientIdentity) -> tuple[bool, int, int]:
    words = len(_tokens(identity.name))
    return bool(identity.identifier.value), bool(identity.name) + bool(identity.birth_date), words


def compatible(one: PatientIdentity, other: PatientIdentity) -> bool:
    """Whether nothing that both state speaks against their being one person who has one number."""
    agree = _agree(one.identifier.issuer, other.identifier.issuer)
    agree &= _agree(one.birth_date, other.birth_date)
    agree &= _agree(one.sex.replace("O", ""), other.sex.replace("O", ""))
    same_day = bool(one.birth_date) and one.birth_date == other.birth_date
    return agree and names_agree(one.name, other.name, same_day)


def _agree(one: str, other: str) -> bool:
    return not one or not other or one == other


def names_agree(one: PersonName, other: PersonName, same_birth_date: bool) -> bool:
    """The same words in any order, some left out or cut to their initial in one of them; with the
    same birth date also a slip of spelling."""
    if one.ideographic and one.ideographic == other.ideographic:
        return True
    first, second = sorted((_tokens(one), _tokens(other)), key=lambda t: (len(t), sorted(t)))
    if not first:
        return True
    alike = _close if same_birth_date else _is_initial
    shared, left = first & second, second - first
    return bool(shared or same_birth_date) and all(
        any(alike(a, b) for b in left) for a in first - shared
    )


def _is_initial(one: str, other: str) -> bool:
    return min(len(one), len(other)) == 1 and one[0] == other[0]


def _close(one: str, other: str) -> bool:
    if _is_initial(one, other):
        return True
    return SequenceMatcher(None, one[:64], other[:64]).ratio() >= 0.8


@lru_cache(4096)
def _tokens(name: PersonName) -> frozenset[str]:
    """The words of a name without case, accents, punctuation and titles."""
    text = unicodedata.normalize(
        "NFKD", " ".join((name.family, name.given, name.middle)).casefold()
    )
    text = "".join(c for c in text if not unicodedata.combining(c))
    return frozenset(re.findall(r"\w+", text.replace("'", "")))


def _patient(person: _Person) -> StatedPatient:
    counts = Counter(one.identity for one in person.placed)
    identity = _filled(max(counts, key=lambda i: (counts[i], _fullness(i))), counts)
    studies: dict[str, dict[str, list[Placed]]] = {}
    for one in person.placed:
        series = studies.setdefault(one.study.study_instance_uid, {})
        series.setdefault(one.series.series_instance_uid, []).append(one)
    return StatedPatient(
        identity,
        tuple(_study(series) for series in studies.values()),
        tuple(i for i in counts if _filled(i, (identity,)) != identity),
    )


def _filled(identity: PatientIdentity, others: Iterable[PatientIdentity]) -> PatientIdentity:
    """The identity, with what it leaves out and other headers of the same person state."""
    for other in others:
        missing = {f: getattr(other, f) for f in _DEMOGRAPHICS if not getattr(identity, f)}
        identity = replace(identity, **missing)
    return identity


def _study(series: dict[str, list[Placed]]) -> Study:
    first = next(iter(series.values()))[0]
    return replace(
        first.study,
        series=tuple(
            replace(rows[0].series, instances=tuple(row.instance for row in rows))
            for rows in series.values()
        ),
    )
