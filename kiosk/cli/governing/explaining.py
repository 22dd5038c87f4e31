"""What was decided about one disc, by which rule, and of which policy: read back from the rows that
the decisions left, never computed anew."""

from __future__ import annotations

from typing import Any

from kiosk.cli.context import Context, fail
from kiosk.model.matching import Proposal, Resolution
from kiosk.model.work import Case, Delivery
from kiosk.store import Transaction


def explain(context: Context, ticket: str) -> dict[str, Any]:
    """`policy` is the hash in force today; each decision carries the hash that it was made under.
    No identity of a patient is in it, unless a person wrote one as the reason."""
    with context.store.read() as tx:
        intake = tx.intakes.by_ticket(ticket.strip().upper())
        if intake is None:
            fail(f"There is no import {ticket} in this database.")
        cases = [_case(tx, case) for case in tx.cases.of_intake(intake.id)]
    return {"ticket": intake.ticket, "policy": context.policy.hash, "cases": cases}


def _case(tx: Transaction, case: Case) -> dict[str, Any]:
    return {
        "case": case.id,
        "state": case.state.value,
        "match": _match(case.proposal) if case.proposal else None,
        "decision": _decision(case.resolution) if case.resolution else None,
        "waits_because": list(case.reasons),
        "routes": [_route(delivery) for delivery in tx.deliveries.of_case(case.id)],
    }


def _match(proposal: Proposal) -> dict[str, Any]:
    best = max((c.probability for c in proposal.candidates), default=0.0)
    basis = dict(proposal.basis)
    return {
        "recommendation": proposal.recommendation.value,
        "task": proposal.task,
        "best": round(best, 6),
        "threshold": basis.get("threshold"),
        "model": basis.get("model"),
        "why": list(proposal.why),
    }


def _decision(resolution: Resolution) -> dict[str, Any]:
    return {
        "action": resolution.action.value,
        "by": resolution.by,
        "second": resolution.second,
        "at": resolution.at,
        "reason": resolution.reason,
        "policy": resolution.policy_hash,
    }


def _route(delivery: Delivery) -> dict[str, Any]:
    return {
        "study": delivery.study_instance_uid,
        "destination": delivery.destination,
        "because": delivery.because,
        "state": delivery.state.value,
        "policy": delivery.policy_hash,
    }


def words(found: dict[str, Any]) -> list[str]:
    said = [f"{found['ticket']}, explained. The policy in force is {found['policy'][:12]}."]
    for case in found["cases"]:
        said.append(f"Case {case['case']}: {case['state']}")
        said += [f"  {line}" for line in _of_case(case, found["policy"])]
    if not found["cases"]:
        said.append("Nothing was decided: no patient was found on it.")
    return said


def _of_case(case: dict[str, Any], today: str) -> list[str]:
    said = []
    if match := case["match"]:
        said.append(
            f"The matcher ({match['model']}, {match['task']}) said {match['recommendation']}: "
            f"best {match['best']:.4f}, accepted from {match['threshold']}"
        )
        said += [f"  {why}" for why in match["why"]]
    if made := case["decision"]:
        people = " and ".join(filter(None, (made["by"], made["second"])))
        said.append(f"{made['action']} by {people} at {made['at']}{_under(made, today)}")
        said += [f"  {made['reason']}"] * bool(made["reason"])
    said += [f"Waits for a person: {why}" for why in case["waits_because"]]
    said += [
        f"Study {route['study']} to {route['destination']}: {route['because']} "
        f"({route['state']}){_under(route, today)}"
        for route in case["routes"]
    ]
    return said


def _under(decided: dict[str, Any], today: str) -> str:
    """Which policy it was, where that is not the one in force."""
    made_under = decided["policy"]
    return f" under policy {made_under[:12]}" if made_under and made_under != today else ""
