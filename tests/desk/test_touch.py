"""The touch screen's step follows the newest disc of this station, row by row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kiosk.desk.desk import Refused
from kiosk.desk.snapshots import (
    Grade,
    HimFinishes,
    Idle,
    Message,
    Phase,
    Problem,
    ProblemKind,
    Reading,
    ReadOn,
    Result,
    SamePerson,
    SignIn,
    Stage,
    say,
)
from kiosk.desk.views.touch import seconds_left
from kiosk.model.content import Finding, Ledger, SeenStudy, Severity, StatedPatient, Verdict
from kiosk.model.delivery import Answer
from kiosk.model.medium import Drive, DriveState, MediumKind, Progress, Span
from kiosk.model.patient import Identifier, PersonName
from kiosk.model.work import CaseState, DeliveryState, Event
from tests.desk.conftest import DISC, JANE, JON, MARY, STATION, World, study

SCRATCH = (Span(260_096, 2048),)


def body(world: World) -> object:
    return world.desk().touch().body


def jane(world: World, images: int = 3) -> int:
    """Jane is registered, her disc is in, read and matched: the case."""
    world.register("0012345", PersonName("DOE", "JANE"), "19620314", "F")
    world.insert(picked=Identifier("0012345", "HOSP"))
    (case,) = world.catalog(StatedPatient(JANE, (study("1.2.3", images),)))
    world.match()
    return case


def test_without_a_disc_the_screen_is_idle_and_shows_the_drives(world: World) -> None:
    """K1, with the words for each drive's state."""
    world.drive(DriveState.TRAY_OPEN)
    shown = body(world)
    assert isinstance(shown, Idle)
    assert [(d.name, d.state) for d in shown.drives] == [("Left drive", DriveState.TRAY_OPEN)]


STICK = Drive("S1", "/dev/sdb", "Stick", DriveState.DISC_OK, MediumKind.USB, ("/dev/sdb1",))


def test_a_drive_that_is_missing_is_shown_and_a_stick_only_while_it_is_there(world: World) -> None:
    world.drive(DriveState.UNPLUGGED)
    with world.store.begin() as tx:
        tx.intakes.set_drive("kiosk-1", STICK)
    shown = body(world)
    assert isinstance(shown, Idle)
    lines = [(d.name, d.state.value, d.stick) for d in shown.drives]
    assert lines == [("Left drive", "unplugged", False), ("Stick", "disc-ok", True)]
    with world.store.begin() as tx:
        tx.intakes.set_drive("kiosk-1", replace(STICK, state=DriveState.UNPLUGGED))
    shown = body(world)
    assert isinstance(shown, Idle)
    assert len(shown.drives) == 1


def test_a_stick_that_is_copied_may_be_pulled_out_while_it_is_there(world: World) -> None:
    """KX-106, from when it is read until it is gone; there is no tray to open."""
    with world.store.begin() as tx:
        tx.intakes.set_drive("kiosk-1", STICK)
    medium = replace(DISC, kind=MediumKind.USB, location="/dev/sdb1")
    world.report = replace(world.report, medium=medium)
    world.insert(medium)
    shown = body(world)
    assert isinstance(shown, Reading)
    assert (shown.drive, shown.notices) == ("", ())
    world.read()
    shown = body(world)
    assert isinstance(shown, Reading)
    assert (shown.drive, [n.message.id for n in shown.notices]) == ("", ["KX-106"])
    with world.store.begin() as tx:
        tx.intakes.set_drive("kiosk-1", replace(STICK, state=DriveState.UNPLUGGED))
    shown = body(world)
    assert isinstance(shown, Reading)
    assert shown.notices == ()


