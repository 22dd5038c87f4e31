"""Hand-made snapshots: any state of any screen, without an engine, a database or a disc.

The people are invented."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from kiosk.desk.roles import Role, everything
from kiosk.desk.snapshots import (
    Asks,
    CandidateColumn,
    CompareSnapshot,
    DeliveriesSnapshot,
    DeliveryRow,
    DestinationLine,
    DriveLine,
    Earlier,
    FigureLine,
    Find,
    Goes,
    Grade,
    Header,
    HealthLine,
    HealthSnapshot,
    HimFinishes,
    Idle,
    LeftOut,
    Mood,
    Notice,
    PatientCard,
    PatientLine,
    PeopleSnapshot,
    PersonRow,
    Phase,
    Place,
    Problem,
    ProblemKind,
    QueueLine,
    Reading,
    ReadOn,
    Receipt,
    ReportsSnapshot,
    Result,
    SamePerson,
    SentCase,
    SignIn,
    Stage,
    StudyLine,
    TouchBody,
    TouchSnapshot,
    TriageSnapshot,
    ViewSnapshot,
    WithdrawalRow,
    WorklistRow,
    WorklistSnapshot,
    say,
)
from kiosk.desk.views.differences import compare_field, rows_for, text_of
from kiosk.model.content import Attachment
from kiosk.model.delivery import Change
from kiosk.model.matching import Evidence
from kiosk.model.medium import DriveState
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName
from tests.ui import triage_samples

AT = "2026-11-24T10:31:00+00:00"


def header(role: Role = Role.FRONT_DESK, step: int = 0, steps: int = 0) -> Header:
    return Header(
        "City Hospital", "Kiosk 3", "Operator 214", role, AT, step, steps, everything(role)
    )


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


def planned(now: PatientIdentity) -> tuple[Change, ...]:
    """A whole plan: what the identity replaces, what is mended, and what is added."""
    rows = tuple(replace(each, instances=413) for each in changed(now))
    return (
        Change("(0008,0020)", "StudyDate", "2025.05.02", "20250502", 212),
        Change("(0008,0050)", "AccessionNumber", "A-77", "", 413),
        *rows,
        Change("(0018,a001)", "ContributingEquipmentSequence", "", "one item more", 413),
        Change("(0400,0561)", "OriginalAttributesSequence", "", "one item more", 413),
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
    notices=(
        Notice(Mood.CARE, say("KX-120", n=14, m=413)),
        Notice(Mood.NOTE, say("KX-121")),
    ),
    read_on=ReadOn.LONGER,
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

FOUND = (
    PatientCard(JANE_HERE, AT),
    PatientCard(
        replace(JANE_HERE, birth_date="19910101", identifiers=(Identifier("0098765", "HOSP"),)),
        "",
        True,
    ),
    PatientCard(JOHN_HERE),
)
RECEIPT = Receipt(
    "MAPLE-27",
    27,
    AT,
    "J.D.",
    (
        StudyLine("1.2.1", "CT", "CT CHEST", "20250502", images=412, damaged=14, checked=398),
        StudyLine("1.2.2", "MR", "MR KNEE", "20240109", images=41, stage=Stage.CHECKED),
    ),
    (
        say("KX-154", n=1),
        say("receipt.left-out", what=say("left.damaged", n=14)),
        say("receipt.us"),
    ),
    "https://hospital.example/scans/MAPLE-27",
    printer=True,
)
TOUCH: dict[str, TouchBody] = {
    "K2-name": SignIn(verdict=say("verdict.scans-unnamed"), emergency=True),
    "K2-pin": SignIn(Asks.PIN, "Operator 214"),
    "K2-password": SignIn(Asks.PASSWORD, "berta.smith"),
    "K2-locked": SignIn(locked="Operator 214", emergency=True),
    "K2-first-run": SignIn(notices=(Notice(Mood.CARE, say("KX-408")),)),
    "K3-find": Find(7),
    "K6-choose": triage_samples.choose(JANE),
    "K6-two-people": triage_samples.choose(JANE, MARY),
    "K3-found": Find(7, "DOE", FOUND),
    "K3-nobody": Find(7, "XYLOPH"),
    "K3-feed-old": Find(7, notices=(Notice(Mood.CARE, say("KX-502", n=31)),)),
    "K1-idle": Idle(DRIVES),
    "K1-before-sign-in": Idle(DRIVES),
    "K1-signed-in": Idle(DRIVES),
    "K1-directory-away": Idle(DRIVES),
    "K1-one-drive-sick": Idle(
        (DRIVES[0], replace(DRIVES[1], state=DriveState.SICK)), (Notice(Mood.NOTE, say("KX-150")),)
    ),
    "K1-stick": Idle(
        (
            replace(DRIVES[0], state=DriveState.UNPLUGGED),
            DriveLine("S1", "Stick of the patient", DriveState.DISC_OK, stick=True),
        )
    ),
    "K1-intake-off": Idle(DRIVES, off=say("KX-501")),
    "K5-first-seconds": Reading("MAPLE-27", 7, drive="A1"),
    "K5-reading": READING,
    "K5-starting-drive": Reading(
        "MAPLE-27", 7, notices=(Notice(Mood.BUSY, say("KX-104", n=12)),), drive="A1"
    ),
    "K5-scratched": replace(
        READING, notices=(Notice(Mood.CARE, say("KX-122", n=4)),), seconds_left=-1
    ),
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
    "K9-receipt": RECEIPT,
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
    "K12-photos": Problem("MAPLE-27", 7, ProblemKind.NO_SCANS, say("KX-213", n=26), drive="A1"),
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
STEPS = {"K3": 1, "K5": 1, "K6": 2, "K7": 2, "K8": 3, "K9": 3}


def touch(name: str) -> TouchSnapshot:
    step = STEPS.get(name.split("-")[0], 0)
    above = header(step=step, steps=3 if step else 0)
    if name in ("K1-before-sign-in",) or name.startswith("K2"):
        above = replace(above, operator="", role=None, may=frozenset(), signs_in=True)
    if name in SIGNED_IN:
        above = replace(above, signs_in=True, caution=SIGNED_IN[name])
    return TouchSnapshot(above, TOUCH[name])


SIGNED_IN = {"K1-signed-in": None, "K1-directory-away": say("caution.cached", n=3)}


# -- HIM -------------------------------------------------------------------------------------


def evidence(field: str, level: str, weight: float, words: str) -> Evidence:
    return Evidence(field, level, weight, words)


EVIDENCE_1 = {
    "family": evidence("family", "exact", 9.9, "same family name"),
    "given": evidence("given", "one-edit", 2.0, "one letter differs"),
    "birth_date": evidence("birth_date", "exact", 14.6, "same birth date"),
    "sex": evidence("sex", "same", 1.0, "same sex"),
    "address": evidence("address", "same", 6.0, "same street and number"),
}
EVIDENCE_2 = {
    "family": evidence("family", "part", 5.0, "part of a double name"),
    "given": evidence("given", "exact", 7.3, "same given name"),
    "birth_date": evidence("birth_date", "different", -11.0, "another birth date"),
    "sex": evidence("sex", "same", 1.0, "same sex"),
}
JON_SMITH = PatientIdentity(
    (Identifier("0088812", "HOSP", "MR"),), (PersonName("DOE-SMITH", "JON"),), "19260314", "M"
)


def candidate(
    number: int,
    ours: PatientIdentity,
    found: dict[str, Evidence],
    probability: float,
    capped: str = "",
    disc: PatientIdentity = JON,
) -> CandidateColumn:
    fields = tuple(compare_field(f, disc, ours, found.get(f)) for f in rows_for((disc, JOHN_HERE)))
    others = (evidence("name", "count-1", 1.4, "nobody else here has this name"),)
    return CandidateColumn(
        number,
        LocalPatient(f"k{number}", ours),
        probability,
        sum(e.weight for e in found.values()),
        capped,
        fields,
        planned(ours),
        others,
    )


CAPPED = "the disc names nobody: anonymous, an alias or a test"
COMPARE = CompareSnapshot(
    header(Role.HIM),
    11,
    "MAPLE-27",
    JON,
    (),
    tuple((f, text_of(JON, f)) for f in rows_for((JON, JOHN_HERE))),
    (
        candidate(1, JOHN_HERE, EVIDENCE_1, 0.9991, CAPPED),
        candidate(2, JON_SMITH, EVIDENCE_2, 0.012, "birth dates differ"),
    ),
    0.0004,
    ("name-differs", "several-candidates"),
    ("The given name differs by one letter.", "A second registered patient is similar."),
    42,
    (CT, replace(MR, damaged=14), XR),
    owner="Operator 214",
    station="Kiosk 3",
    created_at=AT,
    reports=(
        Attachment(31, "REPORT.PDF", 52_000, "pdf", 0, study="1.2.3"),
        Attachment(32, "LETTER.PDF", 61_000, "pdf", 0, why="active"),
    ),
    import_only=planned(replace(JON, identifiers=(Identifier("X7QK3M5ZB2A4D", "UNVERIFIED"),))),
)
DAY = date(2026, 11, 23)
DECIDED_BEFORE = replace(
    COMPARE,
    candidates=(
        replace(
            COMPARE.candidates[0],
            earlier=(
                Earlier(7, say("earlier.same-person", who="Operator 214", day=DAY), True, True),
            ),
        ),
        replace(
            COMPARE.candidates[1],
            earlier=(
                Earlier(
                    8,
                    say("earlier.not-same-person", who="berta", day=DAY),
                    True,
                    against=True,
                ),
            ),
        ),
    ),
    earlier=(
        Earlier(
            9,
            say(
                "earlier.otherwise",
                said=say("earlier.nobody-here", who="Operator 214", day=DAY),
                what=say("stated.birth_date"),
            ),
            False,
            True,
        ),
    ),
)
NOBODY = replace(
    COMPARE, candidates=(), reasons=("no-patient",), why=("Nobody alike is registered here.",)
)
TAKEN = replace(
    COMPARE,
    owner="Operator 77",
    blocked=say("KX-420", owner="Operator 77"),
)


def worklist_row(
    case: int, who: PatientIdentity, due: int, *reasons: str, **more: object
) -> WorklistRow:
    row = WorklistRow(
        case,
        f"MAPLE-{case}",
        who,
        reasons,
        AT,
        due,
        candidates=2,
        best="DOE^JOHN",
        studies=3,
        images=413,
        station="Kiosk 3",
        created_at=AT,
    )
    return replace(row, **more)


WORKLIST = WorklistSnapshot(
    header(Role.HIM),
    (
        worklist_row(27, JON, -20, "name-differs", "several-candidates", appointment=AT),
        worklist_row(31, MARY, 12, "no-patient", appointment=AT, candidates=0, best=""),
        worklist_row(
            33,
            JANE,
            42,
            "birth-date-differs",
            appointment=AT,
            chosen=JANE_HERE,
            owner="Operator 77",
        ),
        worklist_row(
            34,
            replace(MARY, names=(PersonName("مريم", "سالم"),)),
            95,
            "two-patients",
            station="Kiosk 1",
        ),
        worklist_row(
            38, replace(JON, names=(PersonName("MÜLLER-LÜDENSCHEIDT", "JÖRG"),)), 190, "sex-differs"
        ),
        worklist_row(
            40, replace(JON, names=(), birth_date=""), 230, "no-patient", candidates=0, best=""
        ),
    ),
    (
        ("name-differs", 1),
        ("no-patient", 2),
        ("birth-date-differs", 1),
        ("two-patients", 1),
        ("sex-differs", 1),
    ),
)

GOES = (Goes("PACS", "rule 2 (modality CT or MR)", 412, 413), Goes("ECHO", "the default", 1, 413))
SENT = replace(
    COMPARE,
    header=header(Role.HIM_LEAD),
    reasons=("changed-after-sending",),
    why=("The registration of this patient changed after the scans were sent.",),
    sent=SentCase(
        JANE_HERE,
        "Operator 77",
        AT,
        (
            Place("PACS", Stage.CHECKED, 412, "rule 2 (modality CT or MR)"),
            Place("ECHO", Stage.PARTLY, 1, "no rule fits: the default"),
        ),
        True,
        proposed_by="Operator 12",
        proposed_why="her sister's scans",
    ),
)
RECALLED = replace(
    SENT,
    sent=replace(
        SENT.sent,
        recalled=True,
        places=(
            Place("PACS", Stage.WITHDRAWN, 412, "", 1),
            Place("ECHO", Stage.STOPPED, 1, "", 2, "The archive does not take rejection notes."),
        ),
    ),
)

HIM: dict[str, WorklistSnapshot | CompareSnapshot | TriageSnapshot | ViewSnapshot] = {
    "D1-worklist": WORKLIST,
    "D3-queue": triage_samples.queue(header(Role.HIM), JANE),
    "D3-view": triage_samples.view(header(Role.RADIOLOGIST), JANE),
    "D1-nothing-to-do": WorklistSnapshot(header(Role.HIM), last_done_at=AT),
    "D1-feed-old": replace(WORKLIST, notices=(Notice(Mood.CARE, say("KX-502", n=31)),)),
    "D2-compare": COMPARE,
    "D2-decided-before": DECIDED_BEFORE,
    "D2-nobody-alike": NOBODY,
    "D2-taken-by-another": TAKEN,
    "D2-goes-by-rule": replace(COMPARE, goes=((COMPARE.candidates[0].local.key, GOES),)),
    "D2-sent": SENT,
    "D2-recalled": RECALLED,
}

# -- IT --------------------------------------------------------------------------------------

DELIVERIES = DeliveriesSnapshot(
    header(Role.IT),
    (
        DestinationLine("PACS", "MAINPACS at 10.1.2.3:104", Mood.GOOD, 3, 0, 40, 2),
        DestinationLine(
            "CARDIO",
            "CARDIO at 10.1.2.9:104",
            Mood.STOP,
            17,
            1,
            2040,
            2,
            AT,
            "The archive does not answer: connection refused. Check that it is running.",
        ),
    ),
    (
        DeliveryRow(1, "MAPLE-27", "PACS", sent(CT, Stage.SENDING, 82, 0), 1),
        DeliveryRow(
            2,
            "RIVER-104",
            "CARDIO",
            sent(MR, Stage.PARTLY, 197, 197, refused=1),
            3,
            AT,
            "The archive refused 1 of 198 images (status A900); the others are there. Mend it "
            "there, then send them again.",
            ("IMAGES/IM0107: A900 the data set does not match the SOP class",),
        ),
        DeliveryRow(3, "RIVER-104", "CARDIO", sent(US, Stage.WAITING, 0, 0), 0),
    ),
    (
        WithdrawalRow(7, "CEDAR-9", "PACS", 412, False),
        WithdrawalRow(
            8,
            "CEDAR-9",
            "CARDIO",
            24,
            True,
            problem="The archive does not take rejection notes (status 0122). Take the images out "
            "there by hand, and say so here.",
        ),
    ),
)
HEALTH = HealthSnapshot(
    header(Role.IT),
    (
        HealthLine(
            "archive CARDIO",
            Mood.STOP,
            "It has not answered since 09:58: connection refused. 17 studies wait here safely.",
            "Check that 10.1.2.9:104 is running and knows us as KIOSK.",
        ),
        HealthLine("drive /dev/sr1", Mood.STOP, "Right drive: sick", "Replace it."),
        HealthLine("disk", Mood.CARE, "14 GB free for scans", "Make room: a DVD or two still fit."),
        HealthLine(
            "registration feed", Mood.GOOD, "100000 patients; the newest message is 2 minutes old"
        ),
        HealthLine("archive PACS", Mood.GOOD, "It answered within 12 ms."),
        HealthLine("journal", Mood.GOOD, "Unbroken, 48211 records"),
        HealthLine("database", Mood.GOOD, "SQLite, write-ahead log, synchronous FULL"),
    ),
    Mood.STOP,
    AT,
)
PEOPLE = PeopleSnapshot(
    header(Role.IT),
    (
        PersonRow(
            *(1, "Operator 214", "Anna Smith", Role.FRONT_DESK, "local", "active"),
            pin=True,
            badge=True,
            last_at=AT,
        ),
        PersonRow(
            *(2, "berta.jones", "Berta Jones", Role.HIM_LEAD, "directory", "active"),
            last_at=AT,
            locked_until=AT,
        ),
        PersonRow(3, "nora", "", Role.HIM, "local", "active"),
        PersonRow(4, "old.hand", "Olaf Hand", Role.IT, "local", "locked", password=True),
    ),
    (
        Notice(
            Mood.STOP,
            say(
                "KX-418",
                who="Dr. Rose",
                place="Kiosk 3",
                time=datetime(2026, 11, 24, 10, 30, tzinfo=UTC),
                why="trauma, nobody of the desk was there",
            ),
        ),
    ),
)
REPORTS = ReportsSnapshot(
    header(Role.HIM_LEAD),
    "sender",
    30,
    (
        FigureLine("St. Mary, Springfield", 112, 240, 0.81, 0.03, 0.06, 0.02, 0.009, 148.0),
        FigureLine("Lakeside Imaging", 64, 71, 0.9, 0.0, 0.02, 0.0, 0.0, 61.0),
        FigureLine(
            "=HYPERLINK(evil) " + "VERY LONG NAME " * 6, 9, 9, 0.5, 0.2, 0.1, 0.1, 0.1, 400.0
        ),
        FigureLine("(not named)", 3, 0),
        FigureLine("", 188, 320, 0.83, 0.02, 0.05, 0.02, 0.008, 120.0),
    ),
    (
        QueueLine("reading", 1, 40),
        QueueLine("decision", 6, 9000),
        QueueLine("sending", 0, 0),
        QueueLine("stopped", 1, 200000),
    ),
    "/home/him/kiosk-reports/sender-2026-11-24-103100.csv",
)
IT: dict[str, HealthSnapshot | DeliveriesSnapshot | PeopleSnapshot | ReportsSnapshot] = {
    "D5-reports": REPORTS,
    "D5-nothing-brought": ReportsSnapshot(
        header(Role.IT), "day", 7, (FigureLine("", 0, 0),), REPORTS.queues[2:3]
    ),
    "A3-people": PEOPLE,
    "A1-health": HEALTH,
    "A1-all-well": replace(HEALTH, lines=HEALTH.lines[3:], overall=Mood.GOOD),
    "D4-deliveries": DELIVERIES,
    "D4-nothing-waits": replace(DELIVERIES, destinations=DELIVERIES.destinations[:1], rows=()),
}
