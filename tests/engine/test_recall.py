"""Undoing a wrong import: what went out is taken back, shown to be, and sent again under the right
patient; never by merging two people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from kiosk.coercion.recalling import renamed
from kiosk.coercion.rewriting import series_uid_for
from kiosk.desk import Desk, Operator, Role
from kiosk.engine import delivering, pipeline
from kiosk.model.content import Instance, NewUid, Series, Study
from kiosk.model.delivery import Answer
from kiosk.model.work import Case, CaseState, DeliveryState, IllegalMove, IntakeState
from kiosk.policy.sections import Destination, Recall
from kiosk.store import DestinationState, LeaseLost, Vault
from tests.engine.conftest import ARCHIBALD, PETER, Station, policy_for
from tests.peers.orthanc import Orthanc, orthanc
from tests.peers.scripted import Conversation, asks_nothing, scripted

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"


@contextmanager
def to_orthanc(here: Station, verify_level: int = 2, **sections: Any) -> Iterator[Orthanc]:
    own = here.folder / "orthanc"
    own.mkdir()
    with orthanc(own) as archive:
        target = Destination(
            name="PACS",
            port=archive.port,
            ae_title=archive.ae_title,
            commitment=False,
            verify_level=verify_level,
        )
        here.use(policy_for(target, **sections))
        yield archive


def recall(here: Station, intake: int) -> None:
    with here.rows.begin() as tx:
        tx.recall(here.case(intake), "113037", "lead", {"reason": "the wrong man"})


def archived(archive: Orthanc) -> list[Dataset]:
    return [
        dcmread(BytesIO(archive.rest(f"/instances/{each}/file")), stop_before_pixels=True)
        for each in archive.json("/instances")
    ]


def images(found: list[Dataset], patient: str) -> list[Dataset]:
    mine = [each for each in found if each.PatientID == patient]
    return [each for each in mine if each.SOPClassUID != KEY_OBJECTS]


def test_a_recall_rejects_each_image_and_sends_it_anew_under_the_right_patient(
    here: Station, known: Path
) -> None:
    with to_orthanc(here) as archive:
        here.register()
        intake = here.insert(known)
        here.work()
        assert here.case(intake).state is CaseState.DONE
        assert here.intake(intake).state is IntakeState.CLOSED
        recall(here, intake)
        assert here.intake(intake).state is IntakeState.CATALOGED  # its bytes are not thrown away
        here.work()
        case = here.case(intake)
        assert case.state is CaseState.AWAITING  # never by the machine alone
        assert "recalled" in case.reasons[0]
        notes = [each for each in archived(archive) if each.SOPClassUID == KEY_OBJECTS]
        wrong = images(archived(archive), ARCHIBALD.number)
        assert {rejected for note in notes for rejected in referenced(note)} == {
            each.SOPInstanceUID for each in wrong
        }
        assert len(notes) == 2  # one in each study
        assert {note.PatientID for note in notes} == {ARCHIBALD.number}
        assert {note.ConceptNameCodeSequence[0].CodeValue for note in notes} == {"113037"}

        here.decide(intake, PETER.number)
        here.work()
        assert here.case(intake).state is CaseState.DONE
        right = images(archived(archive), PETER.number)
        assert len(right) == len(wrong) == 7
        assert not uids(right) & uids(wrong)
        for each in right:
            last = each.OriginalAttributesSequence[-1]
            assert last.ReasonForTheAttributeModification == "CORRECT"
            assert each.StudyInstanceUID in kept_map(here, intake).values()
        assert set(kept_map(here, intake)) == uids(wrong)
        assert {r.answer for d in here.deliveries(intake) for r in here.results(d)} == {
            Answer.VERIFIED
        }


def referenced(note: Dataset) -> set[str]:
    return {
        sop.ReferencedSOPInstanceUID
        for study in note.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    }


def uids(found: list[Dataset]) -> set[str]:
    return {
        uid
        for each in found
        for uid in (each.StudyInstanceUID, each.SeriesInstanceUID, each.SOPInstanceUID)
    }


def kept_map(here: Station, intake: int) -> dict[str, str]:
    with here.rows.read() as tx:
        studies = tx.cases.studies(here.case(intake).id)
    return {u.was: u.now for _, study in studies for u in study.uids if u.why == "rejected"}


def test_what_was_never_sent_is_recalled_without_a_word_to_the_archive(
    here: Station, known: Path
) -> None:
    """The destination is paused: nothing was begun there, so nothing is to be taken back."""
    here.register()
    with here.rows.begin() as tx:
        tx.destinations.put("kiosk-1", DestinationState("PACS", paused=True))
    intake = here.insert(known)
    here.work()
    assert here.case(intake).state is CaseState.RELEASED
    recall(here, intake)
    assert here.case(intake).state is CaseState.OPEN
    assert here.withdrawals(intake) == ()
    assert here.deliveries(intake) == ()


def test_a_case_that_waits_cannot_be_recalled(here: Station, unsure: Path) -> None:
    here.register()
    intake = here.insert(unsure)
    here.work()
    with pytest.raises(IllegalMove):
        recall(here, intake)


def test_an_archive_that_takes_no_notes_is_left_to_a_person(here: Station, known: Path) -> None:
    """And the case waits until that person says that the images are out."""

    def refuses_notes(number: int, conversation: Conversation) -> None:
        is_note = conversation.sop_class.rstrip(b"\0").decode() == KEY_OBJECTS
        conversation.answer(0x0122 if is_note else 0)

    with scripted(refuses_notes, on_associate=asks_nothing) as peer:
        target = Destination(
            name="PACS", port=peer.port, ae_title="SCRIPTED", commitment=False, verify_level=0
        )
        here.use(policy_for(target))
        here.register()
        intake = here.insert(known)
        here.work()
        recall(here, intake)
        here.work()
        assert here.case(intake).state is CaseState.RECALLED
        stuck = here.withdrawals(intake)
        assert {each.state for each in stuck} == {DeliveryState.HELD}
        assert "by hand" in stuck[0].problem
        with here.rows.begin() as tx:
            for each in stuck:
                tx.recalls.by_hand(each.id, "lead", "deleted at the PACS")
                tx.end_recall(each.case)
        assert here.case(intake).state is CaseState.OPEN


@pytest.mark.parametrize("uids_are", ["new", "keep"])
def test_an_archive_that_refuses_rejected_uids_gets_new_ones(
    here: Station, known: Path, uids_are: str
) -> None:
    """With `uids = "keep"` it refuses them all, and that is said."""
    rejected: set[bytes] = set()
    seen: set[bytes] = set()

    def remembers(number: int, conversation: Conversation) -> None:
        uid = conversation.sop_instance
        if conversation.sop_class.rstrip(b"\0").decode() == KEY_OBJECTS:
            rejected.update(seen)
            conversation.answer(0)
        elif uid in rejected:
            conversation.answer(0xA900, "this SOP Instance UID was rejected")
        else:
            seen.add(uid)
            conversation.answer(0)

    with scripted(remembers, on_associate=asks_nothing) as peer:
        target = Destination(
            name="PACS", port=peer.port, ae_title="SCRIPTED", commitment=False, verify_level=0
        )
        here.use(policy_for(target, recall=Recall(uids=uids_are)))
        here.register()
        intake = here.insert(known)
        here.work()
        recall(here, intake)
        here.work()
        here.decide(intake, PETER.number)
        here.work()
        answers = {r.answer for d in here.deliveries(intake) for r in here.results(d)}
        if uids_are == "new":
            assert here.case(intake).state is CaseState.DONE
            assert len(seen) == 14
        else:
            assert Answer.ACCEPTED not in answers


@pytest.mark.parametrize("level", [2, 0])
def test_another_hospitals_study_under_the_same_uid_is_never_rejected(
    here: Station, known: Path, level: int
) -> None:
    """An archive that kept an older version under other data holds it from somebody else; it is
    asked also where its word is taken for what it was sent."""
    with to_orthanc(here, level) as archive:
        here.register()
        intake = here.insert(known)
        here.work()
        for each in archive.json("/patients"):
            renamed_there(archive, each)
        recall(here, intake)
        here.work()
        assert {each.state for each in here.withdrawals(intake)} == {DeliveryState.HELD}
        assert "other data" in here.withdrawals(intake)[0].problem
        assert not [each for each in archived(archive) if each.SOPClassUID == KEY_OBJECTS]


def renamed_there(archive: Orthanc, patient_id: str) -> None:
    """The archive's own clerk files the patient's studies under another number."""
    asked = {
        "Replace": {"PatientID": "SOMEBODY"},
        "Keep": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"],
        "KeepSource": False,
        "Force": True,
    }
    url = f"http://{archive.host}:{archive.http_port}/patients/{patient_id}/modify"
    with urlopen(url, json.dumps(asked).encode(), timeout=30) as answer:
        assert answer.status == 200


def test_a_recall_while_it_is_being_sent_stops_the_sender_and_takes_back_what_is_out(
    here: Station, known: Path, expected_logs: Callable[..., None]
) -> None:
    """The recall comes after the second image; what was answered by then is named in a note."""
    expected_logs("send 1: another worker's result counts")
    case: list[Case] = []

    def interrupts(number: int, conversation: Conversation) -> None:
        if number == 2:
            with here.rows.begin() as tx:
                (found,) = tx.cases.of_intake(1)
                case.append(found)
                tx.recall(found, "113037", "lead", {"reason": "the wrong man"})
        conversation.answer(0)

    with scripted(interrupts, on_associate=asks_nothing) as peer:
        target = Destination(
            name="PACS", port=peer.port, ae_title="SCRIPTED", commitment=False, verify_level=0
        )
        here.use(policy_for(target))
        here.register()
        intake = here.insert(known)
        here.work()
        assert here.case(intake).state is CaseState.AWAITING
        assert {each.state for each in here.withdrawals(intake)} == {DeliveryState.COMMITTED}
        assert here.deliveries(intake) == ()


def before_sending(here: Station, image: Path) -> int:
    here.register()
    intake = here.insert(image)
    for step in (pipeline.READ, pipeline.CATALOG, pipeline.MATCH, pipeline.RELEASE):
        assert here.engine._take(step)
    return intake


def test_a_recall_before_the_first_byte_sends_nothing(here: Station, known: Path) -> None:
    """The sender has its row already; no note would take back what it sent from now on."""
    with scripted() as peer:
        target = Destination(name="PACS", port=peer.port, ae_title="SCRIPTED", verify_level=0)
        here.use(policy_for(target))
        intake = before_sending(here, known)
        with here.rows.claiming() as tx:
            claimed = tx.deliveries.claim(DeliveryState.QUEUED, "PACS", "kiosk-1", 60.0)
        assert claimed is not None
        recall(here, intake)
        with pytest.raises(LeaseLost):
            delivering.send(here.engine.site, claimed[0], lambda: False)
    assert peer.received == []
    assert here.withdrawals(intake) == ()


def test_what_the_archive_took_and_does_not_show_yet_is_named_in_the_note(
    here: Station, known: Path
) -> None:
    """Archives index late: what appears after the note would stay with the wrong patient."""
    with to_orthanc(here) as archive:
        intake = before_sending(here, known)
        send = pipeline.deliver("PACS")[-1]
        while here.engine._take(send):
            pass
        sent = {each.SOPInstanceUID for each in archived(archive)}
        for each in archive.json("/patients"):
            gone(archive, each)
        recall(here, intake)
        here.work()
        notes = [each for each in archived(archive) if each.SOPClassUID == KEY_OBJECTS]
    assert {rejected for note in notes for rejected in referenced(note)} == sent
    assert len(sent) == 7


def test_another_import_of_what_was_taken_back_is_a_persons_matter(
    here: Station, known: Path
) -> None:
    """The disc was read twice: what the second import found there already is there no more."""
    with to_orthanc(here):
        here.register()
        first = here.insert(known)
        here.work()
        second = here.insert(known)
        here.work()
        if here.case(second).state is CaseState.AWAITING:
            here.decide(second, ARCHIBALD.number)
            here.work()
        assert here.case(second).state is CaseState.DONE
        recall(here, first)
        here.work()
        with here.rows.read() as tx:
            assert tx.recalls.flagged() == (here.case(second).id,)
        (reason,) = here.case(second).reasons
        assert here.intake(first).ticket in reason


def gone(archive: Orthanc, patient_id: str) -> None:
    url = f"http://{archive.host}:{archive.http_port}/patients/{patient_id}"
    with urlopen(Request(url, method="DELETE"), timeout=30) as answer:
        assert answer.status == 200


def test_bytes_that_are_gone_end_the_case_instead_of_reopening_it(
    here: Station, known: Path
) -> None:
    with to_orthanc(here) as archive:
        here.register()
        intake = here.insert(known)
        here.work()
        here.pass_(hours=80)
        here.work()
        recall(here, intake)
        here.work()
        assert here.case(intake).state is CaseState.REJECTED
        assert "put the medium in again" in here.case(intake).reasons[0]
        assert [each for each in archived(archive) if each.SOPClassUID == KEY_OBJECTS]


# -- new UIDs --------------------------------------------------------------------------------------


def test_a_paused_archive_is_told_of_no_recall_before_it_goes_on(
    here: Station, known: Path
) -> None:
    """And IT sees it wait, where everything that waits is seen."""
    with scripted(on_associate=asks_nothing) as peer:
        target = Destination(
            name="PACS", port=peer.port, ae_title="SCRIPTED", commitment=False, verify_level=0
        )
        here.use(policy_for(target))
        here.register()
        intake = here.insert(known)
        here.work()
        desk = Desk(here.rows, here.policy, Operator("ivan", Role.IT), lambda: here.at)
        desk.pause("PACS")
        recall(here, intake)
        here.work()
        assert len(peer.received) == 7
        waiting = desk.deliveries().withdrawals
        assert sorted((w.destination, w.images, w.stuck) for w in waiting) == [
            ("PACS", w.images, False) for w in sorted(waiting, key=lambda w: w.images)
        ]
        assert sum(w.images for w in waiting) == 7
        desk.resume("PACS")
        here.work()
        assert len(peer.received) == 9
        assert desk.deliveries().withdrawals == ()


def test_nobody_recalls_what_is_being_thrown_away(here: Station, known: Path) -> None:
    """The recall comes while the bytes go: the row says already that they are gone."""

    class Slow(Vault):
        def purge(self, ticket: str) -> None:
            recall(here, intake)
            super().purge(ticket)

    with scripted(on_associate=asks_nothing) as peer:
        target = Destination(
            name="PACS", port=peer.port, ae_title="SCRIPTED", commitment=False, verify_level=0
        )
        here.use(policy_for(target))
        here.register()
        intake = here.insert(known)
        here.work()
        here.vault = Slow(here.vault.root)
        here.use(here.policy)
        here.pass_(hours=here.policy.retention.staged_hours + 1)
        here.work()
    assert not here.vault.holds(here.intake(intake).ticket)
    case = here.case(intake)
    assert case.state is CaseState.REJECTED
    assert "put the medium in again" in case.reasons[0]


def study(uid: str, *images: str, uids: tuple[NewUid, ...] = ()) -> Study:
    instances = tuple(Instance(i, "1.2", "1.2", n, "", 1, "") for n, i in enumerate(images))
    return Study(uid, series=(Series(f"{uid}.9", instances=instances),), uids=uids)


def test_only_rejected_studies_get_new_uids_and_every_study_knows_the_map() -> None:
    first, second = renamed((study("1.1", "1.1.1"), study("1.2", "1.2.1")), {"1.1"})
    assert first.study_instance_uid != "1.1"
    assert second.study_instance_uid == "1.2"
    assert first.uids == second.uids
    assert {u.was for u in first.uids} == {"1.1", "1.1.9", "1.1.1"}
    assert first.instances[0].sop_instance_uid == {u.was: u.now for u in first.uids}["1.1.1"]
    assert len({u.now for u in first.uids}) == 3


def test_a_second_recall_leads_from_the_headers_uid_to_the_newest() -> None:
    (once,) = renamed((study("1.1", "1.1.1"),), {"1.1"})
    (twice,) = renamed((once,), {once.study_instance_uid})
    newest = twice.instances[0].sop_instance_uid
    assert newest != once.instances[0].sop_instance_uid
    assert {u.now for u in twice.uids if u.was == "1.1.1"} == {newest}


def test_images_that_state_no_series_stay_in_the_series_that_is_written() -> None:
    """That is called by its study, recalled once or twice: a note names what the archive has."""
    nameless = replace(study("1.1", "1.1.1"), series=())
    images = study("1.1", "1.1.1").series[0].instances
    nameless = replace(nameless, series=(Series(series_uid_for("1.1"), instances=images),))
    (once,) = renamed((nameless,), {"1.1"})
    (twice,) = renamed((once,), {once.study_instance_uid})
    for each in (once, twice):
        assert each.series[0].series_instance_uid == series_uid_for(each.study_instance_uid)


def test_a_uid_that_was_mended_before_still_leads_to_the_newest() -> None:
    mended = study("2.25.7", "2.25.8", uids=(NewUid("1.02", "2.25.8", "invalid"),))
    (now,) = renamed((mended,), {"2.25.7"})
    assert {u.was: u.now for u in now.uids}["1.02"] == now.instances[0].sop_instance_uid


def test_the_same_uids_always_get_the_same_new_ones() -> None:
    assert renamed((study("1.1", "1.1.1"),), {"1.1"}) == renamed((study("1.1", "1.1.1"),), {"1.1"})
