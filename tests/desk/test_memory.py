"""What people said of a foreign identity is remembered, offered, and taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiosk.desk import Refused, Role
from kiosk.desk.snapshots import CompareSnapshot, Earlier
from kiosk.model.content import StatedPatient
from kiosk.model.matching import Judgement
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.model.registration import PatientFields, RegistrationEvent
from kiosk.model.work import CaseState
from kiosk.ui.parts.messages import Words
from tests.desk.conftest import IMPORT_ONLY, JON, LINK, NOT_OURS, World, study


def again(world: World, who: PatientIdentity = JON) -> int:
    """Another disc of the same hospital, waiting for HIM."""
    world.insert()
    (case,) = world.catalog(StatedPatient(who, (study("1.2.9", 3),)))
    world.match(review_only=True)
    return case


def compare(world: World, case: int, name: str = "anna") -> CompareSnapshot:
    return world.desk(Role.HIM, name).compare(case)


def keys(world: World, case: int) -> list[str]:
    return [c.local.key for c in compare(world, case).candidates]


def earlier(world: World, case: int) -> list[Earlier]:
    """Of every candidate in its order, then of the patient as a whole."""
    shown = compare(world, case)
    return [*(e for c in shown.candidates for e in c.earlier), *shown.earlier]


def sentences(world: World, case: int) -> list[str]:
    return [Words("en").say(e.message) for e in earlier(world, case)]


def refusal(world: World, role: Role, name: str, case: int, remembered: int) -> str:
    with pytest.raises(Refused) as caught:
        world.desk(role, name).revoke(case, remembered, "it was his brother")
    return caught.value.message.id


def test_an_earlier_link_is_offered_first_and_the_case_waits(world: World, awaiting: int) -> None:
    unlikely = keys(world, awaiting)[-1]
    world.desk(Role.HIM, "berta").resolve(awaiting, LINK, unlikely, "asked the patient")
    case = again(world)
    assert world.case_state(case) is CaseState.AWAITING
    assert keys(world, case)[0] == unlikely
    assert sentences(world, case) == ["Earlier decision: same person, by berta on 24 NOV 2026."]
    assert earlier(world, case)[0].offered


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (replace(JON, birth_date="19620315"), "birth date"),
        (replace(JON, names=(PersonName("DOE", "JOHNNY"),)), "name"),
        (replace(JON, sex=""), "sex"),
    ],
)
def test_where_the_disc_states_otherwise_now_it_is_said_and_not_offered(
    world: World, awaiting: int, other: PatientIdentity, what: str
) -> None:
    first, last = keys(world, awaiting)
    world.desk(Role.HIM, "berta").resolve(awaiting, LINK, last, "asked the patient")
    case = again(world, other)
    assert keys(world, case) == [first, last]
    (said,) = sentences(world, case)
    assert said.endswith(f"The disc stated otherwise then: {what}.")
    assert not earlier(world, case)[0].offered


@pytest.mark.parametrize("number", [Identifier("A100", "ST JOHN"), Identifier("A100")])
def test_another_issuer_is_another_patient_and_a_bare_number_none(
    world: World, awaiting: int, number: Identifier
) -> None:
    world.desk(Role.HIM).resolve(awaiting, LINK, keys(world, awaiting)[0], "asked the patient")
    assert earlier(world, again(world, replace(JON, identifiers=(number,)))) == []


def test_an_import_only_decision_is_remembered(world: World, awaiting: int) -> None:
    world.desk(Role.HIM, "berta").resolve(awaiting, IMPORT_ONLY, "", "not-registered")
    case = again(world)
    assert sentences(world, case) == [
        "Earlier decision: nobody registered here, by berta on 24 NOV 2026."
    ]


def test_that_a_disc_is_not_ours_says_nothing_of_the_patient(world: World, awaiting: int) -> None:
    world.desk(Role.HIM).resolve(awaiting, NOT_OURS, "", "not-wanted")
    assert earlier(world, again(world)) == []


def test_a_refused_candidate_is_shown_as_such_on_this_disc_and_the_next(
    world: World, awaiting: int
) -> None:
    """The case goes on waiting; who said it, when and why is in the journal."""
    key = keys(world, awaiting)[0]
    world.desk(Role.HIM, "berta").refuse(awaiting, key, "refused-apart")
    assert world.case_state(awaiting) is CaseState.AWAITING
    for case in (awaiting, again(world)):
        column = next(c for c in compare(world, case).candidates if c.local.key == key)
        assert [Words("en").say(e.message) for e in column.earlier] == [
            "Earlier decision: not this person, by berta on 24 NOV 2026."
        ]
    assert world.events("case.refused-candidate") == 1


def test_nobody_is_refused_for_a_disc_whose_number_has_no_issuer(world: World) -> None:
    """There is nothing that the next disc could be known by."""
    key = world.register("0012346", PersonName("DOE", "JOHN"), "19620314", "M")
    case = again(world, replace(JON, identifiers=(Identifier("A100"),)))
    with pytest.raises(Refused) as caught:
        world.desk(Role.HIM).refuse(case, key, "refused-apart")
    assert caught.value.message.id == "KX-432"


def test_the_newest_word_on_a_record_counts(world: World, awaiting: int) -> None:
    key = keys(world, awaiting)[0]
    world.desk(Role.HIM, "berta").resolve(awaiting, LINK, key, "typed-wrong")
    second = again(world)
    world.desk(Role.HIM, "carla").refuse(second, key, "refused-apart")
    assert [e.message.id for e in earlier(world, again(world))] == ["earlier.not-same-person"]


def test_a_link_outdates_that_nobody_was_registered(world: World, awaiting: int) -> None:
    world.desk(Role.HIM).resolve(awaiting, IMPORT_ONLY, "", "not-registered")
    second = again(world)
    world.desk(Role.HIM).resolve(second, LINK, keys(world, second)[0], "asked-patient")
    assert [e.message.id for e in earlier(world, again(world))] == ["earlier.same-person"]


def test_a_merge_leads_what_was_said_to_the_survivor(world: World, awaiting: int) -> None:
    world.desk(Role.HIM).resolve(awaiting, LINK, keys(world, awaiting)[0], "typed-wrong")
    survivor = world.register("0077777", PersonName("DOE", "JOHN"), "19620314", "M")
    fields = PatientFields(
        (Identifier("0077777", "HOSP", "MR"),), prior=(Identifier("0012346", "HOSP", "MR"),)
    )
    merge = RegistrationEvent("A40", "m1", "ADT|HOSP", "20261124100500", patients=(fields,))
    with world.store.begin() as tx:
        tx.roster.apply(merge, b"")
    case = again(world)
    assert keys(world, case)[0] == survivor
    assert earlier(world, case)[0].offered


def test_a_link_to_whom_nothing_resembles_is_told_with_name_and_number(
    world: World, awaiting: int
) -> None:
    """The registered name changed altogether since, so the record is no candidate any more."""
    world.desk(Role.HIM, "berta").resolve(awaiting, LINK, keys(world, awaiting)[0], "typed-wrong")
    fields = PatientFields(
        (Identifier("0012346", "HOSP", "MR"),), (PersonName("KLEIN", "JOHN"),), "19620314"
    )
    update = RegistrationEvent("A08", "u1", "ADT|HOSP", "20261124100500", patients=(fields,))
    with world.store.begin() as tx:
        tx.roster.apply(update, b"")
    stranger = PatientIdentity(JON.identifiers, (PersonName("ROE", "ZOE"),), "19990101", "F")
    (said,) = sentences(world, again(world, stranger))
    assert "same person as KLEIN, JOHN, number 0012346 (HOSP), by berta" in said
    assert said.endswith("The disc stated otherwise then: name.")


# -- taking back -------------------------------------------------------------------------------


def test_what_was_taken_back_is_offered_no_more(world: World, awaiting: int) -> None:
    """Who took it back and why is in the journal; the case that it came from stays decided."""
    world.desk(Role.HIM, "berta").resolve(awaiting, LINK, keys(world, awaiting)[0], "typed-wrong")
    case = again(world)
    (said,) = earlier(world, case)
    world.desk(Role.HIM, "berta").revoke(case, said.id, "it was his brother")
    world.match(review_only=True)
    assert earlier(world, case) == earlier(world, again(world)) == []
    assert world.case_state(awaiting) is CaseState.RESOLVED
    with world.store.read() as tx:
        (line,) = [e for e in tx.journal.since(0) if e.kind == "decision.revoked"]
    assert (line.actor, line.case) == ("berta", awaiting)
    assert line.data["reason"] == "it was his brother"


def test_others_decisions_are_taken_back_by_a_lead(world: World, awaiting: int) -> None:
    world.desk(Role.HIM, "berta").resolve(awaiting, LINK, keys(world, awaiting)[0], "typed-wrong")
    case = again(world)
    (said,) = earlier(world, case)
    assert not said.revocable
    assert compare(world, case, "berta").candidates[0].earlier[0].revocable
    assert refusal(world, Role.HIM, "carla", case, said.id) == "KX-431"
    assert refusal(world, Role.FRONT_DESK, "berta", case, said.id) == "KX-410"
    world.desk(Role.HIM_LEAD, "carla").revoke(case, said.id, "it was his brother")
    assert refusal(world, Role.HIM_LEAD, "carla", case, said.id) == "KX-427"


def test_taking_back_needs_a_reason(world: World, awaiting: int) -> None:
    key = keys(world, awaiting)[0]
    world.desk(Role.HIM, "berta").refuse(awaiting, key, "refused-apart")
    (said,) = earlier(world, awaiting)
    with pytest.raises(Refused) as caught:
        world.desk(Role.HIM, "berta").revoke(awaiting, said.id, " ")
    assert caught.value.message.id == "KX-422"
    assert len(earlier(world, awaiting)) == 1


def test_what_is_open_with_the_identity_is_matched_again(world: World, awaiting: int) -> None:
    """By a decision and by taking one back; what a person decided is left alone, and so is
    another patient's case."""
    berta = world.desk(Role.HIM, "berta")
    open_, other = again(world), again(world, replace(JON, identifiers=(Identifier("9", "X"),)))
    berta.resolve(awaiting, LINK, keys(world, awaiting)[0], "typed-wrong")
    assert world.case_state(open_) is CaseState.OPEN
    world.match(review_only=True)
    (said,) = earlier(world, open_)
    berta.revoke(open_, said.id, "it was his brother")
    assert world.case_state(open_) is CaseState.OPEN
    assert world.case_state(awaiting) is CaseState.RESOLVED
    assert world.case_state(other) is CaseState.AWAITING


def test_a_reopened_decision_is_offered_no_more(world: World, awaiting: int) -> None:
    key = keys(world, awaiting)[0]
    world.desk(Role.HIM).resolve(awaiting, LINK, key, "asked the patient")
    with world.store.begin() as tx:
        tx.cases.back_to_matching(awaiting, "berta", "it was his brother")
    assert earlier(world, again(world)) == []


def test_what_was_before_the_decider_is_kept_with_the_decision(world: World, awaiting: int) -> None:
    """Years later the record says what the person saw, even if it was taken back since."""
    first, last = keys(world, awaiting)
    world.desk(Role.HIM, "berta").refuse(awaiting, first, "refused-apart")
    world.desk(Role.HIM, "carla").resolve(awaiting, LINK, last, "asked-patient")
    with world.store.read() as tx:
        proposal = tx.cases.get(awaiting).proposal
    assert proposal is not None
    (seen,) = proposal.remembered
    assert (seen.judgement, seen.local_key, seen.by) == (Judgement.NOT_SAME, first, "berta")
