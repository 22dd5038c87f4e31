"""One plain sentence for what a disc is, at first look, then as the catalog has it; and for what of
it could not be read."""

from __future__ import annotations

from datetime import datetime

from kiosk.desk.snapshots import Message, Mood, Notice, Outcome, ReadOn, Stage, StudyLine, say
from kiosk.desk.views.differences import compare_field
from kiosk.desk.views.rows import case_lines
from kiosk.model.content import Ledger, Verdict
from kiosk.model.medium import DriveState, MediumKind, Progress
from kiosk.model.patient import PatientIdentity
from kiosk.model.work import Case, Intake, IntakeState
from kiosk.store import Transaction

NO_SCANS = {
    "empty": "KX-211",
    "blank": "KX-211",
    "audio": "KX-212",
    "viewer-only": "KX-214",
    "locked": "KX-221",
    "unreadable": "KX-201",
    "unsupported": "KX-216",
    "unsafe": "KX-231",
    "unsure": "verdict.reading",
}
TELLING = ("family", "given", "birth_date")


def of_person(stated: PatientIdentity, studies: int) -> Message:
    """Whose scans, and how many studies."""
    if not stated.name:
        return say("verdict.scans-unnamed")
    try:
        born = datetime.strptime(stated.birth_date, "%Y%m%d").date()  # noqa: DTZ007 - a day has none
    except ValueError:
        return say("verdict.scans-undated", name=stated.name, n=studies)
    return say("verdict.scans", name=stated.name, born=born, n=studies)


def of_cases(cases: tuple[Case, ...], studies: int) -> Message:
    """What the catalog says."""
    if len(cases) > 1:
        return say("verdict.several-people", n=len(cases))
    return of_person(cases[0].stated, studies)


def at_first_look(tx: Transaction, intake: Intake, signed_in: bool) -> Message | None:
    """What the first look said, None before there was one. Without anybody who signed in it names
    nobody."""
    found = tx.intakes.verdict(intake.id)
    return None if found is None else _sentence(tx, intake, found, signed_in)


def _sentence(tx: Transaction, intake: Intake, found: Verdict, signed_in: bool) -> Message:
    if found.code == "several-people":
        return say("verdict.several-people", n=found.people)
    if found.code == "no-dicom":
        return say("KX-213", n=found.reports) if found.reports else say("KX-215")
    if found.code != "scans":
        return say(NO_SCANS.get(found.code, "verdict.reading"))
    if not signed_in or not found.stated:
        return say("verdict.scans-unnamed")
    stated = found.stated[0]
    if stated.name and _another(tx, intake, stated):
        return say("verdict.another-person", name=stated.name)
    if stated.name and not found.whole:
        return say("verdict.scans-of", name=stated.name)
    return of_person(stated, found.studies)


def _another(tx: Transaction, intake: Intake, stated: PatientIdentity) -> bool:
    """Whether the disc plainly is not of the patient that the front desk chose."""
    chosen = tx.roster.resolve(intake.picked) if intake.picked else None
    if chosen is None:
        return False
    lines = (compare_field(name, stated, chosen.identity) for name in TELLING)
    return any(line.outcome is Outcome.DIFFERENT for line in lines)


def studies_seen(tx: Transaction, intake: Intake) -> tuple[StudyLine, ...]:
    """The studies that the first look met."""
    found = tx.intakes.verdict(intake.id)
    return tuple(
        StudyLine(s.study_instance_uid, s.modality, s.description, s.date, images=s.instances)
        for s in (found.lines if found else ())
    )


def changed(
    tx: Transaction, intake: Intake, cases: tuple[Case, ...], studies: int
) -> tuple[Notice, ...]:
    """KX-105 where the first look said something else than the catalog: never silently."""
    found = tx.intakes.verdict(intake.id)
    if found is None or not cases or _holds(found, cases, studies):
        return ()
    said = say("KX-105", verdict=of_cases(cases, studies))
    return (Notice(Mood.CARE, said),)


def _holds(found: Verdict, cases: tuple[Case, ...], studies: int) -> bool:
    if found.code == "unsure":
        return True  # nothing was said
    if found.code == "several-people":
        return len(cases) > 1 and (not found.whole or found.people == len(cases))
    same = (
        found.code == "scans" and len(cases) == 1 and (not found.whole or found.studies == studies)
    )
    stated = found.stated[0] if found.stated else PatientIdentity()
    return same and (stated.name, stated.birth_date) == (
        cases[0].stated.name,
        cases[0].stated.birth_date,
    )


