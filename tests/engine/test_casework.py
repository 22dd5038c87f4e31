"""Whose scans these are: nothing goes on without a person where anything speaks against it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file

from kiosk.cli.demonstration import discs, registration
from kiosk.engine import casework
from kiosk.model.delivery import Answer
from kiosk.model.matching import Action, Resolution
from kiosk.model.patient import Identifier
from kiosk.model.work import Case, CaseState, DeliveryState, IntakeState
from kiosk.policy.sections import Destination
from kiosk.policy.sections import Identity as IdentityPolicy
from tests.engine.conftest import ARCHIBALD, PETER, Station, policy_for


def merged(here: Station, survivor: registration.Registered, prior: str) -> None:
    """A40: the prior number becomes the survivor's."""
    here.pass_(seconds=10)
    message = registration._message("A40", survivor, prior, here.at, 900)
    here.register(message.text)


def test_a_registered_patient_is_linked_without_a_person(here: Station, known: Path) -> None:
    here.register()
    intake = here.insert(known)
    here.work()
    case = here.case(intake)
    assert case.state is CaseState.RELEASED
    assert case.resolution is not None
    assert case.resolution.by == "matcher"
    assert case.resolution.policy_hash == here.policy.hash
    assert case.resolution.local is not None
    assert case.resolution.local.identifier == Identifier(ARCHIBALD.number, "HOSP", "MR")


def test_two_patients_of_one_name_are_a_persons_matter(here: Station, unsure: Path) -> None:
    here.register()
    intake = here.insert(unsure)
    here.work()
    case = here.case(intake)
    assert case.state is CaseState.AWAITING
    assert case.reasons
    assert case.proposal is not None
    assert len(case.proposal.candidates) == 2
    assert here.deliveries(intake) == ()


def test_a_new_site_lets_nobody_through_alone(here: Station, known: Path) -> None:
    strict = IdentityPolicy(local_issuer="HOSP", review_only=True)
    here.use(here.policy.model_copy(update={"identity": strict}))
    here.register()
    intake = here.insert(known)
    here.work()
    assert here.case(intake).reasons == (casework.REVIEW_ONLY,)


def test_an_old_list_of_patients_accepts_nobody(here: Station, known: Path) -> None:
    """Fault 43: a feed that has been silent for longer than the policy allows."""
    here.register()
    here.pass_(hours=25)
    intake = here.insert(known)
    here.work()
    assert here.case(intake).reasons == (casework.STALE,)


def test_a_patient_registered_after_the_disc_came_is_found(here: Station, known: Path) -> None:
    intake = here.insert(known)
    here.work()
    assert here.case(intake).state is CaseState.AWAITING
    here.register()
    here.work()
    assert here.case(intake).state is CaseState.RELEASED


def test_a_merge_before_sending_leads_to_the_survivor(here: Station, unsure: Path) -> None:
    here.register()
    intake = here.insert(unsure)
    here.work()
    here.decide(intake, PETER.number)
    survivor = replace(PETER, number="0099999")
    here.register(registration._message("A04", survivor, "", here.at, 901).text)
    merged(here, survivor, PETER.number)
    with here.rows.begin() as tx:  # the engine was slower than the feed: it sees both at once
        case = tx.cases.get(here.case(intake).id)
    assert case.state is CaseState.RESOLVED
    settlement = casework.release(here.engine.site, case)
    with here.rows.begin() as tx:
        _, held = tx.cases.claim(CaseState.RESOLVED, "kiosk-1", 60)
        settlement(tx, held)
    released = here.case(intake)
    assert released.resolution is not None
    assert released.resolution.local is not None
    assert released.resolution.local.identifier.value == "0099999"


def test_a_new_telephone_number_after_sending_troubles_nobody(here: Station, known: Path) -> None:
    here.register()
    intake = here.insert(known)
    here.work()
    here.pass_(seconds=10)
    moved = replace(ARCHIBALD, telephone="555-0199")
    here.register(registration._message("A08", moved, "", here.at, 903).text)
    here.work()
    assert here.case(intake).reasons == ()


