"""A stated patient held against one roster record, field by field, in weights and in words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from kiosk.identity import odds
from kiosk.identity.blocking import issuers, plain_number
from kiosk.identity.frequency import (
    Worth,
    birth_date,
    family_name,
    given_name,
    new_year_name,
    whole_name,
)
from kiosk.identity.likeness import (
    date_level,
    family_level,
    given_level,
    known_date,
    middle_level,
    swapped,
)
from kiosk.identity.naming import Name, Reading, everyday_form, fold, parse
from kiosk.identity.vetoes import veto
from kiosk.model.matching import Comparison, Evidence, IndexStatistics
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName

_ALIKE_FAMILY = frozenset(odds.FAMILY) - {"different", "missing"}
_ALIKE_GIVEN = frozenset(("exact", "nickname", "short-form", "one-edit", "sounds-alike"))
_WHOLE_FAMILY = frozenset(("exact", "gendered", "one-edit"))


@dataclass(frozen=True, slots=True)
class _Fit:
    """One way to lay a stated name over a local one. `weight` is that of family and given name:
    a reading that hides a middle name in a double family name must not win by it."""

    weight: float
    family: str
    given: str
    middle: str
    swapped: bool
    former: bool
    stated: Reading
    local: Reading


def compare(
    stated: PatientIdentity, local: LocalPatient, statistics: IndexStatistics
) -> Comparison:
    """The evidence for and against one person, and the veto that forbids an automatic link."""
    evidence = tuple(_evidence(stated, local, statistics))
    return Comparison(evidence, veto(stated, local, evidence))


def _evidence(
    stated: PatientIdentity, local: LocalPatient, statistics: IndexStatistics
) -> Iterator[Evidence]:
    other = local.identity
    yield from _names(stated, local, statistics)
    yield _suffix(stated.name, other.name)
    yield _birth_date(stated.birth_date, other.birth_date, statistics)
    yield _sex(stated.sex, other.sex)
    yield _identifier(stated.identifiers, (*other.identifiers, *local.prior_identifiers))
    yield _address(stated.address, other.address)
    yield _telephone(stated.telephone, other.telephone)
    yield from _namesake(stated, other)
    yield _mother(stated.mother_birth_name, other.mother_birth_name)
    if local.source:
        words = f"named by {local.source}, not by our own registration"
        yield Evidence("source", "queried", 0.0, words)


def _names(
    stated: PatientIdentity, local: LocalPatient, statistics: IndexStatistics
) -> Iterator[Evidence]:
    theirs = [(parse(n), False) for n in local.identity.names[:1]]
    theirs += [(parse(n), True) for n in (*local.identity.names[1:], *local.former_names)]
    if ideographic := _ideographic(stated.names, [name for name, _ in theirs]):
        yield ideographic
        return
    sex = local.identity.sex if local.identity.sex == stated.sex else ""
    fits = (
        fit
        for mine in map(parse, stated.names)
        for name, former in theirs
        for fit in _fits(mine, name, former, sex)
    )
    best = max(fits, key=_goodness, default=None)
    if best is None:
        yield Evidence("family", "missing", 0.0, "no name to compare")
        return
    families = {r.whole for name, _ in theirs for r in name.readings}
    born = known_date(local.identity.birth_date)
    born = born if born == known_date(stated.birth_date) else ""
    yield from _explained(best, sex, len(families) > 1, born, statistics)


def _goodness(fit: _Fit) -> tuple[float, float]:
    """Of equal fits the one with the better middle name; where the family names differ, no reading
    may hide a middle name by taking it for another family name."""
    hidden = fit.family == "different" and fit.middle == "missing"
    return fit.weight, -math.inf if hidden else odds.MIDDLE[fit.middle]


def _ideographic(stated: Iterable[PersonName], theirs: Iterable[Name]) -> Evidence | None:
    mine = {parse(name).ideographic for name in stated} - {""}
    if mine & {name.ideographic for name in theirs}:
        bits = odds.FAMILY_BITS + odds.GIVEN_BITS - 1.5
        return Evidence("name", "ideographic", bits, "same name in its own characters")
    return None


def _fits(mine: Name, theirs: Name, former: bool, sex: str) -> Iterator[_Fit]:
    unnamed = bool(mine.newborn or theirs.newborn)
    for one in mine.readings:
        turned = swapped(one) if len(mine.readings) == 1 else None
        for other in theirs.readings:
            yield _fit(one, other, (False, former, unnamed), sex)
            if turned:
                yield _fit(turned, other, (True, former, unnamed), sex)


def _fit(one: Reading, other: Reading, how: tuple[bool, bool, bool], sex: str) -> _Fit:
    turned, former, unnamed = how
    family = family_level(one.family, one.whole, other.family, other.whole)
    given = "newborn" if unnamed else given_level(one.given, other.given)
    if given in ("uses-middle", "crossed-initials") and family not in _WHOLE_FAMILY:
        given = "different"  # too little left that agrees to say that it is one person's name
    middle = "missing"  # it says nothing where the given names are of two people
    if given in _ALIKE_GIVEN or given == "initial":
        middle = middle_level(one.given[1:], other.given[1:])
    weight = _family_bits(family, sex) + odds.GIVEN[given]
    weight += odds.SWAPPED * turned + odds.FORMER * former
    return _Fit(weight, family, given, middle, turned, former, one, other)


def _family_bits(level: str, sex: str) -> float:
    if level == "different" and sex:
        return odds.FAMILY_CHANGED.get(sex, odds.FAMILY[level])
    return odds.FAMILY[level]


def _explained(
    fit: _Fit, sex: str, another: bool, born: str, statistics: IndexStatistics
) -> Iterator[Evidence]:
    yield Evidence("family", fit.family, _family_bits(fit.family, sex), _FAMILY_WORDS[fit.family])
    if fit.family == "different" and another:
        yield Evidence(
            "former", "third-name", odds.THIRD_NAME, "a former name is known, but not this"
        )
    yield Evidence("given", fit.given, odds.GIVEN[fit.given], _GIVEN_WORDS[fit.given])
    yield Evidence("middle", fit.middle, odds.MIDDLE[fit.middle], _MIDDLE_WORDS[fit.middle])
    if fit.swapped:
        yield Evidence("order", "swapped", odds.SWAPPED, "family and given name exchanged")
    if fit.former:
        yield Evidence("former", "former", odds.FORMER, "agrees with a former or other name")
    usual = list(_frequency(fit, statistics))
    yield from usual
    if born.endswith("0101") and fit.given in _ALIKE_GIVEN:
        yield from _new_year(fit, sum(e.weight for e in usual), statistics)


def _new_year(fit: _Fit, usual: float, statistics: IndexStatistics) -> Iterator[Evidence]:
    """What the names are worth less where those who have no other birthday share them."""
    given = fit.local.given[0]
    worths = [new_year_name(statistics, family, given) for family, _ in _families(fit)]
    bits = min((w.bits for w in worths if w.bearers is not None), default=usual) - usual
    if bits < 0:
        words = "many born on 1 January have these names"
        yield Evidence("new_year", "crowded", round(bits, 3), words)


def _frequency(fit: _Fit, statistics: IndexStatistics) -> Iterator[Evidence]:
    """What the frequency of the names in the index adds to the usual worth of names."""
    families = _families(fit)
    if families and fit.given in _ALIKE_GIVEN:
        yield from _whole_name(fit, families, statistics)
    elif families:
        worths = [family_name(statistics, family, carried) for family, carried in families]
        yield _borne("family_name", min(worths, key=lambda w: w.bits))
    if fit.given == "uses-middle" or (fit.given in _ALIKE_GIVEN and not families):
        worth = given_name(statistics, _shared_given(fit))
        if not families:
            worth = replace(worth, bits=worth.bits + odds.SAME_AGE)
        yield _borne("given_name", worth)


def _families(fit: _Fit) -> list[tuple[str, int]]:
    """The family names that may have agreed by chance, and whether the record carries each: the
    rarer spelling where they differ in a letter, for that is the slip."""
    shared = set(fit.stated.family) & set(fit.local.family)
    if fit.family in ("part", "one-of-two") and shared:
        return [(f, 1) for f in shared]
    if fit.family in ("one-edit", "sounds-alike"):
        return [(fit.stated.whole, 0), (fit.local.whole, 1)]
    return [(fit.local.whole, 1)] if fit.family in _ALIKE_FAMILY else []


def _whole_name(
    fit: _Fit, families: list[tuple[str, int]], statistics: IndexStatistics
) -> Iterator[Evidence]:
    """The rarer spelling counts where names differ by a slip, as that is what it made; the more
    common name where several agree."""
    givens = _givens(fit)
    worths = [
        whole_name(statistics, family, given, min(carried, borne))
        for family, carried in families
        for given, borne in givens
    ]
    slip = fit.family in ("one-edit", "sounds-alike") or len(givens) > 1
    family, whole = (max if slip else min)(worths, key=lambda w: w[0].bits + w[1].bits)
    yield _borne("family_name", family)
    bearers = max(w.bearers or 0 for _, w in worths)
    words = "nobody else here has this name" if bearers <= 1 else f"{bearers} records here share it"
    yield Evidence("name", f"count-{bearers}", whole.bits, words)


def _givens(fit: _Fit) -> list[tuple[str, int]]:
    """The same for the given name: an everyday form is what may have agreed by chance."""
    stated, local = fit.stated.given[0], fit.local.given[0]
    both = [(stated, 0), (local, 1)]
    if fit.given not in ("exact", "nickname", "short-form"):
        return both
    said = local if fit.given == "exact" else everyday_form(stated, local)
    return [each for each in both if each[0] == said][-1:]


def _shared_given(fit: _Fit) -> str:
    """The given name that agrees: where one is the other's middle name, that one."""
    stated, local = fit.stated.given, fit.local.given
    if fit.given != "uses-middle":
        return stated[0]
    return stated[0] if stated[0] in local else local[0]


