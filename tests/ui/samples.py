"""Hand-made snapshots: any state of any screen, without an engine, a database or a disc.

The people are invented."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from kiosk.desk.differences import compare_field, rows_for
from kiosk.desk.roles import Role, everything
from kiosk.desk.snapshots import (
    DriveLine,
    Grade,
    Header,
    HimFinishes,
    Idle,
    LeftOut,
    Mood,
    Notice,
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
    TouchSnapshot,
    say,
)
from kiosk.model.delivery import Change
from kiosk.model.medium import DriveState
from kiosk.model.patient import Identifier, PatientIdentity, PersonName

AT = "2026-11-24T10:31:00+00:00"


def header(role: Role = Role.FRONT_DESK, step: int = 0, steps: int = 0) -> Header:
    return Header("City Hospital", "Kiosk 3", "Operator 214", role, AT, step, steps, everything(role))


JANE = PatientIdentity(
    (Identifier("A99", "ST MARY"),), (PersonName("DOE", "JANE"),), "19620314", "F"
)
JANE_HERE = replace(JANE, identifiers=(Identifier("0012345", "HOSP", "MR"),))
MARY = PatientIdentity(
    (Identifier("77120", "ST MARY"),), (PersonName("ROE", "MARY"),), "19880701", "F"
)
JON = PatientIdentity(
    (Identifier("A100", "ST MARY"),),
    (PersonName("DOE", "JON"),),
    "19620314",
    "M",
    address="12 MILL LANE, SPRINGFIELD",
)
JOHN_HERE = PatientIdentity(
    (Identifier("0012346", "HOSP", "MR"),),
    (PersonName("DOE", "JOHN"),),
    "19620314",
    "M",
    address="12 MILL LN, SPRINGFIELD",
)

CT = StudyLine("1.2.3.1", "CT", "CT CHEST WITH CONTRAST", "20250502", "St. Mary, Springfield", 212)
MR = StudyLine("1.2.3.2", "MR", "MRI LEFT KNEE", "20240109", "St. Mary, Springfield", 198)
XR = StudyLine("1.2.3.3", "DX", "", "20250502", "Lakeside Imaging", 3)
US = StudyLine("1.2.3.4", "US", "ABDOMEN COMPLETE", "20230817", "Lakeside Imaging", 41)
MANY = tuple(
    replace(CT, study_instance_uid=f"1.2.9.{n}", description=f"CT FOLLOW-UP {n}") for n in range(23)
)

DRIVES = (
    DriveLine("A1", "Left drive", DriveState.NO_DISC),
    DriveLine("B2", "Right drive", DriveState.NO_DISC),
)
SCANS = say("verdict.scans", name=PersonName("DOE", "JANE"), born=date(1962, 3, 14), n=2)

READING = Reading(
    "MAPLE-27",
    7,
    Phase.COPYING,
    SCANS,
    True,
    160_000_000,
    258_000_000,
    253,
    418,
    118,
    (CT, replace(MR, images=41)),
    drive="A1",
)


def changed(now: PatientIdentity) -> tuple[Change, ...]:
    return (
        Change("(0010,0010)", "PatientName", "DOE^JON", now.name.to_dicom()),
        Change("(0010,0020)", "PatientID", "A99", now.identifier.value),
        Change("(0010,0021)", "IssuerOfPatientID", "ST MARY", now.identifier.issuer),
    )


def sent(study: StudyLine, stage: Stage, received: int, checked: int, **more: int) -> StudyLine:
    return replace(study, stage=stage, received=received, checked=checked, **more)


CHECKED = Result(
    "MAPLE-27",
    7,
    Notice(Mood.GOOD, say("KX-153", n=2, time=datetime(2026, 11, 24, 10, 30, tzinfo=UTC))),
    (
        PatientLine(
            JANE,
            JANE_HERE,
            Stage.CHECKED,
            (sent(CT, Stage.CHECKED, 212, 212), sent(XR, Stage.CHECKED, 3, 3)),
            changed(JANE_HERE)[1:],
        ),
    ),
    (LeftOut("viewer", 87), LeftOut("dicomdir", 1), LeftOut("report", 2)),
    305,
    drive="A1",
)
SENDING = replace(
    CHECKED,
    headline=Notice(Mood.BUSY, say("KX-154", n=3)),
    patients=(
        replace(
            CHECKED.patients[0],
            stage=Stage.SENDING,
            studies=(
                sent(CT, Stage.RECEIVED, 212, 40),
                sent(MR, Stage.SENDING, 82, 0, damaged=14),
                XR,
            ),
        ),
    ),
    notices=(Notice(Mood.CARE, say("KX-120", n=14, m=413)),),
)
ARCHIVE_AWAY = replace(
    SENDING,
    headline=Notice(Mood.NOTE, say("KX-150")),
    patients=(replace(SENDING.patients[0], stage=Stage.WAITING, studies=(CT, MR, XR, US)),),
    notices=(),
)
PARTLY = replace(
    CHECKED,
    headline=Notice(Mood.CARE, say("KX-155", n=1)),
    patients=(
        replace(
            CHECKED.patients[0],
            stage=Stage.PARTLY,
            studies=(sent(CT, Stage.PARTLY, 211, 211, refused=1), sent(XR, Stage.CHECKED, 3, 3)),
        ),
    ),
    notices=(Notice(Mood.CARE, say("KX-310", n=1)),),
)
TWO_PEOPLE = replace(
    CHECKED,
    headline=Notice(Mood.CARE, say("KX-140", time="15 min")),
    patients=(
        CHECKED.patients[0],
        PatientLine(MARY, None, Stage.HIM, (replace(US, stage=Stage.HIM),)),
    ),
    notices=(Notice(Mood.CARE, say("KX-131", n=2, name=PersonName("DOE", "JANE"))),),
)


def same_person(
    disc: PatientIdentity, ours: PatientIdentity, grade: Grade, question: str, **values: str
) -> SamePerson:
    fields = tuple(compare_field(f, disc, ours) for f in rows_for((disc, ours)))
    return SamePerson(
        "MAPLE-27", 7, 11, "k1", grade, say(question, **values), fields, (), 2, 415, "A1"
    )


HIM_FINISHES = HimFinishes(
    "MAPLE-27", 7, say("KX-140", time="15 min"), ("name-differs",), 1, 2, 415, drive="A1"
)

TOUCH: dict[str, TouchBody] = {
    "K1-idle": Idle(DRIVES),
    "K1-one-drive-sick": Idle(
        (DRIVES[0], replace(DRIVES[1], state=DriveState.SICK)), (Notice(Mood.NOTE, say("KX-150")),)
    ),
    "K1-intake-off": Idle(DRIVES, off=say("KX-501")),
    "K5-first-seconds": Reading("MAPLE-27", 7, drive="A1"),
    "K5-reading": READING,
    "K5-starting-drive": Reading(
        "MAPLE-27", 7, notices=(Notice(Mood.BUSY, say("KX-104", n=12)),), drive="A1"
    ),
    "K5-scratched": replace(READING, notices=(Notice(Mood.CARE, say("KX-120", n=3, m=412)),)),
    "K5-copied": replace(
        READING,
        phase=Phase.CHECKING,
        first_look=False,
        copied=True,
        bytes_done=258_000_000,
        files_done=418,
    ),
    "K5-many-studies": replace(READING, studies=MANY),
    "K6-several-people": replace(READING, verdict=say("verdict.several-people", n=2)),
    "K7-match": same_person(JANE, JANE_HERE, Grade.MATCH, "KX-133"),
    "K7-small": same_person(JON, JOHN_HERE, Grade.SMALL, "KX-132", a="JON", b="JOHN"),
    "K7-different": same_person(MARY, JANE_HERE, Grade.DIFFERENT, "KX-134"),
    "K8-him": HIM_FINISHES,
    "K9-sending": SENDING,
    "K9-checked": CHECKED,
    "K9-archive-away": ARCHIVE_AWAY,
    "K9-partly": PARTLY,
    "K9-two-people": TWO_PEOPLE,
    "K11-unreadable": Problem("MAPLE-27", 7, ProblemKind.UNREADABLE, say("KX-201"), drive="A1"),
    "K11-keep": Problem(
        "MAPLE-27",
        7,
        ProblemKind.UNREADABLE,
        say("KX-202", n=180),
        (say("KX-120", n=32, m=212),),
        (replace(CT, images=180, damaged=32),),
        "A1",
    ),
    "K12-empty": Problem("MAPLE-27", 7, ProblemKind.NO_SCANS, say("KX-211"), drive="A1"),
    "K12-music": Problem("MAPLE-27", 7, ProblemKind.NO_SCANS, say("KX-212"), drive="A1"),
    "K12-photos": Problem("MAPLE-27", 7, ProblemKind.NO_SCANS, say("KX-213", n=24, m=2), drive="A1"),
    "K12-viewer": Problem("MAPLE-27", 7, ProblemKind.NO_SCANS, say("KX-214"), drive="A1"),
    "K13-locked": Problem("MAPLE-27", 7, ProblemKind.LOCKED, say("KX-221"), drive="A1"),
    "K14-unsafe": Problem(
        "MAPLE-27", 7, ProblemKind.UNSAFE, say("KX-231"), (say("KX-141"),), drive="A1"
    ),
    "K15-again": Problem(
        "MAPLE-27",
        7,
        ProblemKind.AGAIN,
        say("KX-301", date=date(2026, 11, 12), state=say("stage.checked")),
        drive="A1",
    ),
    "K5-pulled": Problem("MAPLE-27", 7, ProblemKind.PULLED, say("KX-110")),
}
STEPS = {"K5": 1, "K6": 2, "K7": 2, "K8": 3, "K9": 3}


def touch(name: str) -> TouchSnapshot:
    step = STEPS.get(name.split("-")[0], 0)
    return TouchSnapshot(header(step=step, steps=3 if step else 0), TOUCH[name])
