"""`kiosk policy`: a draft is checked by itself, and held against what was decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from kiosk import __main__, identity
from kiosk.cli.context import Context
from kiosk.cli.governing import explaining
from kiosk.cli.governing.replaying import day, replay, words
from kiosk.policy import Condition, Policy, Routing, Rule
from kiosk.policy.sections import Destination, Identity
from tests.engine.conftest import Station

EVER = day("2020-01-01")


def context_of(here: Station) -> Context:
    return Context(here.policy, None, here.folder, here.rows, here.vault)


def draft_of(here: Station, **sections: object) -> Policy:
    return here.policy.model_copy(update=sections)


@pytest.fixture
def past(here: Station, known: Path, unsure: Path) -> Station:
    """One disc was linked by the matcher, one waits for HIM."""
    here.register()
    here.insert(known)
    here.insert(unsure)
    here.work()
    return here


def test_the_policy_in_force_would_have_decided_the_same(past: Station) -> None:
    found = replay(context_of(past), past.policy, EVER)
    assert (found["cases"], found["decisions"], found["routes"]) == (2, [], [])
    assert words(found)[-1] == "Nothing would have been otherwise."


def test_a_stricter_draft_says_which_discs_would_have_waited(past: Station) -> None:
    strict = Identity(local_issuer="HOSP", review_only=True)
    found = replay(context_of(past), draft_of(past, identity=strict), EVER)
    (one,) = found["decisions"]
    assert (one["was"], one["would_be"], one["contradicts"]) == ("accept", "review", False)


def test_a_draft_that_links_against_what_people_decided_is_warned_of(past: Station) -> None:
    """HIM chose the one record, a careless draft would have linked to the other by itself."""
    waiting = 2
    proposal = past.case(waiting).proposal
    assert proposal is not None
    linked = identity.accepted(proposal).local
    other = next(c.local for c in proposal.candidates if c.local.key != linked.key)
    past.decide(waiting, other.identity.identifier.value)
    careless = Identity(local_issuer="HOSP", identify_accept=0.0)
    found = replay(context_of(past), draft_of(past, identity=careless), EVER)
    capped = identity.accepted(proposal).comparison.capped_by
    assert found["contradicted"] == (0 if capped else 1)
    if not capped:
        assert "Do not put this policy into force" in words(found)[-1]


def test_a_draft_s_rules_say_where_studies_would_have_gone(past: Station) -> None:
    draft = draft_of(
        past,
        destination=(*past.policy.destination, Destination(name="RESEARCH", port=2)),
        routing=Routing(
            default=("PACS",), rule=(Rule(to=("RESEARCH",), when=Condition(modality=("CT",))),)
        ),
    )
    found = replay(context_of(past), draft, EVER)
    assert {tuple(route["was"]) for route in found["routes"]} == {("PACS",)}
    assert {tuple(route["would_be"]) for route in found["routes"]} == {("RESEARCH",)}


def test_only_the_days_that_were_asked_for_are_looked_at(past: Station) -> None:
    assert replay(context_of(past), past.policy, day("2999-01-01"))["cases"] == 0


def test_a_draft_is_checked_by_file_line_and_key(tmp_path: Path) -> None:
    draft = tmp_path / "draft.toml"
    draft.write_text('[site]\nname = "X"\nnane = "Y"\n')
    done = CliRunner().invoke(__main__.app, ["policy", "check", str(draft)])
    assert done.exit_code == 1
    assert f"{draft}:3: site.nane" in done.output
    draft.write_text(
        "[[destination]]\nname='A'\n[[destination]]\nname='B'\n[routing]\ndefault=['A']"
    )
    done = CliRunner().invoke(__main__.app, ["policy", "check", str(draft), "--json"])
    assert done.exit_code == 0
    assert "Nothing is ever sent to B." in json.loads(done.stdout)["remarks"]


def test_other_policies_leave_the_stored_decision_as_it_is(past: Station) -> None:
    """`under` with a decision's own thresholds is that decision."""
    for intake in (1, 2):
        case = past.case(intake)
        assert case.proposal is not None
        same = identity.under(case.stated, case.proposal, past.policy.identity)
        assert same is case.proposal.recommendation


def explained(here: Station, intake: int) -> dict[str, Any]:
    return explaining.explain(context_of(here), here.intake(intake).ticket)


def test_a_decision_of_the_matcher_is_explained_by_its_figures_rules_and_policy(
    past: Station,
) -> None:
    """The probability was over the threshold, a rule gave the way, and both keep their policy."""
    (case,) = explained(past, 1)["cases"]
    match, decision = case["match"], case["decision"]
    assert (match["recommendation"], match["best"] >= match["threshold"]) == ("accept", True)
    assert (decision["by"], decision["policy"]) == ("matcher", past.policy.hash)
    assert {route["because"] for route in case["routes"]} == {
        delivery.because for delivery in past.deliveries(1)
    }
    assert all(route["policy"] == past.policy.hash for route in case["routes"])


def test_what_waits_for_a_person_is_explained_by_why(past: Station) -> None:
    (case,) = explained(past, 2)["cases"]
    assert (case["state"], case["decision"], case["routes"]) == ("AWAITING", None, [])
    assert case["waits_because"] == list(past.case(2).reasons) != []


def test_an_explanation_names_the_policy_of_a_decision_that_is_no_longer_in_force(
    past: Station,
) -> None:
    found = explained(past, 1)
    assert not any("under policy" in line for line in explaining.words(found))
    later = explaining.words(found | {"policy": "f" * 64})
    assert any(f"under policy {past.policy.hash[:12]}" in line for line in later)


def test_an_explanation_names_nobody(past: Station) -> None:
    for intake in (1, 2):
        said = json.dumps(explained(past, intake), ensure_ascii=False)
        stated = past.case(intake).stated
        assert stated.name.family not in said
        assert stated.identifier.value not in said


def test_a_ticket_that_nobody_has_is_said(past: Station) -> None:
    with pytest.raises(typer.Exit):
        explaining.explain(context_of(past), "MAPLE-0")