def test_one_number_with_two_contents_waits_for_a_person(here: Station, tmp_path: Path) -> None:
    """Fault 61: the same SOP Instance UID twice with other bytes: neither is sent by itself. Once
    somebody has decided, both are, one of them under a new UID."""
    here.register()
    image = dcmread(get_testdata_file("MR_small.dcm"))
    image.PatientName = f"{ARCHIBALD.family}^{ARCHIBALD.given}"
    image.PatientBirthDate, image.PatientSex = ARCHIBALD.birth_date, ARCHIBALD.sex
    image.save_as(tmp_path / "a.dcm")
    image.PixelData = bytes(len(image.PixelData))
    image.save_as(tmp_path / "b.dcm")
    files: dict[str, bytes | Path] = {"A": tmp_path / "a.dcm", "B": tmp_path / "b.dcm"}
    intake = here.insert(discs.burn(files, tmp_path / "twice.iso", "TWICE"))
    here.work()
    assert here.case(intake).reasons == (casework.CONFLICT,)
    here.decide(intake, ARCHIBALD.number)
    here.work()
    (delivery,) = here.deliveries(intake)
    results = here.results(delivery)
    assert Answer.HELD not in {r.answer for r in results}
    assert len({r.sop_instance_uid for r in results}) == 2
    assert str(image.SOPInstanceUID) in {r.sop_instance_uid for r in results}


def test_two_patients_under_one_study_number_never_go_out_as_one_study(
    here: Station, tmp_path: Path
) -> None:
    """An archive would mix them: neither goes by itself, and the second not even by a person while
    the first is out."""
    here.register()
    files: dict[str, bytes | Path] = {}
    for number, who in enumerate((ARCHIBALD, PETER)):
        image = dcmread(get_testdata_file("MR_small.dcm"))
        image.PatientName, image.PatientID = f"{who.family}^{who.given}", f"F{number}"
        image.PatientBirthDate, image.PatientSex = who.birth_date, who.sex
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        image.save_as(tmp_path / f"{number}.dcm")
        files[f"F{number}"] = tmp_path / f"{number}.dcm"
    intake = here.insert(discs.burn(files, tmp_path / "two.iso", "TWO"))
    here.work()

    def cases() -> tuple[Case, ...]:
        with here.rows.read() as tx:
            return tx.cases.of_intake(intake)

    def decide(case: Case, number: str) -> None:
        with here.rows.begin() as tx:
            local = tx.roster.resolve(Identifier(number, "HOSP"))
            assert local is not None
            link = Resolution(Action.LINK, "him", "2026-11-24", "asked", local.identity, local.key)
            tx.cases.resolve(case.id, link)
        here.work()

    first, second = cases()
    assert {first.state, second.state} == {CaseState.AWAITING}
    assert casework.SHARED in first.reasons
    assert casework.SHARED in second.reasons
    decide(first, ARCHIBALD.number)
    decide(second, PETER.number)
    first, second = cases()
    assert first.state is CaseState.RELEASED
    assert (second.state, second.reasons) == (CaseState.AWAITING, (casework.MIXED,))


def test_a_damaged_image_is_listed_and_left_out(here: Station, tmp_path: Path) -> None:
    here.register()
    image = dcmread(get_testdata_file("MR_small.dcm"))
    image.PatientName = f"{ARCHIBALD.family}^{ARCHIBALD.given}"
    image.PatientBirthDate, image.PatientSex = ARCHIBALD.birth_date, ARCHIBALD.sex
    image.save_as(tmp_path / "a.dcm")
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    image.save_as(tmp_path / "b.dcm")
    cut = (tmp_path / "b.dcm").read_bytes()[:-1000]
    files: dict[str, bytes | Path] = {"A": tmp_path / "a.dcm", "B": cut}
    intake = here.insert(discs.burn(files, tmp_path / "cut.iso", "CUT"))
    here.work()
    (delivery,) = here.deliveries(intake)
    held = [r for r in here.results(delivery) if r.answer is Answer.HELD]
    assert [(r.sop_instance_uid, r.comment) for r in held] == [("1.2.3.4", casework.DAMAGED)]


