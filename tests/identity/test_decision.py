"""The matcher's decision, read as a specification."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiosk.identity import propose, recompute, resolve
from kiosk.model.matching import IndexStatistics, Proposal, Recommendation
from kiosk.model.patient import Identifier, PatientIdentity
from kiosk.model.plain import from_plain, to_plain
from tests.identity.people import (
    BORN,
    SETTINGS,
    former,
    identified,
    on_disc,
    registered,
    verified,
    why,
)

JANE = registered("1", "MOREAU^JANE^QUEENIE")
NOW = "2026-01-15T12:00:00Z"


def test_full_agreement_is_accepted_and_linked_by_the_matcher() -> None:
    proposal = identified(on_disc("MOREAU^JANE^Q"), JANE)
    link = resolve(proposal, NOW, "hash")
    assert proposal.recommendation is Recommendation.ACCEPT
    assert link is not None
    assert (link.by, link.local_key, link.policy_hash) == ("matcher", "1", "hash")
    assert link.picked is None


def test_what_is_not_accepted_is_not_linked() -> None:
    proposal = identified(on_disc("MOREAU^JANE", "19620414"), JANE)
    assert proposal.recommendation is Recommendation.REVIEW
    assert resolve(proposal, NOW, "hash") is None


def test_nobody_registered_is_said_when_nobody_resembles_the_patient() -> None:
    assert identified(on_disc("MOREAU^JANE")).recommendation is Recommendation.NONE
    stranger = registered("2", "MOREAU^PIERRE", "19890101", sex="M")
    assert identified(on_disc("MOREAU^JANE"), stranger).recommendation is Recommendation.NONE


@pytest.mark.parametrize(
    "name",
    ["Moreau, Jane Q", "JANE Q MOREAU", "MOREAU JANE Q", "moreau^jane q^", "MOREAU^JANE^^MRS"],
)
def test_the_ways_to_write_one_name_lead_to_one_decision(name: str) -> None:
    assert identified(on_disc(name), JANE).recommendation is Recommendation.ACCEPT


def test_a_common_name_in_a_large_index_is_not_enough_without_more() -> None:
    """2,000 of a million share the name: one of them has the stranger's birth date by chance."""
    common = IndexStatistics(1_000_000, {"n:JANE|MOREAU": 2_000})
    rare = IndexStatistics(1_000_000, {"n:JANE|MOREAU": 1})
    stated = on_disc("MOREAU^JANE")
    assert propose(stated, [JANE], rare, SETTINGS).recommendation is Recommendation.ACCEPT
    assert propose(stated, [JANE], common, SETTINGS).recommendation is Recommendation.REVIEW


def test_two_people_with_equal_evidence_are_never_decided_between() -> None:
    other = registered("2", "MOREAU^JANE")
    proposal = identified(on_disc("MOREAU^JANE"), registered("1", "MOREAU^JANE"), other)
    assert proposal.recommendation is Recommendation.REVIEW
    assert "another registered person fits equally well" in why(proposal)


def test_a_pick_does_not_decide_between_two_people_with_equal_evidence() -> None:
    pair = registered("1", "MOREAU^JANE"), registered("2", "MOREAU^JANE")
    assert verified(on_disc("MOREAU^JANE"), "1", *pair).recommendation is Recommendation.REVIEW


def test_an_open_duplicate_of_the_record_is_no_rival() -> None:
    """Same name, birth date, telephone and address: one person registered twice."""
    contact = {"address": "12 ELM ST^^HOUSTON", "telephone": "7135550101"}
    pair = [registered(number, "MOREAU^JANE^Q", **contact) for number in ("1", "2")]
    assert identified(on_disc("MOREAU^JANE^Q"), *pair).recommendation is Recommendation.ACCEPT


def test_our_own_number_with_its_issuer_makes_up_for_a_missing_birth_date() -> None:
    stated = on_disc("MOREAU^JANE", "", identifiers=(Identifier("1", "HOSP"),))
    assert identified(stated, JANE).recommendation is Recommendation.ACCEPT


def test_the_same_number_without_issuer_is_almost_no_evidence() -> None:
    stated = on_disc("MOREAU^JANE", "", identifiers=(Identifier("1"),))
    proposal = identified(stated, JANE)
    weight = next(
        e.weight for e in proposal.candidates[0].comparison.evidence if e.level == "number-only"
    )
    assert 0 < weight <= 2
    assert proposal.recommendation is Recommendation.REVIEW


