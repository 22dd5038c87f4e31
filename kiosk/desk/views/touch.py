"""What the touch screen shows: the newest disc of this station, from insertion to receipt."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from kiosk.desk.choosing import choose
from kiosk.desk.snapshots import (
    DriveLine,
    Grade,
    HimFinishes,
    Idle,
    LeftOut,
    Message,
    Mood,
    Notice,
    Outcome,
    PatientLine,
    Phase,
    Problem,
    ProblemKind,
    Reading,
    Result,
    SamePerson,
    Stage,
    StudyLine,
    TouchBody,
    say,
)
from kiosk.desk.views import verdict
from kiosk.desk.views.differences import compare_field, rows_for
from kiosk.desk.views.rows import HIM, case_lines, reason_codes
from kiosk.model.content import Ledger, Severity
from kiosk.model.delivery import Change, Plan
from kiosk.model.matching import Action, Candidate
from kiosk.model.medium import DriveState, MediumKind
from kiosk.model.plain import from_plain
from kiosk.model.work import Case, CaseState, Intake, IntakeState
from kiosk.store import Transaction

FINISHED = "intake.finished"
TO_HIM = "case.to-him"
SHOWN_FOR = timedelta(minutes=15)
SLOW_DRIVE_SECONDS = 8
LEFT_OUT = (
    "unreadable",
    "refused",
    "damaged",
    "unsupported",
    "duplicate",
    "report",
    "viewer",
    "other",
    "dicomdir",
)


def body(tx: Transaction, station: str, now: datetime, signed_in: bool = True) -> TouchBody:
    """K1 when there is no disc in work here, else the step its newest one has reached."""
    intake = current(tx, station, now)
    if intake is None:
        return _idle(tx, station)
    if intake.state is IntakeState.RECEIVED:
        return _copying(tx, intake, now, signed_in)
    if intake.state is IntakeState.READ:
        return _checking(tx, intake, signed_in)
    if intake.state in (IntakeState.FAILED, IntakeState.REJECTED, IntakeState.ABORTED):
        return _problem(tx, intake)
    return _cataloged(tx, intake)


def current(tx: Transaction, station: str, now: datetime) -> Intake | None:
    """The newest intake here, until somebody finished it or nothing happened for 15 minutes: an
    idle screen shows nobody's name."""
    intake = tx.intakes.newest(station)
    if intake is None:
        return None
    events = tx.journal.of(intake=intake.id)
    last = datetime.fromisoformat(events[-1].at) if events else now
    working = intake.state in (IntakeState.RECEIVED, IntakeState.READ)
    over = any(e.kind == FINISHED for e in events) or (not working and now - last > SHOWN_FOR)
    return None if over else intake


def _idle(tx: Transaction, station: str) -> Idle:
    """An archive that does not answer is a word here, not an alarm."""
    lines = tuple(
        DriveLine(d.serial, d.name or d.device, d.state, d.kind is MediumKind.USB)
        for d in tx.intakes.drives(station)
        if d.kind is MediumKind.OPTICAL or d.state is not DriveState.UNPLUGGED
    )
    away = any(each.failing_since for each in tx.destinations.all(station))
    return Idle(lines, (Notice(Mood.NOTE, say("KX-150")),) if away else ())


def _copying(tx: Transaction, intake: Intake, now: datetime, signed_in: bool) -> Reading:
    said = verdict.at_first_look(tx, intake, signed_in)
    studies = verdict.studies_seen(tx, intake) if signed_in else ()
    before = verdict.of_medium(tx, intake)
    progress = tx.intakes.progress(intake.id)
    if progress is None:
        seconds = int((now - datetime.fromisoformat(intake.created_at)).total_seconds())
        drive = verdict.drive_of(tx, intake)
        slow = seconds >= SLOW_DRIVE_SECONDS and bool(drive) and said is None
        notices = (Notice(Mood.BUSY, say("KX-104", n=seconds)),) if slow else before
        return Reading(
            intake.ticket, intake.id, verdict=said, studies=studies, notices=notices, drive=drive
        )
    phase = Phase.CHECKING if progress.phase == "checking" else Phase.COPYING
    started = datetime.fromisoformat(intake.created_at)
    left = seconds_left(progress.bytes_done, progress.bytes_total, (now - started).total_seconds())
    if progress.phase == "retrying":
        left = -1  # the notice says how long this may take
    return Reading(
        intake.ticket,
        intake.id,
        phase,
        said or say("verdict.looking" if progress.phase == "first look" else "verdict.reading"),
        bytes_done=progress.bytes_done,
        bytes_total=progress.bytes_total,
        files_done=progress.files_done,
        files_total=progress.files_total,
        seconds_left=left,
        studies=studies,
        notices=(*verdict.slowly(progress), *before),
        drive=verdict.drive_of(tx, intake),
        read_on=verdict.read_on(tx, intake),
    )