def _borne(field: str, worth: Worth) -> Evidence:
    if worth.bearers is None:
        return Evidence(field, "usual", round(worth.bits, 3), "as common as names usually are")
    level = "rare" if worth.bits > 0 else "common"
    what = field.replace("_", " ")
    words = f"{level} {what}: {worth.bearers} records here have it"
    return Evidence(field, level, round(worth.bits, 3), words)


def _suffix(one: PersonName, other: PersonName) -> Evidence:
    mine, theirs = parse(one).suffix, parse(other).suffix
    if not mine or not theirs:
        return Evidence("suffix", "one-sided" if mine or theirs else "missing", 0.0)
    if mine == theirs or {mine, theirs} == {"JR", "II"}:
        return Evidence("suffix", "same", odds.SUFFIX["same"], f"both {mine}")
    return Evidence("suffix", "conflict", odds.SUFFIX["conflict"], f"{mine} here, {theirs} there")


def _birth_date(one: str, other: str, statistics: IndexStatistics) -> Evidence:
    mine, theirs = known_date(one), known_date(other)
    level = date_level(mine, theirs)
    bits = odds.BIRTH_DATE[level]
    if level == "exact":
        worth = birth_date(statistics, mine)
        if mine.endswith("0101"):
            bits += min(worth.bits, odds.NEW_YEAR)
            return Evidence("birth_date", level, bits, "same, but 1 January")
        crowd = f", but {worth.bearers} records here have it" if worth.bits <= -1 else ""
        return Evidence(
            "birth_date", level, round(bits + worth.bits, 3), _DATE_WORDS[level] + crowd
        )
    if mine[4:] == theirs[4:] == "0101":
        level, bits = "two-parts", odds.BOTH_NEW_YEAR
    shown = "" if level in ("exact", "missing") else f": {_shown(mine)} and {_shown(theirs)}"
    return Evidence("birth_date", level, bits, _DATE_WORDS[level] + shown)