def test_a_drive_that_did_not_open_says_how_to_get_the_disc_out(world: World) -> None:
    """KX-107, until the disc is out."""
    world.drive(DriveState.DISC_OK)
    intake = world.insert()
    world.read()
    with world.store.begin() as tx:
        tx.journal.write(Event("drive.eject-failed", intake=intake))
    shown = body(world)
    assert isinstance(shown, Reading)
    assert [n.message.id for n in shown.notices] == ["KX-107"]
    world.drive(DriveState.TRAY_OPEN)
    shown = body(world)
    assert isinstance(shown, Reading)
    assert shown.notices == ()


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("medium-removed", ProblemKind.PULLED, "KX-110"),
        ("medium-swapped", ProblemKind.PULLED, "KX-111"),
        ("medium-unsupported", ProblemKind.UNREADABLE, "KX-216"),
        ("medium-packed", ProblemKind.UNREADABLE, "KX-217"),
        ("udisks-failed", ProblemKind.UNREADABLE, "KX-205"),
        ("drive-sick", ProblemKind.UNREADABLE, "KX-203"),
    ],
)
def test_why_nothing_was_read_is_said_with_what_to_do(
    world: World, code: str, kind: ProblemKind, message: str
) -> None:
    world.insert()
    world.fail(Finding(code, Severity.ERROR))
    shown = body(world)
    assert isinstance(shown, Problem)
    assert (shown.kind, shown.message.id) == (kind, message)


def test_a_disc_that_is_in_is_being_read(world: World) -> None:
    """K5 from the first moment on, before there is anything to count."""
    world.insert()
    shown = body(world)
    assert isinstance(shown, Reading)
    assert (shown.copied, shown.bytes_total, shown.notices) == (False, 0, ())


def test_a_drive_that_is_slow_to_start_is_said_so(world: World) -> None:
    """KX-104 after eight seconds without a byte."""
    world.insert()
    world.wait(seconds=12)
    shown = body(world)
    assert isinstance(shown, Reading)
    assert [n.message.id for n in shown.notices] == ["KX-104"]


def test_progress_has_bytes_and_an_estimate(world: World) -> None:
    """A quarter in 30 seconds leaves 90."""
    intake = world.insert()
    world.wait(seconds=30)
    world.progress(intake, 250, 1000)
    shown = body(world)
    assert isinstance(shown, Reading)
    assert (shown.phase, shown.bytes_done, shown.seconds_left) == (Phase.COPYING, 250, 90)


def test_no_estimate_is_made_in_the_first_five_seconds() -> None:
    """An early guess is a wrong one."""
    assert seconds_left(250, 1000, 4.9) == -1
    assert seconds_left(0, 1000, 60) == -1


def test_the_disc_may_be_taken_out_as_soon_as_it_is_copied(world: World) -> None:
    """Not when it is matched, decided or sent."""
    world.insert()
    world.read()
    shown = body(world)
    assert isinstance(shown, Reading)
    assert (shown.copied, shown.phase, shown.drive) == (True, Phase.CHECKING, "/dev/sr0")


def test_what_is_on_the_disc_is_said_once_it_is_known(world: World) -> None:
    """Name, birth date and studies, while the matcher works."""
    world.insert()
    world.catalog(StatedPatient(JANE, (study("1.2.3", 3), study("1.2.4", 2))))
    shown = body(world)
    assert isinstance(shown, Reading)
    assert shown.phase is Phase.MATCHING
    assert shown.verdict is not None
    assert (shown.verdict.id, shown.verdict.values["n"]) == ("verdict.scans", 2)
    assert [s.images for s in shown.studies] == [3, 2]


def test_damage_is_said_in_images(world: World) -> None:
    """KX-120, and only where something is missing."""
    world.insert()
    ledger = Ledger(files=4, ok=3, unreadable=1)
    world.catalog(StatedPatient(JANE, (study("1.2.3", 3),)), ledger=ledger)
    shown = body(world)
    assert isinstance(shown, Reading)
    assert [(n.message.id, n.message.values) for n in shown.notices] == [
        ("KX-120", {"n": 1, "m": 4})
    ]


@pytest.mark.parametrize(
    ("left", "offered"), [({"untried": SCRATCH}, ReadOn.LONGER), ({}, ReadOn.AGAIN)]
)
def test_a_scratched_disc_that_is_still_in_can_be_read_once_more(
    left: dict[str, tuple[Span, ...]], offered: ReadOn, world: World
) -> None:
    """KX-121 and a way on: a new intake of the same medium, for the same patient, with more
    patience."""
    world.drive(DriveState.DISC_OK)
    world.report = replace(world.report, unreadable=SCRATCH, **left)
    picked = Identifier("0012345", "HOSP")
    world.register("0012345", PersonName("DOE", "JANE"), "19620314", "F")
    intake = world.insert(picked=picked)
    ledger = Ledger(files=4, ok=3, unreadable=1)
    world.catalog(StatedPatient(JANE, (study("1.2.3", 3),)), ledger=ledger)
    world.match()
    shown = body(world)
    assert isinstance(shown, Result)
    assert [n.message.id for n in shown.notices] == ["KX-120", "KX-121"]
    assert shown.read_on is offered
    world.desk().read_on(intake)
    again = body(world)
    assert isinstance(again, Reading)
    with world.store.read() as tx:
        newest = tx.intakes.get(again.intake)
    assert (newest.picked, newest.medium) == (picked, world.report.medium)
    assert newest.patience == 3 * 300


