"""What each outcome of a comparison is worth, and how outcomes become probabilities.

Weights are bits: log2 of how much more often an outcome happens when both records are of one person
than when they are of two people drawn at random. The shares for one person were counted on labelled
synthetic discs (a seeded generator, US name mix) and rounded; those for two people follow from
how many names and birth dates there are. A site without labels starts from these. Missing is 0
everywhere: no evidence, not disagreement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kiosk.model.matching import Comparison

MODEL: Final = "seeded-3"

# A family name is worth 10 bits and a given name 7.5 when nothing more is known; the joint
# frequency in the index then corrects the sum (`name` in the evidence).
FAMILY_BITS: Final = 10.0
GIVEN_BITS: Final = 7.5
# The index's own counts are trusted as if that many records had been seen with typical names.
PSEUDO_RECORDS: Final = 50_000

FAMILY: Final = {
    "exact": 9.9,
    "gendered": 7.0,
    "part": 7.5,
    "one-edit": -0.5,
    "sounds-alike": -1.5,
    "truncated": 1.6,
    "one-of-two": 3.0,
    "different": -5.0,
    "missing": 0.0,
}
FAMILY_CHANGED: Final = {"F": -4.2, "M": -7.1}  # a marriage explains it for some

GIVEN: Final = {
    "exact": 7.3,
    "initial": 3.3,
    "nickname": 1.4,
    "one-edit": -3.5,
    "short-form": -0.9,
    "sounds-alike": -4.5,
    "uses-middle": 0.7,
    "crossed-initials": -0.6,
    "different": -8.0,
    "newborn": 0.0,
    "missing": 0.0,
}
# The same outcomes when the disc belongs to an unregistered twin of the candidate: twins never
# have the same given name, often alike ones.
TWIN_GIVEN: Final = {
    "exact": -5.0,
    "initial": 2.0,
    "one-edit": 2.0,
    "sounds-alike": 2.0,
    "short-form": 1.0,
    "newborn": -2.0,
}
TWIN_SEX: Final = {"same": 0.4, "conflict": -0.5, "missing": 0.0}

SAME_AGE: Final = -2.0  # a given name alone: those of one age share their given names

MIDDLE: Final = {"exact": 5.5, "initial": 3.3, "similar": 2.0, "conflict": -8.0, "missing": 0.0}
SWAPPED: Final = 0.0  # the joint frequency counts a name in either order
FORMER: Final = -2.0
THIRD_NAME: Final = -2.5

BIRTH_DATE: Final = {
    "exact": 14.6,
    "day-month-swapped": 6.0,
    "one-digit": 2.4,
    "year-off": 1.5,
    "transposed": 1.0,
    "decade-off": 0.5,
    "rounded": 2.5,
    "two-parts": -1.0,
    "same-year": -5.0,
    "different": -11.0,
    "missing": 0.0,
}
NEW_YEAR: Final = -8.7  # to people whose birthday nobody knows: worth no more than the year
BOTH_NEW_YEAR: Final = -2.0  # 1 January of two years: two people, more likely than one slip

SEX: Final = {"same": 1.0, "conflict": -6.5, "missing": 0.0}
SUFFIX: Final = {"same": 4.0, "conflict": -6.0, "missing": 0.0}
IDENTIFIER: Final = {"ours": 18.0, "number-only": 2.0, "contradicts": -4.0, "missing": 0.0}
ADDRESS: Final = {"same": 6.0, "different": 0.0, "missing": 0.0}
TELEPHONE: Final = {"same": 6.0, "different": 0.0, "missing": 0.0}
MOTHER: Final = {"same": 5.0, "different": 0.0, "missing": 0.0}

# Prior odds.
REGISTERED: Final = 0.85  # of the discs that reach a desk, whose owner is registered
TWINS: Final = 0.03  # of people who are a twin
NAMESAKES: Final = 0.02  # of people who have a father's or a son's name, without a suffix
DUPLICATES: Final = 0.03  # of records that have an open duplicate
PICKED: Final = 0.998  # of picks that are right: 0.2 % are taken to be mistakes

NAME_ALONE: Final = 3.3  # ten times more convincing must a name be that nothing else supports

Pairs = Mapping[tuple[int, int], float]


@dataclass(frozen=True, slots=True)
class Priors:
    """Before anything is compared: each record, the picked one, an unregistered twin of a record,
    an unregistered twin of the picked one, and nobody registered."""

    each: float
    picked: float
    twin: float
    picked_twin: float
    nobody: float


def priors(size: int, verifying: bool) -> Priors:
    """The larger the index, the more of its records agree by chance."""
    records = max(size, 1)
    if not verifying:
        nobody = 1 - REGISTERED
        return Priors(REGISTERED / records, 0.0, nobody * TWINS / records, 0, nobody)
    mistaken = 1 - PICKED
    nobody = mistaken / 4
    twin = nobody * TWINS / records
    return Priors(mistaken / records, PICKED, twin, mistaken * TWINS, nobody)


@dataclass(frozen=True, slots=True)
class Posterior:
    """`pooled` is the probability of the person behind each candidate's record (its duplicates are
    no rivals), `nobody` of anybody who is not registered."""

    pooled: tuple[float, ...]
    nobody: float


def posterior(
    comparisons: Sequence[Comparison],
    given: Priors,
    picked: int = -1,
    others: float = 0.0,
    same: Pairs | None = None,
) -> Posterior:
    """Bayes over the candidates. `others` is the joint odds of candidates not listed, `same` the
    probability that two listed records are one person's (both orders)."""
    odds = [
        (given.picked if i == picked else given.each) * math.exp2(c.weight)
        for i, c in enumerate(comparisons)
    ]
    twins = sum(
        (given.picked_twin if i == picked else given.twin) * math.exp2(twin_weight(c))
        for i, c in enumerate(comparisons)
    )
    elsewhere = twins + given.nobody
    pooled = tuple(_person(i, odds, same or {}, elsewhere + others) for i in range(len(odds)))
    return Posterior(pooled, elsewhere / (sum(odds) + elsewhere + others))


