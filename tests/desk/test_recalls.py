"""Recalling what went out wrong, as people do it: who may, with what reason, and what is shown."""

from __future__ import annotations

import pytest

from kiosk.desk import Refused, Role
from kiosk.desk.snapshots import Stage
from kiosk.model.content import StatedPatient
from kiosk.model.delivery import Answer
from kiosk.model.matching import Judgement
from kiosk.model.patient import PersonName
from kiosk.model.work import CaseState, DeliveryState
from tests.desk.conftest import JANE, World, study


@pytest.fixture
def sent(world: World) -> int:
    """A case that was linked by the matcher and is at the archive, proved."""
    world.register("0012345", PersonName("DOE", "JANE"), "19620314", "F")
    world.insert()
    (case,) = world.catalog(StatedPatient(JANE, (study("1.2.3", 3),)))
    world.match()
    (delivery,) = world.release()
    world.answer(delivery, Answer.VERIFIED, 3)
    world.move(DeliveryState.SENT)
    world.move(DeliveryState.COMMITTED)
    with world.store.begin() as tx:
        tx.end_case(case)
    assert world.case_state(case) is CaseState.DONE
    return case


def refused(message: str, call: object, *arguments: object) -> None:
    with pytest.raises(Refused) as refusal:
        call(*arguments)  # type: ignore[operator]
    assert refusal.value.message.id == message


def test_him_proposes_and_a_lead_recalls(world: World, sent: int) -> None:
    world.desk(Role.HIM, "bea").propose_recall(sent, "her sister's scans")
    lead = world.desk(Role.HIM_LEAD, "cora")
    (row,) = [row for row in lead.worklist().rows if row.case == sent]
    assert row.reasons == ("changed-after-sending",)
    shown = lead.compare(sent).sent
    assert shown is not None
    assert (shown.proposed_by, shown.proposed_why) == ("bea", "her sister's scans")
    lead.recall(sent, "her sister's scans")
    assert world.case_state(sent) is CaseState.RECALLED
    assert world.events("case.recalled") == 1


def test_a_recall_needs_a_reason(world: World, sent: int) -> None:
    refused("KX-422", world.desk(Role.HIM_LEAD).recall, sent, "  ")
    refused("KX-422", world.desk(Role.HIM).propose_recall, sent, "")
    assert world.case_state(sent) is CaseState.DONE


def test_only_what_went_out_can_be_recalled(world: World, awaiting: int) -> None:
    refused("KX-438", world.desk(Role.HIM_LEAD).recall, awaiting, "wrong man")


def test_two_persons_where_the_policy_says_so(world: World, sent: int) -> None:
    """Somebody has to propose it, and it has to be somebody else."""
    asked = {"recall": world.policy.recall.model_copy(update={"two_persons": True})}
    world.policy = world.policy.model_copy(update=asked)
    lead = world.desk(Role.HIM_LEAD, "cora")
    refused("KX-436", lead.recall, sent, "wrong man")
    lead.propose_recall(sent, "wrong man")
    refused("KX-437", lead.recall, sent, "wrong man")
    world.desk(Role.HIM, "bea").propose_recall(sent, "wrong man")
    lead.recall(sent, "wrong man")
    assert world.case_state(sent) is CaseState.RECALLED


def test_whom_it_went_out_as_is_remembered_as_somebody_else(world: World, sent: int) -> None:
    """The next matching of the same foreign identity does not offer the wrong patient again."""
    world.desk(Role.HIM_LEAD, "cora").recall(sent, "her sister's scans")
    with world.store.read() as tx:
        (remembered,) = tx.decisions.about(JANE)
    assert remembered.judgement is Judgement.NOT_SAME
    assert remembered.by == "cora"


def test_what_is_taken_back_is_shown_archive_by_archive(world: World, sent: int) -> None:
    lead = world.desk(Role.HIM_LEAD, "cora")
    before = lead.compare(sent).sent
    assert before is not None
    assert [(p.destination, p.stage, p.images) for p in before.places] == [
        ("PACS", Stage.CHECKED, 3)
    ]
    lead.recall(sent, "wrong man")
    after = lead.compare(sent).sent
    assert after is not None
    assert after.recalled
    assert [(p.stage, p.images) for p in after.places] == [(Stage.WITHDRAWING, 3)]


def test_images_taken_out_by_hand_let_the_case_go_on(world: World, sent: int) -> None:
    lead = world.desk(Role.HIM_LEAD, "cora")
    lead.recall(sent, "wrong man")
    with world.store.begin() as tx:
        claimed = tx.recalls.claim(DeliveryState.QUEUED, "PACS", "kiosk-1", 60)
        assert claimed is not None
        tx.recalls.move(claimed[1], DeliveryState.HELD, "It takes no notes.")
    shown = lead.compare(sent).sent
    assert shown is not None
    (place,) = shown.places
    assert (place.stage, place.problem) == (Stage.STOPPED, "It takes no notes.")
    assert [(row.case, row.reasons) for row in lead.worklist().rows] == [(sent, ("recalled",))]
    lead.withdraw_again(place.withdrawal)
    refused("KX-429", lead.taken_out, place.withdrawal, "deleted there")
    with world.store.begin() as tx:
        claimed = tx.recalls.claim(DeliveryState.QUEUED, "PACS", "kiosk-1", 60)
        assert claimed is not None
        tx.recalls.move(claimed[1], DeliveryState.HELD, "It takes no notes.")
    lead.taken_out(place.withdrawal, "deleted there")
    assert world.case_state(sent) is CaseState.OPEN


def test_what_changed_after_sending_can_be_left_as_it_was_sent(world: World, sent: int) -> None:
    with world.store.begin() as tx:
        tx.cases.flag(sent, "The registration changed.")
    him = world.desk(Role.HIM, "bea")
    assert [row.case for row in him.worklist().rows] == [sent]
    him.keep_sent(sent, "only the address")
    assert him.worklist().rows == ()
    assert [row.case for row in him.worklist().sent] == [sent]
    assert world.case_state(sent) is CaseState.DONE


def test_before_a_decision_it_is_shown_where_the_scans_go_and_why(
    world: World, awaiting: int
) -> None:
    shown = world.desk(Role.HIM).compare(awaiting)
    key = shown.candidates[0].local.key
    (goes,) = dict(shown.goes)[key]
    assert (goes.destination, goes.images, goes.of) == ("PACS", 3, 3)
    assert goes.because == "there are no rules: every archive"
