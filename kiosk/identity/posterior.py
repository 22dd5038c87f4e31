"""The probability of each candidate, of an unregistered twin of one, and of nobody."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kiosk.identity import weights
from kiosk.model.matching import Comparison

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
    """The larger the index, the more of its records agree by chance (IDENTITY 3.7)."""
    records = max(size, 1)
    if not verifying:
        nobody = 1 - weights.REGISTERED
        return Priors(
            weights.REGISTERED / records, 0.0, nobody * weights.TWINS / records, 0, nobody
        )
    mistaken = 1 - weights.PICKED
    nobody = mistaken / 4
    twin = nobody * weights.TWINS / records
    return Priors(mistaken / records, weights.PICKED, twin, mistaken * weights.TWINS, nobody)


@dataclass(frozen=True, slots=True)
class Posterior:
    """`own` is the probability of each candidate's record, `pooled` of the person behind it (its
    duplicates' share included), `nobody` of anybody who is not registered."""

    own: tuple[float, ...]
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
    total = sum(odds) + twins + given.nobody + others
    own = tuple(o / total for o in odds)
    pooled = tuple(
        min(1.0, p + sum(own[j] * q for (a, j), q in (same or {}).items() if a == i))
        for i, p in enumerate(own)
    )
    return Posterior(own, pooled, (twins + given.nobody) / total)


def twin_weight(comparison: Comparison) -> float:
    """The same evidence if the disc is of the candidate's unregistered twin: family name, birth
    date, address and telephone count as before, the given and middle names do not."""
    kept = ("family", "order", "birth_date", "address", "telephone", "mother_birth_name")
    shared = sum(e.weight for e in comparison.evidence if e.field in kept)
    given = next((e.level for e in comparison.evidence if e.field == "given"), "missing")
    return shared + weights.TWIN_GIVEN.get(given, 0.0)


def odds_of(comparisons: Sequence[Comparison], given: Priors) -> float:
    """The joint odds of candidates that are not listed one by one."""
    return sum(
        given.each * math.exp2(c.weight) + given.twin * math.exp2(twin_weight(c))
        for c in comparisons
    )


def one_person(comparison: Comparison, size: int) -> float:
    """The probability that two records of the index are one person's, from one held against the
    other: an open duplicate, a twin, or two people who agree by chance."""
    if comparison.capped_by:
        return 0.0
    duplicate = weights.DUPLICATES / max(size, 1) * math.exp2(comparison.weight)
    twin = weights.TWINS / max(size, 1) * math.exp2(twin_weight(comparison))
    return duplicate / (duplicate + twin + 1)
