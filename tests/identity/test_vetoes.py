"""What is never linked without a person, however probable it looks."""

from __future__ import annotations

import pytest

from kiosk.identity import propose
from kiosk.model.matching import IndexStatistics, Recommendation
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PatientStatus
from tests.identity.people import SETTINGS, identified, on_disc, registered, verified

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


CEILINGS = {
    "no birth date to compare": on_disc("MOREAU^JANE^Q", "19000101"),
    "family names differ": on_disc("LINDQVIST^JANE"),
    "temporary name of a newborn": on_disc("MOREAU^BABYGIRL"),
}


@pytest.mark.parametrize(("reason", "stated"), CEILINGS.items(), ids=CEILINGS)
def test_a_ceiling_stops_a_search_only(reason: str, stated: PatientIdentity) -> None:
    """The front desk's pick makes up for what the disc does not say."""
    searched = identified(stated, JANE)
    assert searched.recommendation is Recommendation.REVIEW
    assert searched.candidates[0].comparison.capped_by == reason
    assert verified(stated, "1", JANE).recommendation is Recommendation.ACCEPT


def test_a_pick_without_a_birth_date_needs_a_name_that_nobody_else_has() -> None:
    namesake = registered("2", "MOREAU^JANE^Q", "19880101")
    proposal = verified(on_disc("MOREAU^JANE^Q", ""), "1", JANE, namesake)
    assert proposal.recommendation is Recommendation.REVIEW


def test_a_search_without_a_birth_date_needs_a_rare_name_and_the_home() -> None:
    """The whole name of one person here, living at the same place: one of the two is not enough."""
    home = {"address": "12 ELM ST^^HOUSTON", "telephone": "7135550101"}
    local = registered("1", "MOREAU^JANE^Q", **home)
    at_home = on_disc("MOREAU^JANE^Q", "", **home)
    assert identified(at_home, local).recommendation is Recommendation.ACCEPT
    assert identified(on_disc("MOREAU^JANE^Q", ""), local).recommendation is Recommendation.REVIEW
    alike = on_disc("MOREAU^JANIE^Q", "", **home)
    assert identified(alike, local).recommendation is Recommendation.REVIEW
    common = IndexStatistics(100_000, {"n:JANE|MOREAU": 2})
    proposal = propose(at_home, (local,), common, SETTINGS)
    assert proposal.candidates[0].comparison.capped_by == "no birth date to compare"


def test_a_pick_without_a_birth_date_tells_no_father_from_his_son() -> None:
    son = registered("1", "MOREAU^JOHN", sex="M")
    proposal = verified(on_disc("MOREAU^JOHN^^^JR", "", "M"), "1", son)
    assert proposal.candidates[0].comparison.capped_by == "no birth date to compare"


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
