"""A draft policy held against what was decided: the matcher's stored probabilities under the
draft's thresholds, and each study's way under the draft's rules."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from kiosk import identity
from kiosk.cli.context import Context, fail
from kiosk.model.content import Study
from kiosk.model.matching import Action, Recommendation, Resolution
from kiosk.model.work import Case
from kiosk.policy import Policy, idle_rules
from kiosk.store import Transaction

CONTRADICTED = (
    "would have been linked by itself to another patient than the one that people decided for"
)


def remarks(policy: Policy) -> list[str]:
    """What a usable configuration says that nobody may have meant."""
    said = [
        f"Routing rule {number} can never match: rule {earlier} takes everything that fits it."
        for number, earlier in idle_rules(policy.routing)
    ]
    named = {name for rule in policy.routing.rule for name in rule.to} | set(policy.routing.default)
    if policy.routing.default:
        said += [
            f"Nothing is ever sent to {target.name}."
            for target in policy.destination
            if target.name not in named
        ]
    if not policy.identity.local_issuer:
        said.append("identity.local_issuer is empty: no number on a disc is known to be ours.")
    return said


def day(text: str, option: str = "--since") -> date:
    """Ends the program with exit 2 where it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{option} {text!r} is no day: write 2026-11-24.", code=2)


def replay(context: Context, draft: Policy, since: date) -> dict[str, Any]:
    """`decisions` and `routes` are what would have been otherwise; `contradicted` counts the links
    that people had decided against, the one figure that must stay 0."""
    decisions: list[dict[str, Any]] = []
    routes: list[dict[str, Any]] = []
    looked = 0
    with context.store.read() as tx:
        for case in tx.cases.since(since.isoformat()):
            looked += 1
            ticket = tx.intakes.get(case.intake).ticket
            decisions += _decision(case, ticket, draft)
            routes += _routes(tx, case, ticket, draft)
    contradicted = sum(bool(each["contradicts"]) for each in decisions)
    return {
        "policy": draft.hash,
        "cases": looked,
        "contradicted": contradicted,
        "decisions": decisions,
        "routes": routes,
    }


def _decision(case: Case, ticket: str, draft: Policy) -> list[dict[str, Any]]:
    if case.proposal is None:
        return []
    was = case.proposal.recommendation
    would = identity.under(case.stated, case.proposal, draft.identity)
    if would is Recommendation.ACCEPT and draft.identity.review_only:
        would = Recommendation.REVIEW
    if was is would:
        return []
    against = would is Recommendation.ACCEPT and _otherwise(case)
    return [
        {
            "ticket": ticket,
            "case": case.id,
            "was": was.value,
            "would_be": would.value,
            "contradicts": against,
        }
    ]


def _otherwise(case: Case) -> bool:
    """Whether people decided for another patient than the link would have been to."""
    resolution: Resolution | None = case.resolution
    if resolution is None or resolution.by == "matcher" or case.proposal is None:
        return False
    linked = identity.accepted(case.proposal).local.key
    return resolution.action is not Action.LINK or resolution.local_key != linked


def _routes(tx: Transaction, case: Case, ticket: str, draft: Policy) -> list[dict[str, Any]]:
    sent: dict[str, set[str]] = {}
    for delivery in tx.deliveries.of_case(case.id):
        sent.setdefault(delivery.study_instance_uid, set()).add(delivery.destination)
    if not sent:
        return []
    key = case.resolution.local_key if case.resolution else ""
    local = tx.roster.get(key) if key else None
    opened = datetime.fromisoformat(case.created_at).date()
    found = []
    for _, study in tx.cases.studies(case.id):
        would = {route.destination for route in draft.routes_of(study, local, opened)}
        was = sent.get(study.study_instance_uid, set())
        if was and would != was:
            found.append(_otherwise_sent(study, case, ticket, was, would))
    return found


def _otherwise_sent(
    study: Study, case: Case, ticket: str, was: set[str], would: set[str]
) -> dict[str, Any]:
    return {
        "ticket": ticket,
        "case": case.id,
        "study": study.study_instance_uid,
        "was": sorted(was),
        "would_be": sorted(would),
    }


def words(found: dict[str, Any]) -> list[str]:
    said = [f"{found['cases']} cases were looked at under policy {found['policy'][:12]}."]
    said += [
        f"{d['ticket']} case {d['case']}: {d['was']} -> {d['would_be']}"
        + "  AGAINST what people decided" * d["contradicts"]
        for d in found["decisions"]
    ]
    said += [
        f"{r['ticket']} case {r['case']}: to {', '.join(r['would_be'])} instead of "
        f"{', '.join(r['was'])}"
        for r in found["routes"]
    ]
    if found["contradicted"]:
        said.append(f"{found['contradicted']} {CONTRADICTED}. Do not put this policy into force.")
    elif not found["decisions"] and not found["routes"]:
        said.append("Nothing would have been otherwise.")
    return said