def test_a_disc_that_was_taken_out_has_to_be_put_in_again_first(world: World) -> None:
    """Then nothing need be pressed: the engine knows it."""
    world.drive(DriveState.TRAY_OPEN)
    world.report = replace(world.report, unreadable=SCRATCH)
    intake = world.insert()
    world.catalog(StatedPatient(JANE, (study("1.2.3", 3),)))
    with pytest.raises(Refused) as refused:
        world.desk().read_on(intake)
    assert refused.value.message.id == "KX-433"


def test_a_disc_on_which_the_drive_gave_up_can_be_tried_again_in_its_old_intake(
    world: World,
) -> None:
    """K11: what was read of it is kept."""
    world.drive(DriveState.DISC_OK)
    intake = world.insert()
    world.fail(Finding("reader-stalled", Severity.ERROR))
    shown = body(world)
    assert isinstance(shown, Problem)
    assert shown.read_on is ReadOn.AGAIN
    world.desk().read_on(intake)
    again = body(world)
    assert isinstance(again, Reading)
    assert again.intake == intake


def test_trying_damage_again_goes_on_for_longer_when_a_person_asks(world: World) -> None:
    """Each time by three times what the policy has, and only while there is damage to try."""
    world.drive(DriveState.DISC_OK)
    intake = world.insert()
    with world.store.begin() as tx:
        tx.intakes.set_progress(intake, Progress("copying", 90, 100))
    with pytest.raises(Refused):
        world.desk().read_on(intake)
    with world.store.begin() as tx:
        tx.intakes.set_progress(intake, Progress("retrying", 90, 100, seconds_left=241))
    for patience in (1200, 2100):
        shown = body(world)
        assert isinstance(shown, Reading)
        assert (shown.intake, shown.read_on) == (intake, ReadOn.LONGER)
        world.desk().read_on(intake)
        with world.store.read() as tx:
            assert tx.intakes.get(intake).patience == patience


def test_trying_damage_again_is_said_with_its_longest_time(world: World) -> None:
    """KX-122, in whole minutes."""
    intake = world.insert()
    with world.store.begin() as tx:
        tx.intakes.set_progress(intake, Progress("retrying", 90, 100, seconds_left=241))
    shown = body(world)
    assert isinstance(shown, Reading)
    assert [(n.message.id, n.message.values) for n in shown.notices] == [("KX-122", {"n": 5})]
    assert shown.seconds_left == -1


def test_an_accepted_case_leads_to_the_result(world: World) -> None:
    """K9 at once: nobody is asked anything."""
    jane(world)
    shown = body(world)
    assert isinstance(shown, Result)
    assert shown.headline.message.id == "KX-157"
    assert [(p.bucket, p.count) for p in shown.left_out] == [("viewer", 2), ("dicomdir", 1)]


def test_the_result_follows_the_order_of_truth(world: World) -> None:
    """Waiting, sending, received, checked: each only when it is so."""
    jane(world)
    (delivery,) = world.release()
    assert _study(world) == (Stage.WAITING, 0, 0)
    world.answer(delivery, Answer.ACCEPTED, 2)
    assert _study(world) == (Stage.SENDING, 2, 0)
    world.answer(delivery, Answer.ACCEPTED, 3)
    world.move(DeliveryState.SENT)
    assert _study(world) == (Stage.RECEIVED, 3, 0)
    world.answer(delivery, Answer.VERIFIED, 3)
    world.move(DeliveryState.COMMITTED)
    assert _study(world) == (Stage.CHECKED, 3, 3)
    shown = body(world)
    assert isinstance(shown, Result)
    assert shown.headline.message.id == "KX-153"