def test_the_wrong_picked_patient_stops_the_disc(here: Station, known: Path) -> None:
    """The worst error: the front desk picks somebody else than the disc is of."""
    here.register()
    intake = here.insert(known, Identifier("0012345", "HOSP"))
    here.work()
    assert here.case(intake).state is CaseState.AWAITING


def test_a_picked_merged_number_means_its_survivor(here: Station, known: Path) -> None:
    here.register()
    at_the_door = Identifier(registration.ARCHIBALD_AT_THE_DOOR.number, "HOSP")
    intake = here.insert(known, at_the_door)
    here.work()
    resolution = here.case(intake).resolution
    assert resolution is not None
    assert resolution.picked == at_the_door
    assert resolution.local is not None
    assert resolution.local.identifier.value == ARCHIBALD.number


def test_bytes_go_when_their_time_is_over(here: Station, tmp_path: Path) -> None:
    intake = here.insert(discs.burn({}, tmp_path / "empty.iso", "EMPTY"))
    here.work()
    with here.rows.begin() as tx:
        assert tx.intakes.get(intake).state is IntakeState.REJECTED
        tx.intakes.close(intake)
        ticket = tx.intakes.get(intake).ticket
    here.work()
    assert here.vault.holds(ticket)
    here.pass_(hours=here.policy.retention.staged_hours + 1)
    here.work()
    assert not here.vault.holds(ticket)
    with here.rows.read() as tx:
        assert [e.kind for e in tx.journal.of(intake=intake)][-1] == "intake.purged"


def test_every_destination_gets_its_own_delivery(here: Station, known: Path) -> None:
    two = policy_for(Destination(name="PACS", port=1), Destination(name="VNA", port=2))
    here.use(two)
    here.register()
    intake = here.insert(known)
    here.work()
    names = sorted(d.destination for d in here.deliveries(intake))
    assert names == ["PACS", "PACS", "VNA", "VNA"]


def test_an_unanswered_archive_is_tried_less_and_less_often(here: Station, known: Path) -> None:
    """Faults 19-21: back-off, the age shown, nothing lost; the study waits, it does not fail."""
    here.register()
    intake = here.insert(known)
    here.work()
    assert {d.state for d in here.deliveries(intake)} == {DeliveryState.QUEUED}
    pauses = []
    for _ in range(4):
        with here.rows.read() as tx:
            state = tx.destinations.get("kiosk-1", "PACS")
        assert state.problem
        assert state.failing_since
        pause = state.due - here.at.timestamp()
        assert pause > 0
        pauses.append(pause)
        here.at += timedelta(seconds=pause + 60)
        here.work()
    assert pauses[-1] > pauses[0]


def test_scans_of_nobody_registered_get_a_number_of_their_own(here: Station, known: Path) -> None:
    """An import-only patient: the disc's number must never be taken for one of ours."""
    intake = here.insert(known)
    here.work()
    with here.rows.begin() as tx:
        only = Resolution(Action.IMPORT_ONLY, "him", "2026-11-24", "not registered here")
        tx.cases.resolve(here.case(intake).id, only)
    here.work()
    case = here.case(intake)
    assert case.resolution is not None
    assert case.resolution.local is not None
    number = case.resolution.local.identifier
    assert number.issuer == "UNVERIFIED"
    assert number.value not in (case.stated.identifier.value, ARCHIBALD.number)
    with here.rows.read() as tx:
        plan = tx.cases.plan(tx.cases.studies(case.id)[0][0])
    assert plan is not None
    written = {a["tag"]: a["value"] for a in plan["attributes"]}
    assert written[0x00100020] == number.value
    assert written[0x00100010].startswith(case.stated.name.family)


def test_a_stranger_keeps_the_number_on_the_next_disc(here: Station, known: Path) -> None:
    numbers = []
    for _ in range(2):
        intake = here.insert(known)
        here.work()
        with here.rows.begin() as tx:
            only = Resolution(Action.IMPORT_ONLY, "him", "2026-11-24", "not registered here")
            tx.cases.resolve(here.case(intake).id, only)
        here.work()
        resolution = here.case(intake).resolution
        assert resolution is not None
        assert resolution.local is not None
        numbers.append(resolution.local.identifier)
    assert numbers[0] == numbers[1]