def seconds_left(done: int, total: int, elapsed: float) -> int:
    """From the average rate, -1 in the first five seconds: an early guess is a wrong one."""
    if elapsed < 5 or done <= 0 or total <= 0:
        return -1
    return max(0, round((total - done) * elapsed / done))


def _checking(tx: Transaction, intake: Intake, signed_in: bool) -> Reading:
    report = tx.intakes.report(intake.id)
    read = report.bytes if report else 0
    files = report.files if report else 0
    return Reading(
        intake.ticket,
        intake.id,
        Phase.CHECKING,
        verdict.at_first_look(tx, intake, signed_in) or say("verdict.looking"),
        bytes_done=read,
        bytes_total=read,
        files_done=files,
        files_total=files,
        studies=verdict.studies_seen(tx, intake) if signed_in else (),
        notices=verdict.of_medium(tx, intake),
        copied=True,
        drive=verdict.drive_of(tx, intake),
    )


def _cataloged(tx: Transaction, intake: Intake) -> TouchBody:
    cases = tx.cases.of_intake(intake.id)
    if any(case.state is CaseState.OPEN for case in cases):
        return _matching(tx, intake, cases)
    if (asks := choose(tx, intake, cases)) is not None:
        return asks
    if len(cases) == 1 and cases[0].state is CaseState.AWAITING:
        return _asks(tx, intake, cases[0])
    if cases and all(case.state in HIM for case in cases):
        return _him(tx, intake, cases)
    return _result(tx, intake, cases)


def _matching(tx: Transaction, intake: Intake, cases: tuple[Case, ...]) -> Reading:
    studies = tuple(line for case in cases for line in case_lines(tx, case))
    ledger = tx.intakes.ledger(intake.id) or Ledger()
    return Reading(
        intake.ticket,
        intake.id,
        Phase.MATCHING,
        verdict.of_cases(cases, len(studies)),
        first_look=False,
        files_done=ledger.files,
        files_total=ledger.files,
        studies=studies,
        notices=(
            *verdict.changed(tx, intake, cases, len(studies)),
            *verdict.damage(tx, intake, studies, ledger),
            *verdict.of_medium(tx, intake),
        ),
        copied=True,
        drive=verdict.drive_of(tx, intake),
    )


def _asks(tx: Transaction, intake: Intake, case: Case) -> TouchBody:
    """K7 when the front desk chose a patient and has not handed the question on; else K8."""
    candidate = _picked(case)
    handed = any(e.kind == TO_HIM for e in tx.journal.of(case=case.id))
    if candidate is None or handed:
        return _him(tx, intake, (case,))
    ours = candidate.local.identity
    fields = tuple(compare_field(f, case.stated, ours) for f in rows_for((case.stated, ours)))
    grade = grade_of(candidate, {f.field: f.outcome for f in fields})
    studies = case_lines(tx, case)
    question = say("KX-134")
    if grade is Grade.SMALL:
        one = next((f for f in fields if f.outcome is Outcome.SIMILAR), None)
        question = say("KX-130", name=ours.name)
        if one is not None and one.field in ("family", "given"):
            question = say("KX-132", a=one.disc, b=one.ours)
    return SamePerson(
        intake.ticket,
        intake.id,
        case.id,
        candidate.local.key,
        grade,
        question,
        fields,
        verdict.changed(tx, intake, (case,), len(studies)),
        studies=len(studies),
        images=sum(s.images for s in studies),
        drive=verdict.drive_of(tx, intake),
        shown=candidate.local.identity,
    )


