"""Relevance: which studies of a disc are suggested, which are older, which somebody must see first,
which are not wanted, by rules and first match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from kiosk.model.relevance.choice import Judged, Relevance, Triage
from kiosk.policy.conditions import Condition, Facts
from kiosk.policy.sections import Section

THEN = {
    "suggest": Relevance.SUGGESTED,
    "older": Relevance.OLDER,
    "triage": Relevance.SUGGESTED,
    "discard": Relevance.DISCARD,
}


class RelevanceRule(Section):
    """It takes a study as soon as one of its series fits. `owner` and `reason` are for people: who
    answers for the rule, and why it is there."""

    then: Literal["suggest", "older", "triage", "discard"]
    by: Literal["anyone", "nurse", "radiologist"] = "anyone"  # who must see what goes to triage
    name: str = ""
    owner: str = ""
    reason: str = ""
    when: Condition = Condition()


class RelevancePolicy(Section):
    """First match wins; what no rule takes is suggested. Of what is suggested, the newest study and
    `maximum_priors` before it stay so, the others are older. `ask`: who chooses what is brought in.
    "never": what the policy suggests is. "choice": the front desk, as soon as there is something to
    choose: an older study, several people. "always": the front desk, for each disc."""

    ask: Literal["never", "choice", "always"] = "never"
    maximum_priors: Annotated[int, Field(ge=0, le=1000)] | None = None
    # What triage put on hold is left out after so long; nothing that nobody saw ever is.
    held_days: Annotated[int, Field(ge=1, le=3650)] = 30
    override: bool = False  # whether triage may send a study elsewhere than the rules say
    previews: bool = True  # whether pictures are made at all
    rule: Annotated[tuple[RelevanceRule, ...], Field(max_length=500)] = ()


def judge(
    policy: RelevancePolicy, studies: Sequence[tuple[str, Sequence[Facts]]]
) -> tuple[Judged, ...]:
    """The policy's word on each study of one patient: its date (DA) and the facts of its series."""
    found = [_first(policy, facts) for _, facts in studies]
    if policy.maximum_priors is None:
        return tuple(found)
    wanted = [n for n, each in enumerate(found) if each.relevance is Relevance.SUGGESTED]
    newest = sorted(wanted, key=lambda n: studies[n][0], reverse=True)
    because = f"more than {policy.maximum_priors} priors"
    for n in newest[policy.maximum_priors + 1 :]:
        found[n] = replace(found[n], relevance=Relevance.OLDER, because=because)
    return tuple(found)


def _first(policy: RelevancePolicy, series: Sequence[Facts]) -> Judged:
    for number, rule in enumerate(policy.rule, 1):
        if any(rule.when.holds(facts) for facts in series):
            triage = Triage(rule.by) if rule.then == "triage" else Triage.NOBODY
            return Judged(THEN[rule.then], triage, label(number, rule))
    return Judged()


def label(number: int, rule: RelevanceRule) -> str:
    """How a rule is called: its number, and its name or else what it asks."""
    said = rule.name or rule.when.words or "everything"
    return f"rule {number} ({said})"