def of_medium(tx: Transaction, intake: Intake) -> tuple[Notice, ...]:
    """Whether it can come out, and whether it was here before."""
    return (*_leaving(tx, intake), *again(tx, intake))


def _leaving(tx: Transaction, intake: Intake) -> tuple[Notice, ...]:
    """KX-106 where a stick may be pulled out, KX-107 where a drive keeps its disc."""
    if intake.state is IntakeState.RECEIVED:
        return ()
    at = intake.medium.location
    drives = tx.intakes.drives(intake.station)
    if any(at in d.volumes for d in drives if d.state is DriveState.DISC_OK):
        return (Notice(Mood.GOOD, say("KX-106")),)
    kept = any(e.kind == "drive.eject-failed" for e in tx.journal.of(intake=intake.id))
    return (Notice(Mood.CARE, say("KX-107")),) if kept and drive_of(tx, intake) else ()


def again(tx: Transaction, intake: Intake) -> tuple[Notice, ...]:
    """KX-301 where the same disc was brought in before: when, and how far that is."""
    mark = intake.medium.fingerprint
    before = [i for i in tx.intakes.of_medium(mark) if i.id < intake.id] if mark else []
    if not before:
        return ()
    cases = tx.cases.of_intake(before[0].id)
    stages = [s.stage for case in cases for s in case_lines(tx, case)]
    worst = min(stages, key=list(Stage).index, default=Stage.STOPPED)
    day = datetime.fromisoformat(before[0].created_at).astimezone().date()
    said = say("KX-301", date=day, state=say(f"stage.{worst.value}"))
    return (Notice(Mood.NOTE, said),)


# -- damage ------------------------------------------------------------------------------------

DRIVE_GAVE_UP = ("reader-stalled", "reader-died", "medium-unreadable", "medium-removed")


def damage(
    tx: Transaction, intake: Intake, studies: tuple[StudyLine, ...], ledger: Ledger
) -> tuple[Notice, ...]:
    """KX-120 where images are missing or hurt and KX-121 where they may still be had; nothing
    otherwise: warn only on a difference."""
    hurt = sum(s.damaged for s in studies) + ledger.unreadable
    total = sum(s.images for s in studies) + ledger.unreadable
    if not hurt:
        return ()
    report = tx.intakes.report(intake.id)
    said = Notice(Mood.CARE, say("KX-120", n=hurt, m=total))
    better = report is not None and report.damaged
    return (said, Notice(Mood.NOTE, say("KX-121"))) if better else (said,)


def slowly(progress: Progress) -> tuple[Notice, ...]:
    """KX-122 while damage is tried again, with the minutes that this may take at most."""
    if progress.phase != "retrying":
        return ()
    minutes = max(1, -(-progress.seconds_left // 60))
    return (Notice(Mood.CARE, say("KX-122", n=minutes)),)


def drive_of(tx: Transaction, intake: Intake) -> str:
    """The device to open, as long as the disc lies in a drive of ours."""
    if intake.medium.kind is not MediumKind.OPTICAL:
        return ""
    states = {d.device: d.state for d in tx.intakes.drives(intake.station)}
    device = intake.medium.location
    return device if states.get(device, DriveState.DISC_OK) is DriveState.DISC_OK else ""


def read_on(tx: Transaction, intake: Intake) -> ReadOn:
    """What more patience or one more reading may add, of a medium that is still there."""
    if intake.medium.kind is MediumKind.OPTICAL and not drive_of(tx, intake):
        return ReadOn.NOTHING
    if intake.state is IntakeState.RECEIVED:
        progress = tx.intakes.progress(intake.id)
        at_it = progress is not None and progress.phase == "retrying"
        return ReadOn.LONGER if at_it else ReadOn.NOTHING
    if intake.state is IntakeState.FAILED and intake.failure is not None:
        return ReadOn.AGAIN if intake.failure.code in DRIVE_GAVE_UP else ReadOn.NOTHING
    report = tx.intakes.report(intake.id)
    if report is None or not report.damaged:
        return ReadOn.NOTHING
    return ReadOn.LONGER if report.untried else ReadOn.AGAIN