def _picked(case: Case) -> Candidate | None:
    if case.picked is None or case.proposal is None:
        return None
    wanted = (case.picked.value, case.picked.issuer)
    for candidate in case.proposal.candidates:
        theirs = (*candidate.local.identity.identifiers, *candidate.local.prior_identifiers)
        if wanted in {(i.value, i.issuer) for i in theirs}:
            return candidate
    return None


def grade_of(candidate: Candidate, outcomes: dict[str, Outcome]) -> Grade:
    """Red as soon as name or birth date plainly differ; amber for everything a person must look
    at: a case that waits is never green."""
    telling = (outcomes.get(f) for f in ("family", "given", "birth_date"))
    if Outcome.DIFFERENT in telling or candidate.probability < 0.5:
        return Grade.DIFFERENT
    return Grade.SMALL


def _him(tx: Transaction, intake: Intake, cases: tuple[Case, ...]) -> HimFinishes:
    studies = tuple(line for case in cases for line in case_lines(tx, case))
    reasons = {code: None for case in cases for code in reason_codes(case, len(cases))}
    ledger = tx.intakes.ledger(intake.id) or Ledger()
    return HimFinishes(
        intake.ticket,
        intake.id,
        say("KX-142"),
        tuple(reasons),
        len(cases),
        len(studies),
        sum(s.images for s in studies),
        (
            *verdict.changed(tx, intake, cases, len(studies)),
            *verdict.damage(tx, intake, studies, ledger),
            *verdict.of_medium(tx, intake),
        ),
        verdict.drive_of(tx, intake),
        verdict.read_on(tx, intake),
    )


def _result(tx: Transaction, intake: Intake, cases: tuple[Case, ...]) -> Result:
    patients = tuple(_patient(tx, case) for case in cases)
    ledger = tx.intakes.ledger(intake.id) or Ledger()
    studies = tuple(line for patient in patients for line in patient.studies)
    brought_in = sum(bool(a.study) for a in tx.intakes.attachments(intake.id))
    ledger = replace(ledger, report=max(0, ledger.report - brought_in))
    left = tuple(LeftOut(b, getattr(ledger, b)) for b in LEFT_OUT if getattr(ledger, b))
    return Result(
        intake.ticket,
        intake.id,
        headline(tx, cases, studies),
        patients,
        left,
        ledger.files,
        (
            *verdict.changed(tx, intake, cases, len(studies)),
            *verdict.damage(tx, intake, studies, ledger),
            *verdict.of_medium(tx, intake),
        ),
        verdict.drive_of(tx, intake),
        verdict.read_on(tx, intake),
    )


def _patient(tx: Transaction, case: Case) -> PatientLine:
    decided = case.resolution
    local = decided.local if decided and decided.action is Action.LINK else None
    studies = case_lines(tx, case)
    stage = min((s.stage for s in studies), key=_ORDER.index, default=Stage.WAITING)
    return PatientLine(case.stated, local, stage, studies, changes_of(tx, case))


_ORDER = list(Stage)


def changes_of(tx: Transaction, case: Case) -> tuple[Change, ...]:
    """What is written into the headers, from the first study's stored plan."""
    for outline in tx.cases.outlines(case.id):
        if (stored := tx.cases.plan(outline.id)) is not None:
            return from_plain(Plan, stored).changes
    return ()


