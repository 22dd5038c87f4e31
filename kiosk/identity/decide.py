"""From comparisons to a decision that explains itself and can be recomputed from its record."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from kiosk.identity.blocking import is_identifier_of
from kiosk.identity.compare import compare
from kiosk.identity.frequency import without
from kiosk.identity.likeness import known_date
from kiosk.identity.odds import MODEL, Pairs, Posterior, odds_of, one_person, posterior, priors
from kiosk.identity.vetoes import ceiling, usable
from kiosk.model.matching import (
    Action,
    Candidate,
    Comparison,
    IndexStatistics,
    Proposal,
    Recommendation,
    Resolution,
)
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity
from kiosk.policy.sections import Identity

_POOLED = 5  # so many leading candidates are looked at as duplicates of each other
_EQUAL_BITS = 1.0  # a rival within that of the chosen candidate has equal evidence
_ONE_PERSON = 0.99  # two local records that probably one person's are no rivals
_RIVAL = "another registered person fits equally well"


@dataclass(frozen=True, slots=True)
class _Weighed:
    """The leading candidates and what was found about them. `chosen` is the one that may be
    accepted, `picked` the front desk's choice (-1: not among them), `others` the joint odds of
    the candidates left out."""

    locals: tuple[LocalPatient, ...]
    comparisons: tuple[Comparison, ...]
    found: Posterior
    same: Pairs
    others: float
    chosen: int
    picked: int


def propose(
    stated: PatientIdentity,
    candidates: Sequence[LocalPatient],
    statistics: IndexStatistics,
    settings: Identity,
    picked: Identifier | None = None,
    offered: Collection[str] = (),
) -> Proposal:
    """What to do with a disc's patient, given the roster records found for it. `offered` are the
    keys of records that are listed however many others fit better.

    With `picked` (the front desk's choice) the task is to verify that one record, without it to
    identify one among all. A candidate's `probability` is that of the disc being of the person
    whose record it is, open duplicates of the record included.
    """
    verifying = picked is not None
    weighed = _weigh(stated, candidates, statistics, settings.candidates, picked, offered)
    weighed = _capped(weighed, verifying)
    threshold = settings.verify_accept if verifying else settings.identify_accept
    objections = _objections(weighed, threshold)
    return Proposal(
        recommendation=_recommendation(stated, weighed, objections, settings, verifying),
        why=objections or _reasons(weighed),
        candidates=tuple(map(Candidate, weighed.locals, weighed.comparisons, weighed.found.pooled)),
        task="verify" if verifying else "identify",
        nobody=weighed.found.nobody,
        basis=_basis(weighed, statistics.size, threshold),
    )


def resolve(proposal: Proposal, at: str, policy_hash: str) -> Resolution | None:
    """The link that needs no person; None when one must look. `at` is ISO 8601 UTC."""
    if proposal.recommendation is not Recommendation.ACCEPT:
        return None
    best = accepted(proposal)
    return Resolution(
        action=Action.LINK,
        by="matcher",
        at=at,
        reason="; ".join(proposal.why),
        local=best.local.identity,
        local_key=best.local.key,
        picked=best.local.identity.identifier if proposal.task == "verify" else None,
        policy_hash=policy_hash,
    )


def recompute(proposal: Proposal) -> tuple[float, ...]:
    """The candidates' probabilities, from nothing but the stored proposal."""
    basis = dict(proposal.basis)
    same = {}
    for name, value in basis.items():
        kind, _, pair = name.partition(" ")
        if kind == "same-person":
            i, j = map(int, pair.split())
            same[i, j] = float(value)
    given = priors(int(basis["index-size"]), proposal.task == "verify")
    place, others = int(basis["picked"]), float(basis["others"])
    comparisons = [c.comparison for c in proposal.candidates]
    return posterior(comparisons, given, place, others, same).pooled


def under(stated: PatientIdentity, proposal: Proposal, settings: Identity) -> Recommendation:
    """What other thresholds make of a stored decision, whose probabilities stay as they were."""
    verifying = proposal.task == "verify"
    threshold = settings.verify_accept if verifying else settings.identify_accept
    nobody_chosen = verifying and int(dict(proposal.basis)["picked"]) < 0
    if proposal.candidates and not nobody_chosen:
        best = accepted(proposal)
        if not best.comparison.capped_by and best.probability >= threshold:
            return Recommendation.ACCEPT
    return _otherwise(stated, proposal.nobody, settings, verifying)


def accepted(proposal: Proposal) -> Candidate:
    """The candidate that a link would be to. Raises IndexError where there is none."""
    place = int(dict(proposal.basis)["picked"])
    return proposal.candidates[max(place, 0)]


def _weigh(
    stated: PatientIdentity,
    candidates: Sequence[LocalPatient],
    statistics: IndexStatistics,
    limit: int,
    picked: Identifier | None,
    offered: Collection[str],
) -> _Weighed:
    """Every candidate compared, the `limit` most probable kept with the picked one first, and
    those offered after them."""
    pairs = [(local, compare(stated, local, statistics)) for local in candidates]
    pairs.sort(key=lambda p: (_is_picked(p[0], picked), p[1].weight), reverse=True)
    listed = pairs[:limit] + [p for p in pairs[limit:] if p[0].key in offered]
    rest = [p for p in pairs[limit:] if p[0].key not in offered]
    given = priors(statistics.size, picked is not None)
    others = odds_of([comparison for _, comparison in rest], given)
    same = _duplicates([local for local, _ in listed[:_POOLED]], statistics)
    comparisons = _without_own_copies(stated, listed, same, statistics)
    chosen = 0 if listed and (picked is None or _is_picked(listed[0][0], picked)) else -1
    place = chosen if picked else -1
    found = posterior(comparisons, given, place, others, same)
    locals_ = tuple(local for local, _ in listed)
    return _Weighed(locals_, comparisons, found, same, others, chosen, place)


def _is_picked(local: LocalPatient, picked: Identifier | None) -> bool:
    return picked is not None and is_identifier_of(picked, local)


def _duplicates(leading: Sequence[LocalPatient], statistics: IndexStatistics) -> Pairs:
    """How probable it is that two leading records are one person's, where it is at all."""
    same: dict[tuple[int, int], float] = {}
    for i, one in enumerate(leading):
        alone = replace(one.identity, identifiers=())
        others = without(statistics, one)
        for j in range(i + 1, len(leading)):
            if one.multiple_birth or leading[j].multiple_birth:
                continue  # the other one may be the twin
            alike = one_person(compare(alone, leading[j], others), statistics.size)
            if alike > 0.01:
                same[i, j] = same[j, i] = alike
    return same


def _without_own_copies(
    stated: PatientIdentity,
    listed: Sequence[tuple[LocalPatient, Comparison]],
    same: Pairs,
    statistics: IndexStatistics,
) -> tuple[Comparison, ...]:
    """A person's second record makes the name no more common: compared again without it."""
    comparisons = [comparison for _, comparison in listed]
    for i, (local, _) in enumerate(listed):
        copies = [j for (a, j), q in same.items() if a == i and q >= _ONE_PERSON]
        others = statistics
        for j in copies:
            others = without(others, listed[j][0])
        if copies:
            comparisons[i] = compare(stated, local, others)
    return tuple(comparisons)


def _capped(weighed: _Weighed, verifying: bool) -> _Weighed:
    """Ceilings that need more than one comparison: no birth date, and rivals."""
    if weighed.chosen < 0:
        return weighed
    mine = weighed.comparisons[weighed.chosen]
    cap = mine.capped_by or ceiling(mine, verifying) or _rival(weighed)
    comparisons = list(weighed.comparisons)
    comparisons[weighed.chosen] = replace(mine, capped_by=cap)
    return replace(weighed, comparisons=tuple(comparisons))


def _rival(weighed: _Weighed) -> str:
    enough = weighed.comparisons[weighed.chosen].weight - _EQUAL_BITS
    for i, comparison in enumerate(weighed.comparisons):
        if i == weighed.chosen or comparison.weight < enough:
            continue
        if weighed.same.get((weighed.chosen, i), 0.0) < _ONE_PERSON:
            return _RIVAL
    return ""


def _objections(weighed: _Weighed, threshold: float) -> tuple[str, ...]:
    """Why the chosen candidate is not accepted without a person; empty when it is."""
    if weighed.chosen < 0:
        return ("nobody in the roster resembles this patient",)
    cap = weighed.comparisons[weighed.chosen].capped_by
    probability = weighed.found.pooled[weighed.chosen]
    unsure = f"not certain enough: {probability:.4f} of the {threshold:g} that is asked for"
    return ((cap,) if cap else ()) + ((unsure,) if probability < threshold else ())


def _reasons(weighed: _Weighed) -> tuple[str, ...]:
    evidence = weighed.comparisons[weighed.chosen].evidence
    return tuple(e.words for e in evidence if e.weight >= 1.0 and e.words)


def _recommendation(
    stated: PatientIdentity,
    weighed: _Weighed,
    objections: tuple[str, ...],
    settings: Identity,
    verifying: bool,
) -> Recommendation:
    if not objections:
        return Recommendation.ACCEPT
    return _otherwise(stated, weighed.found.nobody, settings, verifying)


def _otherwise(
    stated: PatientIdentity, nobody: float, settings: Identity, verifying: bool
) -> Recommendation:
    if verifying or not usable(stated) or not known_date(stated.birth_date):
        return Recommendation.REVIEW  # nobody can be ruled out without a name or a birth date
    plausible = nobody <= 1 - settings.none_below
    return Recommendation.REVIEW if plausible else Recommendation.NONE


def _basis(weighed: _Weighed, size: int, threshold: float) -> tuple[tuple[str, float | str], ...]:
    """Everything the probabilities were computed from besides the comparisons themselves."""
    pairs = tuple((f"same-person {i} {j}", q) for (i, j), q in sorted(weighed.same.items()))
    return (
        ("model", MODEL),
        ("index-size", float(size)),
        ("threshold", threshold),
        ("picked", float(weighed.picked)),
        ("others", weighed.others),
        *pairs,
    )