@pytest.mark.parametrize(("level", "answer"), [(0, Answer.ACCEPTED), (1, Answer.VERIFIED)])
def test_what_was_not_looked_for_is_received_and_no_more(
    world: World, level: int, answer: Answer
) -> None:
    """An archive whose word is all there is: nobody has seen under whom its images are."""
    jane(world)
    (delivery,) = world.release()
    world.answer(delivery, answer, 3)
    world.move(DeliveryState.SENT)
    with world.store.begin() as tx:
        claimed = tx.deliveries.claim(DeliveryState.SENT, "PACS", STATION, 60)
        assert claimed is not None
        tx.deliveries.move(claimed[1], DeliveryState.COMMITTED, verify_level=level)
    assert _study(world) == (Stage.RECEIVED, 3, 0)


def _study(world: World) -> tuple[Stage, int, int]:
    shown = body(world)
    assert isinstance(shown, Result)
    line = shown.patients[0].studies[0]
    return line.stage, line.received, line.checked


def test_a_refused_image_is_never_called_checked(world: World) -> None:
    """Partly sent, with the count of what is missing."""
    jane(world)
    (delivery,) = world.release()
    world.answer(delivery, Answer.REFUSED, 3, "cannot read it")
    world.answer(delivery, Answer.ACCEPTED, 2)
    world.move(DeliveryState.HELD, "one was refused")
    shown = body(world)
    assert isinstance(shown, Result)
    assert shown.headline.message.id == "KX-155"
    assert shown.headline.message.values == {"n": 1}
    assert shown.patients[0].studies[0].stage is Stage.PARTLY


def test_a_case_that_waits_lets_the_patient_go_with_a_ticket(world: World, awaiting: int) -> None:
    """K8, with why it waits."""
    shown = body(world)
    assert isinstance(shown, HimFinishes)
    assert shown.ticket
    assert "name-differs" in shown.reasons
    assert (shown.studies, shown.images) == (1, 3)


def test_a_disc_of_somebody_else_stops_in_red(world: World) -> None:
    """K7: the chosen patient is not the one on the disc."""
    world.register("0012345", PersonName("DOE", "JANE"), "19620314", "F")
    world.insert(picked=Identifier("0012345", "HOSP"))
    world.catalog(StatedPatient(MARY, (study("1.2.3", 3),)))
    world.match()
    shown = body(world)
    assert isinstance(shown, SamePerson)
    assert shown.grade is Grade.DIFFERENT


def test_a_small_difference_asks_which_is_right(world: World) -> None:
    """K7 in amber, with both spellings."""
    world.register("0012346", PersonName("DOE", "JOHN"), "19620314", "F")
    world.insert(picked=Identifier("0012346", "HOSP"))
    world.catalog(StatedPatient(JON, (study("1.2.3", 3),)))
    world.match()
    shown = body(world)
    assert isinstance(shown, SamePerson)
    assert shown.grade is Grade.SMALL
    assert (shown.question.id, shown.question.values) == ("KX-132", {"a": "JON", "b": "JOHN"})


def test_the_question_can_be_handed_on_to_him(world: World) -> None:
    """From K7 to K8; the case itself goes on waiting."""
    world.register("0012345", PersonName("DOE", "JANE"), "19620314", "F")
    world.insert(picked=Identifier("0012345", "HOSP"))
    (case,) = world.catalog(StatedPatient(MARY, (study("1.2.3", 3),)))
    world.match()
    world.desk().to_him(case)
    assert isinstance(body(world), HimFinishes)
    assert world.case_state(case) is CaseState.AWAITING


def test_two_people_on_a_disc_are_shown_apart(world: World) -> None:
    """One is sent, the other waits: a result with both."""
    world.register("0012345", PersonName("DOE", "JANE"), "19620314", "F")
    world.insert()
    world.catalog(
        StatedPatient(JANE, (study("1.2.3", 3),)), StatedPatient(MARY, (study("1.2.4", 2),))
    )
    world.match()
    shown = body(world)
    assert isinstance(shown, Result)
    assert [p.local is not None for p in shown.patients] == [True, False]
    assert shown.patients[1].stage is Stage.HIM