def _person(i: int, odds: Sequence[float], same: Pairs, elsewhere: float) -> float:
    """One person's share: as probable as the best of its records, against all records as far as
    they are someone else's. A second record of a person makes that person no more probable."""
    alike = [same.get((i, j), 0.0) for j in range(len(odds))]
    person = max(odds[i], *(q * o for q, o in zip(alike, odds, strict=True)))
    rivals = sum((1 - q) * o for j, (q, o) in enumerate(zip(alike, odds, strict=True)) if j != i)
    return person / (person + rivals + elsewhere)


def twin_weight(comparison: Comparison) -> float:
    """The same evidence if the disc is of the candidate's unregistered twin: family name, birth
    date, address and telephone count as before, the given and middle names do not."""
    kept = (
        "family",
        "family_name",
        "order",
        "birth_date",
        "address",
        "telephone",
        "mother_birth_name",
    )
    shared = sum(e.weight for e in comparison.evidence if e.field in kept)
    level = {e.field: e.level for e in comparison.evidence}
    given = TWIN_GIVEN.get(level.get("given", ""), 0.0)
    if level.get("given") in ("one-edit", "sounds-alike"):
        names = ("name", "given_name")
        rarity = sum(e.weight for e in comparison.evidence if e.field in names)
        given -= min(max(rarity - 4.0, 0.0), 4.0)  # parents choose names, slips make others
    twin = shared + given + TWIN_SEX[level["sex"]]
    if "namesake" not in level:
        return twin
    return max(twin, comparison.weight + math.log2(NAMESAKES / TWINS))


def odds_of(comparisons: Sequence[Comparison], given: Priors) -> float:
    """The joint odds of candidates that are not listed one by one."""
    return sum(
        given.each * math.exp2(c.weight) + given.twin * math.exp2(twin_weight(c))
        for c in comparisons
    )


def one_person(comparison: Comparison, size: int) -> float:
    """The probability that two records of the index are one person's, from one held against the
    other: an open duplicate, a twin, or two people who agree by chance. Name, birth date and sex
    alone hardly make it, and not where they live and are called elsewhere: twins of one name exist,
    and who is who is then not for us to say."""
    level = {e.field: e.level for e in comparison.evidence}
    contact = [e for e in comparison.evidence if e.field in ("address", "telephone")]
    if comparison.capped_by:
        return 0.0
    alike = comparison.weight
    born = sum(e.weight for e in comparison.evidence if e.field == "birth_date")
    if level["birth_date"] != "exact" or born <= BIRTH_DATE["exact"] + NEW_YEAR:
        alike -= sum(e.weight for e in contact)  # relatives of one name live there too
    elif level.get("middle") not in ("exact", "initial"):
        said = {e.level for e in contact}
        if "same" not in said:
            if "different" in said:
                return 0.0
            alike -= NAME_ALONE
    duplicate = DUPLICATES / max(size, 1) * math.exp2(alike)
    twin = TWINS / max(size, 1) * math.exp2(twin_weight(comparison))
    return duplicate / (duplicate + twin + 1)