def _shown(date: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:]}"


def _sex(one: str, other: str) -> Evidence:
    if one not in ("M", "F") or other not in ("M", "F"):
        return Evidence("sex", "missing", 0.0, "sex not recorded on one side")
    level = "same" if one == other else "conflict"
    return Evidence("sex", level, odds.SEX[level], "same sex" if one == other else "sex differs")


def _identifier(stated: Iterable[Identifier], ours: Iterable[Identifier]) -> Evidence:
    held = {(issuer, plain_number(i.value)) for i in ours for issuer in issuers(i)}
    numbers, authorities = {n for _, n in held}, {a for a, _ in held}
    said = [(issuer, plain_number(i.value)) for i in stated for issuer in issuers(i) or {""}]
    said = [(issuer, number) for issuer, number in said if number]
    if any(issuer and (issuer, number) in held for issuer, number in said):
        return _identified("ours", "carries this record's own number, with its issuer")
    if any(issuer in authorities for issuer, _ in said if issuer):
        return _identified("contradicts", "carries another number of the same issuer")
    if any(not issuer and number in numbers for issuer, number in said):
        return _identified("number-only", "same number, but nobody says who issued it")
    return _identified("missing", "no number in common")


def _identified(level: str, words: str) -> Evidence:
    return Evidence("identifier", level, odds.IDENTIFIER[level], words)