@pytest.mark.parametrize(
    ("finding", "kind", "message"),
    [
        (Finding("medium-encrypted", Severity.ERROR), ProblemKind.LOCKED, "KX-221"),
        (Finding("medium-audio", Severity.ERROR), ProblemKind.NO_SCANS, "KX-212"),
        (Finding("medium-blank", Severity.ERROR), ProblemKind.NO_SCANS, "KX-211"),
        (Finding("medium-missing", Severity.ERROR), ProblemKind.PULLED, "KX-110"),
        (Finding("medium-unreadable", Severity.ERROR), ProblemKind.UNREADABLE, "KX-201"),
        (Finding("reader-stalled", Severity.ERROR), ProblemKind.UNREADABLE, "KX-203"),
        (Finding("limit-records", Severity.UNSAFE), ProblemKind.UNSAFE, "KX-231"),
        (Finding("something-new", Severity.ERROR), ProblemKind.UNREADABLE, "KX-201"),
    ],
)
def test_every_way_to_fail_has_its_screen(
    world: World, finding: Finding, kind: ProblemKind, message: str
) -> None:
    """K11 to K14 by the code of the failure; an unknown one is still a screen with words."""
    world.insert()
    world.fail(finding)
    shown = body(world)
    assert isinstance(shown, Problem)
    assert (shown.kind, shown.message.id) == (kind, message)


@pytest.mark.parametrize(
    ("ledger", "message"),
    [
        (Ledger(), "KX-211"),
        (Ledger(files=5, viewer=5), "KX-214"),
        (Ledger(files=5, viewer=3, report=2), "KX-213"),
        (Ledger(files=5, other=5), "KX-215"),
    ],
)
def test_a_disc_without_scans_says_what_it_has(world: World, ledger: Ledger, message: str) -> None:
    """K12, from the ledger."""
    world.insert()
    world.reject(Finding("no-dicom", Severity.ERROR), ledger)
    shown = body(world)
    assert isinstance(shown, Problem)
    assert (shown.kind, shown.message.id) == (ProblemKind.NO_SCANS, message)


def test_the_screen_is_idle_again_when_the_operator_has_finished(world: World) -> None:
    """Finish is a journal line: it survives a restart of the screen."""
    intake = world.insert()
    world.fail(Finding("medium-blank", Severity.ERROR))
    world.desk().finish(intake)
    assert isinstance(body(world), Idle)


def test_a_forgotten_result_leaves_the_screen_after_a_quarter_of_an_hour(world: World) -> None:
    """An idle screen shows nobody's name."""
    jane(world)
    world.wait(minutes=14)
    assert isinstance(body(world), Result)
    world.wait(minutes=2)
    assert isinstance(body(world), Idle)


def test_a_disc_still_being_read_never_leaves_the_screen(world: World) -> None:
    """However long it takes."""
    world.insert()
    world.at += timedelta(hours=1)
    assert isinstance(body(world), Reading)


def test_a_disc_that_is_out_is_not_offered_to_be_taken_out(world: World) -> None:
    """The button goes with the disc."""
    world.insert()
    world.drive(DriveState.DISC_OK)
    world.fail(Finding("medium-blank", Severity.ERROR))
    shown = body(world)
    assert isinstance(shown, Problem)
    assert shown.drive == "/dev/sr0"
    world.drive(DriveState.TRAY_OPEN)
    shown = body(world)
    assert isinstance(shown, Problem)
    assert shown.drive == ""


def test_a_disc_that_was_here_before_says_when_and_what_became_of_it(world: World) -> None:
    """KX-301, so that nobody waits for it twice."""
    jane(world)
    (delivery,) = world.release()
    world.answer(delivery, Answer.VERIFIED, 3)
    world.move(DeliveryState.SENT)
    world.move(DeliveryState.COMMITTED)
    world.wait(hours=24)
    world.insert()
    shown = body(world)
    assert isinstance(shown, Reading)  # from the first moment on
    assert [n.message.id for n in shown.notices] == ["KX-301"]
    world.catalog(StatedPatient(JANE, (study("1.2.3", 3),)))
    shown = body(world)
    assert isinstance(shown, Reading)
    (notice,) = shown.notices
    assert notice.message.id == "KX-301"
    assert notice.message.values["state"] == say("stage.checked")


