"""What is never linked without a person, however probable it looks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiosk.identity import propose
from kiosk.model.matching import IndexStatistics, Recommendation
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PatientStatus
from tests.identity.people import SETTINGS, identified, on_disc, registered, verified, why

JANE = registered("1", "MOREAU^JANE^Q")
JOHN = registered("1", "MOREAU^JOHN^^^JR", sex="M")
TWIN = registered("1", "MOREAU^ROSE", multiple_birth=True)


def held(status: PatientStatus) -> LocalPatient:
    return registered("1", "MOREAU^JANE^Q", status=status)


VETOES = {
    "birth dates differ": (on_disc("MOREAU^JANE^Q", "19710922"), JANE),
    "suffixes differ: father and son?": (on_disc("MOREAU^JOHN^^^SR", sex="M"), JOHN),
    "given names differ with the same family name and birth date: twins?": (
        on_disc("MOREAU^CLAIRE^Q"),
        JANE,
    ),
    "given names differ": (on_disc("LINDQVIST^CLAIRE^Q"), JANE),
    "the disc names nobody: anonymous, an alias or a test": (on_disc("ANONYMOUS"), JANE),
    "the local record is a temporary registration": (
        on_disc("MOREAU^JANE^Q"),
        registered("1", "TRAUMA^ALPHA"),
    ),
    "no full name to compare": (on_disc("MOREAU"), JANE),
    "newborn of a multiple birth": (on_disc("MOREAU^BABYGIRL B"), TWIN),
    "the local record is held: it may mix two patients": (
        on_disc("MOREAU^JANE^Q"),
        held(PatientStatus.HELD),
    ),
    "the local record was merged into another": (
        on_disc("MOREAU^JANE^Q"),
        held(PatientStatus.MERGED),
    ),
    "the local record was removed from use": (
        on_disc("MOREAU^JANE^Q"),
        held(PatientStatus.INACTIVE),
    ),
    "the local record is a test patient": (on_disc("MOREAU^JANE^Q"), held(PatientStatus.TEST)),
    "sex and given name differ: brother and sister?": (
        on_disc("MOREAU^JOHNNY", sex="F"),
        JOHN,
    ),
    "middle names differ: a namesake?": (on_disc("MOREAU^JANE^ROSE"), JANE),
    "the disc carries our number of another patient": (
        on_disc("MOREAU^JANE^Q", identifiers=(Identifier("2", "HOSP"),)),
        JANE,
    ),
}


@pytest.mark.parametrize(("reason", "pair"), VETOES.items(), ids=VETOES)
def test_a_veto_stops_search_and_pick_alike(
    reason: str, pair: tuple[PatientIdentity, LocalPatient]
) -> None:
    stated, local = pair
    picked = verified(stated, "1", local)
    assert picked.recommendation is Recommendation.REVIEW
    assert picked.candidates[0].comparison.capped_by == reason
    searched = identified(stated, local)
    assert searched.recommendation is not Recommendation.ACCEPT
    assert searched.candidates[0].comparison.capped_by == reason


def test_a_pick_makes_up_for_what_a_search_doubts() -> None:
    """A family name that changed, and nothing but the given name that agrees besides the date."""
    stated = on_disc("LINDQVIST^JANE")
    searched = identified(stated, JANE)
    assert searched.recommendation is Recommendation.REVIEW
    assert "not certain enough" in "; ".join(searched.why)
    assert verified(stated, "1", JANE).recommendation is Recommendation.ACCEPT


def test_a_man_whose_family_name_differs_and_whose_given_name_only_sounds_alike_is_not_him() -> (
    None
):
    local = registered("1", "MOREAU^SHONDRAH")
    for proposal in (
        identified(on_disc("LINDQVIST^SHAWNDRA"), local),
        verified(on_disc("LINDQVIST^SHAWNDRA"), "1", local),
    ):
        assert proposal.candidates[0].comparison.capped_by == "family names differ"


def test_a_newborn_without_a_name_is_found_by_family_name_and_birth_date_alone() -> None:
    """Unless there are two of them: a twin has no other birth date (Joint Commission NPSG 1)."""
    baby = registered("1", "LINDQVIST^ROSE", "20260110")
    rare = IndexStatistics(100_000, {"f:LINDQVIST": 1, "b:20260110": 3})
    stated = on_disc("LINDQVIST^BABYGIRL", "20260110")
    assert propose(stated, [baby], rare, SETTINGS).recommendation is Recommendation.ACCEPT
    common = IndexStatistics(100_000, {"f:LINDQVIST": 4_000, "b:20260110": 3})
    assert propose(stated, [baby], common, SETTINGS).recommendation is Recommendation.REVIEW
    twin = replace(baby, multiple_birth=True)
    assert propose(stated, [twin], rare, SETTINGS).recommendation is Recommendation.REVIEW
    sister = registered("2", "LINDQVIST^MAUD", "20260110")
    assert propose(stated, [baby, sister], rare, SETTINGS).recommendation is Recommendation.REVIEW


def test_a_pick_without_a_birth_date_needs_a_name_that_nobody_else_has() -> None:
    namesake = registered("2", "MOREAU^JANE^Q", "19880101")
    proposal = verified(on_disc("MOREAU^JANE^Q", ""), "1", JANE, namesake)
    assert proposal.recommendation is Recommendation.REVIEW


RARE = IndexStatistics(100_000, {"f:MOREAU": 2, "g:JANE": 500, "g:JOHN": 900})
COMMON = IndexStatistics(100_000, {"f:MOREAU": 900, "g:JANE": 2_000})
TWO = IndexStatistics(100_000, {"f:MOREAU": 2, "g:JANE": 500, "n:JANE|MOREAU": 2})


@pytest.mark.parametrize(
    ("name", "statistics", "home", "accepted"),
    [
        ("MOREAU^JANE^Q", RARE, False, True),
        ("MOREAU^JANE", COMMON, False, False),
        ("MOREAU^JANE^Q", COMMON, True, True),
        ("MOREAU^JANE^Q", TWO, True, False),  # the other one may be meant
        ("MOREAU^JANIE^Q", RARE, True, False),
        ("MOREAU^JANE^Q^^JR", RARE, True, False),
    ],
)
def test_a_search_without_a_birth_date_needs_a_rare_name_or_the_home(
    name: str, statistics: IndexStatistics, home: bool, accepted: bool
) -> None:
    """The whole name of one person here: rare, or of somebody who lives at that address."""
    contact = {"address": "12 ELM ST^^HOUSTON", "telephone": "7135550101"} if home else {}
    local = registered("1", "MOREAU^JANE^Q", **contact)
    proposal = propose(on_disc(name, "", **contact), (local,), statistics, SETTINGS)
    assert (proposal.recommendation is Recommendation.ACCEPT) is accepted


def test_nobody_tells_a_father_from_his_son_without_a_birth_date() -> None:
    """Not with a suffix on one side, nor without any; a mother's and daughter's names differ."""
    for stated, local in (
        ("MOREAU^JOHN^^^JR", registered("1", "MOREAU^JOHN", sex="M")),
        ("MOREAU^JOHN^Q", registered("1", "MOREAU^JOHN^Q", sex="M")),
    ):
        for pick in (Identifier("1", "HOSP"), None):
            proposal = propose(on_disc(stated, "", "M"), (local,), RARE, SETTINGS, pick)
            assert proposal.candidates[0].comparison.capped_by == "no birth date to compare"
    her = propose(on_disc("MOREAU^JANE", ""), (JANE,), RARE, SETTINGS, Identifier("1", "HOSP"))
    assert her.recommendation is Recommendation.ACCEPT


def test_a_pick_without_a_birth_date_may_have_hit_a_namesake() -> None:
    """A common name, though nobody else here has it: the middle name must agree as well."""
    pick = Identifier("1", "HOSP")
    plain = propose(on_disc("MOREAU^JANE", ""), (JANE,), COMMON, SETTINGS, pick)
    assert plain.candidates[0].comparison.capped_by == "no birth date to compare"
    whole = propose(on_disc("MOREAU^JANE^Q", ""), (JANE,), COMMON, SETTINGS, pick)
    assert whole.recommendation is Recommendation.ACCEPT


def test_a_pick_of_the_other_sex_is_doubted_where_others_have_the_name() -> None:
    pick = Identifier("1", "HOSP")
    local = registered("1", "MOREAU^JANE")
    stated = on_disc("MOREAU^JANE", sex="M")
    proposal = propose(stated, (local,), TWO, SETTINGS, pick)
    reason = "sex differs and others here have this name"
    assert proposal.candidates[0].comparison.capped_by == reason
    assert propose(stated, (local,), RARE, SETTINGS, pick).recommendation is Recommendation.ACCEPT


@pytest.mark.parametrize(
    "name",
    ["ANON", "Anonymized^^", "X^X", "", "^", "PATIENT 1", "ANON4711", "DEIDENTIFIED",
     "UNKNOWN^MALE", "TRAUMA^BLUE", "EMERGENCY^PATIENT^7", "ZZTEST^ONE"],
)  # fmt: skip
def test_a_name_of_nobody_always_waits_for_a_person(name: str) -> None:
    """Even with a record that carries the same words."""
    proposal = identified(on_disc(name), registered("1", name), JANE)
    assert proposal.recommendation is Recommendation.REVIEW
    assert verified(on_disc(name), "1", JANE).recommendation is Recommendation.REVIEW


def test_john_doe_is_nobody_until_he_has_a_birth_date() -> None:
    """People of that name exist; an alias is registered with a default date."""
    john = registered("1", "DOE^JOHN^R", sex="M")
    assert identified(on_disc("DOE^JOHN^R", sex="M"), john).recommendation is Recommendation.ACCEPT
    alias = identified(on_disc("DOE^JOHN", "19000101", "M"), john)
    assert alias.candidates[0].comparison.capped_by.startswith("the disc names nobody")


def test_a_pick_is_not_confirmed_by_two_exchanged_initials() -> None:
    """PAUL R and ROBERT P: the front desk may have picked the twin."""
    robert = registered("1", "MOREAU^ROBERT^P", sex="M")
    proposal = verified(on_disc("MOREAU^PAUL^R", sex="M"), "1", robert)
    assert "only initials say that the given names are one person's" in why(proposal)


def test_a_rounded_birth_date_forbids_nothing_and_another_one_does() -> None:
    """1 January of the right year is what a registration writes that knows the year alone."""
    jane = registered("1", "MOREAU-LINDQVIST^JANE^QUEENIE")
    rounded = identified(on_disc("MOREAU-LINDQVIST^JANE^QUEENIE", "19620101"), jane)
    other = identified(on_disc("MOREAU-LINDQVIST^JANE^QUEENIE", "19621129"), jane)
    assert rounded.recommendation is Recommendation.ACCEPT
    assert "birth dates differ" in why(other)