def test_a_pick_makes_up_for_a_married_name_but_a_search_does_not() -> None:
    stated = on_disc("LINDQVIST^JANE^Q")
    assert verified(stated, "1", JANE).recommendation is Recommendation.ACCEPT
    assert identified(stated, JANE).recommendation is Recommendation.REVIEW


def test_a_former_name_is_recognised() -> None:
    married = registered("1", "MOREAU^JANE^Q", former_names=former("LINDQVIST^JANE^Q"))
    proposal = identified(on_disc("LINDQVIST^JANE^Q"), married)
    assert proposal.recommendation is Recommendation.ACCEPT
    assert "agrees with a former or other name" in [
        e.words for e in proposal.candidates[0].comparison.evidence
    ]


def test_a_pick_of_somebody_else_is_not_accepted() -> None:
    sister = registered("2", "MOREAU^CLAIRE", "19640902")
    proposal = verified(on_disc("MOREAU^JANE^Q"), "2", JANE, sister)
    assert proposal.recommendation is Recommendation.REVIEW
    assert proposal.candidates[0].local.key == "2"


def test_a_picked_number_that_no_candidate_has_waits_for_a_person() -> None:
    assert verified(on_disc("MOREAU^JANE^Q"), "77", JANE).recommendation is Recommendation.REVIEW


def test_a_verified_link_names_the_pick() -> None:
    link = resolve(verified(on_disc("MOREAU^JANE^Q"), "1", JANE), NOW, "hash")
    assert link is not None
    assert link.picked == Identifier("1", "HOSP")


def test_at_most_ten_candidates_are_listed_the_most_probable_first() -> None:
    crowd = [registered(str(n), f"MOREAU^JANE^{chr(65 + n)}") for n in range(20)]
    found = identified(on_disc("MOREAU^JANE^Q"), *crowd).candidates
    assert len(found) == 10
    assert found[0].local.identity.name.middle == "Q"
    assert [c.probability for c in found] == sorted((c.probability for c in found), reverse=True)


def test_every_stored_decision_recomputes_bit_by_bit() -> None:
    """Through the store's own encoding, with rivals, duplicates and candidates left out."""
    contact = {"telephone": "7135550101"}
    crowd = [registered(str(n), f"MOREAU^JANE^{chr(65 + n % 7)}", **contact) for n in range(14)]
    for proposal in (
        identified(on_disc("MOREAU^JANE^C"), *crowd),
        verified(on_disc("MOREAU^JANE^C"), "3", *crowd),
        identified(PatientIdentity(), JANE),
        identified(on_disc("MOREAU^JANE")),
    ):
        stored = from_plain(Proposal, to_plain(proposal))
        assert recompute(stored) == tuple(c.probability for c in proposal.candidates)


def test_every_weighed_piece_of_evidence_is_said_in_words() -> None:
    stated = on_disc("MOREAU^JANE^^^JR", address="1 A ST", telephone="7135550101")
    local = registered("1", "MOREAU^JANE^^^SR", address="1 A ST", telephone="7135550101")
    for evidence in identified(stated, local).candidates[0].comparison.evidence:
        assert evidence.words or evidence.weight == 0


def test_a_stricter_threshold_of_the_site_is_obeyed() -> None:
    strict = SETTINGS.model_copy(update={"identify_accept": 1.0})
    proposal = propose(on_disc("MOREAU^JANE^Q"), [JANE], IndexStatistics(100_000), strict)
    assert proposal.recommendation is Recommendation.REVIEW
    assert "not certain enough" in why(proposal)


def test_a_disc_without_a_birth_date_is_never_called_unregistered() -> None:
    assert identified(on_disc("MOREAU^JANE", "")).recommendation is Recommendation.REVIEW
    assert identified(on_disc("MOREAU^JANE", BORN)).recommendation is Recommendation.NONE


def test_the_statement_is_all_that_is_compared() -> None:
    """Deceased, confidential and visits of a record change nothing: they are for the person."""
    other = replace(JANE, deceased=True, confidential=True)
    stated = on_disc("MOREAU^JANE^Q")
    assert identified(stated, other).recommendation is identified(stated, JANE).recommendation