def _namesake(one: PatientIdentity, other: PatientIdentity) -> Iterator[Evidence]:
    """Fathers and sons of one name are told apart by birth date or suffix only."""
    dated = known_date(one.birth_date) and known_date(other.birth_date)
    mine, theirs = parse(one.name).suffix, parse(other.name).suffix
    if not dated and "F" not in (one.sex, other.sex) and not (mine and mine == theirs):
        yield Evidence("namesake", "possible", 0.0, "a father and his son may share this name")


def _address(one: str, other: str) -> Evidence:
    return _contact("address", _street(one), _street(other), odds.ADDRESS)


def _telephone(one: str, other: str) -> Evidence:
    mine, theirs = (re.sub(r"\D", "", t)[-10:] for t in (one, other))
    return _contact("telephone", mine, theirs, odds.TELEPHONE)


def _mother(one: str, other: str) -> Evidence:
    mine, theirs = (" ".join(fold(t).replace("^", " ").split()[:1]) for t in (one, other))
    return _contact("mother_birth_name", mine, theirs, odds.MOTHER)


def _contact(field: str, mine: str, theirs: str, bits: dict[str, float]) -> Evidence:
    if not mine or not theirs:
        return Evidence(field, "missing", 0.0)
    level = "same" if mine == theirs else "different"
    return Evidence(field, level, bits[level], f"{level} {field.replace('_', ' ')}")


@lru_cache(maxsize=1 << 12)
def _street(address: str) -> str:
    """The first line of an address: its number, words and flat."""
    return " ".join(re.findall(r"\w+", fold(address.split("^")[0])))


_FAMILY_WORDS = {
    "exact": "family name agrees",
    "gendered": "family name agrees but for its feminine ending",
    "part": "one of the two family names is missing on one side",
    "one-edit": "family name differs in one letter",
    "sounds-alike": "family names sound alike",
    "truncated": "family name is cut short",
    "one-of-two": "one family name agrees, the other differs",
    "different": "family name differs",
    "missing": "family name cannot be compared",
}
_GIVEN_WORDS = {
    "exact": "given name agrees",
    "initial": "only the initial of the given name agrees",
    "nickname": "given name is an everyday form of the other",
    "one-edit": "given name differs in one letter",
    "uses-middle": "given name is the other's middle name",
    "crossed-initials": "given name and middle initial are exchanged",
    "short-form": "one given name is a short form of the other",
    "sounds-alike": "given names sound alike",
    "newborn": "temporary name of a newborn",
    "different": "given name differs",
    "missing": "given name cannot be compared",
}
_MIDDLE_WORDS = {
    "exact": "middle name agrees",
    "initial": "middle initial agrees",
    "similar": "middle names are similar",
    "conflict": "middle name differs",
    "missing": "no middle name on one side",
}
_DATE_WORDS = {
    "exact": "birth date agrees",
    "day-month-swapped": "day and month of birth exchanged",
    "year-off": "year of birth differs by 1 or 10",
    "one-digit": "birth date differs in one digit",
    "decade-off": "the decade of birth differs, day and month agree",
    "rounded": "one birth date names no more than the year or the month",
    "transposed": "two digits of the birth date exchanged",
    "two-parts": "birth date agrees in two of three parts",
    "same-year": "only the year of birth agrees",
    "different": "birth date differs",
    "missing": "no birth date on one side",
}