def looked_at(world: World, intake: int, verdict: Verdict) -> Message:
    """The first look's sentence on the screen, while the disc is copied."""
    with world.store.begin() as tx:
        tx.intakes.set_verdict(intake, verdict)
    shown = body(world)
    assert isinstance(shown, Reading)
    assert shown.first_look
    assert shown.verdict is not None
    return shown.verdict


SCANS_OF_JANE = Verdict(
    "scans", 1, 1, 3, stated=(JANE,), lines=(SeenStudy("1.2.3", "CT", instances=3),), whole=True
)


def test_the_first_look_says_whose_scans_before_anything_is_copied(world: World) -> None:
    """K5: name, birth date and studies, with the studies' lines."""
    said = looked_at(world, world.insert(), SCANS_OF_JANE)
    assert (said.id, said.values["n"]) == ("verdict.scans", 1)
    shown = body(world)
    assert isinstance(shown, Reading)
    assert [(s.modality, s.images) for s in shown.studies] == [("CT", 3)]


def test_before_anybody_signed_in_the_first_look_names_nobody(world: World) -> None:
    """A disc wakes the screen: "There are scans on this disc.", and no study either."""
    looked_at(world, world.insert(), SCANS_OF_JANE)
    shown = world.closed_desk().touch().body
    assert isinstance(shown, SignIn)
    assert shown.verdict == say("verdict.scans-unnamed")
    assert "JANE" not in repr(shown)


def test_a_look_that_was_too_short_counts_nothing(world: World) -> None:
    """Without whole figures there is a name, and no number that would turn out wrong."""
    said = looked_at(world, world.insert(), replace(SCANS_OF_JANE, whole=False))
    assert (said.id, "n" in said.values) == ("verdict.scans-of", False)


def test_scans_of_another_person_than_the_one_picked_are_said_at_once(world: World) -> None:
    """While the patient still stands there, before the disc is copied."""
    world.register("0099", MARY.name, MARY.birth_date, MARY.sex)
    intake = world.insert(picked=Identifier("0099", "HOSP"))
    assert looked_at(world, intake, SCANS_OF_JANE).id == "verdict.another-person"


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        (Verdict("several-people", 3), "verdict.several-people"),
        (Verdict("empty", whole=True), "KX-211"),
        (Verdict("audio"), "KX-212"),
        (Verdict("no-dicom", reports=4), "KX-213"),
        (Verdict("no-dicom"), "KX-215"),
        (Verdict("viewer-only"), "KX-214"),
        (Verdict("locked"), "KX-221"),
        (Verdict("unreadable"), "KX-201"),
        (Verdict("unsafe"), "KX-231"),
        (Verdict("unsure"), "verdict.reading"),
        (Verdict("never heard of"), "verdict.reading"),
    ],
)
def test_every_verdict_has_its_sentence(world: World, verdict: Verdict, message: str) -> None:
    """UX 2; a code that nobody knows can only come from a child that was taken over."""
    assert looked_at(world, world.insert(), verdict).id == message


def test_the_first_look_that_holds_is_not_announced_again(world: World) -> None:
    looked_at(world, world.insert(), SCANS_OF_JANE)
    world.catalog(StatedPatient(JANE, (study("1.2.3", 3),)))
    shown = body(world)
    assert isinstance(shown, Reading)
    assert (shown.first_look, shown.notices) == (False, ())


@pytest.mark.parametrize(
    "verdict",
    [
        replace(SCANS_OF_JANE, stated=(MARY,)),
        replace(SCANS_OF_JANE, studies=2),
        Verdict("several-people", 2, whole=True),
        Verdict("no-dicom", whole=True),
    ],
)
def test_a_first_look_that_was_wrong_is_corrected_aloud(world: World, verdict: Verdict) -> None:
    """KX-105: a change is announced, never silent."""
    looked_at(world, world.insert(), verdict)
    world.catalog(StatedPatient(JANE, (study("1.2.3", 3),)))
    shown = body(world)
    assert isinstance(shown, Reading)
    assert [n.message.id for n in shown.notices] == ["KX-105"]
    assert shown.verdict is not None
    assert shown.notices[0].message.values["verdict"] == shown.verdict