def headline(tx: Transaction, cases: tuple[Case, ...], studies: tuple[StudyLine, ...]) -> Notice:
    """What a clerk may say to the patient now, and no more than is proved."""
    stages = [s.stage for s in studies if s.stage is not Stage.LEFT]
    stuck = sum(s.images - s.received for s in studies if s.stage in (Stage.PARTLY, Stage.STOPPED))
    if cases and all(case.state is CaseState.REJECTED for case in cases):
        return Notice(Mood.NOTE, say("KX-156"))
    if Stage.HIM in stages:
        return Notice(Mood.CARE, say("KX-142"))
    if stuck:
        return Notice(Mood.CARE, say("KX-155", n=stuck))
    if Stage.TRIAGE in stages:
        return Notice(Mood.CARE, say("KX-143", n=stages.count(Stage.TRIAGE)))
    if studies and not stages:
        return Notice(Mood.NOTE, say("KX-144"))
    if stages and all(stage is Stage.CHECKED for stage in stages):
        return Notice(Mood.GOOD, say("KX-153", n=len(stages), time=_proved_at(tx, cases)))
    if all(case.state is CaseState.RESOLVED for case in cases):
        return Notice(Mood.BUSY, say("KX-157"))
    if any(d.problem for case in cases for d in tx.deliveries.of_case(case.id)):
        return Notice(Mood.NOTE, say("KX-150"))
    if stages and all(case.state is CaseState.DONE for case in cases):
        return Notice(Mood.GOOD, say("KX-158", n=len(stages), time=_proved_at(tx, cases)))
    if stages and all(stage in (Stage.RECEIVED, Stage.CHECKED) for stage in stages):
        return Notice(Mood.BUSY, say("KX-151"))
    return Notice(Mood.BUSY, say("KX-154", n=len(stages)))


def _proved_at(tx: Transaction, cases: tuple[Case, ...]) -> datetime:
    kinds = ("delivery.committed", "case.done")
    times = [e.at for case in cases for e in tx.journal.of(case=case.id) if e.kind in kinds]
    return datetime.fromisoformat(max(times))


PROBLEMS: dict[str, tuple[ProblemKind, str]] = {
    "medium-encrypted": (ProblemKind.LOCKED, "KX-221"),
    "encrypted": (ProblemKind.LOCKED, "KX-221"),
    "encrypted-refused": (ProblemKind.LOCKED, "KX-221"),
    "medium-audio": (ProblemKind.NO_SCANS, "KX-212"),
    "medium-blank": (ProblemKind.NO_SCANS, "KX-211"),
    "medium-missing": (ProblemKind.PULLED, "KX-110"),
    "medium-removed": (ProblemKind.PULLED, "KX-110"),
    "medium-swapped": (ProblemKind.PULLED, "KX-111"),
    "medium-unsupported": (ProblemKind.UNREADABLE, "KX-216"),
    "medium-packed": (ProblemKind.UNREADABLE, "KX-217"),
    "udisks-failed": (ProblemKind.UNREADABLE, "KX-205"),
    "drive-sick": (ProblemKind.UNREADABLE, "KX-203"),
    "medium-unreadable": (ProblemKind.UNREADABLE, "KX-201"),
    "reader-stalled": (ProblemKind.UNREADABLE, "KX-203"),
}


def _problem(tx: Transaction, intake: Intake) -> Problem:
    ledger = tx.intakes.ledger(intake.id) or Ledger()
    kind, message = problem_of(intake, ledger)
    drive, more = verdict.drive_of(tx, intake), verdict.read_on(tx, intake)
    return Problem(intake.ticket, intake.id, kind, message, drive=drive, read_on=more)


def problem_of(intake: Intake, ledger: Ledger) -> tuple[ProblemKind, Message]:
    """Which of K11 to K14 an intake that ended without scans leads to."""
    failure = intake.failure
    if failure is not None and failure.severity is Severity.UNSAFE:
        return ProblemKind.UNSAFE, say("KX-231")
    code = failure.code if failure else ""
    if code in PROBLEMS:
        kind, message_id = PROBLEMS[code]
        return kind, say(message_id)
    if code == "no-dicom":
        return ProblemKind.NO_SCANS, _no_scans(ledger)
    if ledger.files and not ledger.unreadable and not ledger.damaged:
        return ProblemKind.NO_SCANS, _no_scans(ledger)
    return ProblemKind.UNREADABLE, say("KX-201")


def _no_scans(ledger: Ledger) -> Message:
    if ledger.files == 0:
        return say("KX-211")
    if ledger.viewer and not ledger.report and not ledger.other:
        return say("KX-214")
    if ledger.report:
        return say("KX-213", n=ledger.report)
    return say("KX-215")
