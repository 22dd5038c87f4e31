"""What each screen shows: frozen values, whole and ready.

A screen is a pure function of one of these. Times are ISO 8601 UTC, birth dates DICOM DA, texts
from a disc or a wire are raw (the screen clips and isolates them). Words are message ids with
their values: the desk decides which, the screen says them in the reader's language.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from kiosk.desk.roles import Doing, Role
from kiosk.model.delivery import Change
from kiosk.model.matching import Evidence
from kiosk.model.medium import DriveState
from kiosk.model.patient import LocalPatient, PatientIdentity, PersonName


class Mood(StrEnum):
    """How something stands: always shown as icon, word and colour together."""

    GOOD = "good"
    BUSY = "busy"
    NOTE = "note"
    CARE = "care"
    STOP = "stop"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence of the catalogue (UX 10) and the values of its placeholders. The type of a
    value says how it is shown: a name, a day, a moment, a count, a word of the catalogue, or raw
    text from outside."""

    id: str
    values: dict[str, Value] = field(default_factory=dict)


Value = str | int | date | datetime | PersonName | Message


def say(message_id: str, **values: Value) -> Message:
    return Message(message_id, values)


@dataclass(frozen=True, slots=True)
class Notice:
    mood: Mood
    message: Message


@dataclass(frozen=True, slots=True)
class Header:
    """The line on top of every screen. `steps` is 0 where there is no walk to follow."""

    site: str
    station: str
    operator: str
    role: Role
    at: str
    step: int = 0
    steps: int = 0
    may: frozenset[Doing] = frozenset()


# -- touch -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DriveLine:
    serial: str
    name: str
    state: DriveState


@dataclass(frozen=True, slots=True)
class Idle:
    """K1. `off` is said where new discs cannot be taken."""

    drives: tuple[DriveLine, ...] = ()
    notices: tuple[Notice, ...] = ()
    off: Message | None = None


class Stage(StrEnum):
    """How far a study is, in the order of truth (K9)."""

    HIM = "him"
    WAITING = "waiting"
    SENDING = "sending"
    RECEIVED = "received"
    CHECKED = "checked"
    PARTLY = "partly"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StudyLine:
    """One study. Counts are instances; of several archives the one that is furthest behind."""

    study_instance_uid: str
    modality: str
    description: str
    date: str
    institution: str = ""
    images: int = 0
    damaged: int = 0
    received: int = 0
    checked: int = 0
    refused: int = 0
    held: int = 0
    stage: Stage = Stage.WAITING


class Phase(StrEnum):
    COPYING = "copying"
    CHECKING = "checking"
    MATCHING = "matching"


@dataclass(frozen=True, slots=True)
class Reading:
    """K5. `copied`: everything wanted is in the vault, the disc may go. `seconds_left` is -1 until
    an estimate is worth showing."""

    ticket: str
    intake: int
    phase: Phase = Phase.COPYING
    verdict: Message | None = None
    first_look: bool = True
    bytes_done: int = 0
    bytes_total: int = 0
    files_done: int = 0
    files_total: int = 0
    seconds_left: int = -1
    studies: tuple[StudyLine, ...] = ()
    notices: tuple[Notice, ...] = ()
    copied: bool = False
    drive: str = ""


class Outcome(StrEnum):
    SAME = "same"
    SIMILAR = "similar"
    DIFFERENT = "different"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Mark:
    """A run of characters that differs, as positions in the raw text."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class FieldLine:
    """One field of two identities side by side. `field` is `family`, `given`, `middle`,
    `birth_date`, `sex`, `identifier`, `address` or `telephone`."""

    field: str
    disc: str
    ours: str
    outcome: Outcome
    disc_marks: tuple[Mark, ...] = ()
    ours_marks: tuple[Mark, ...] = ()
    evidence: Evidence | None = None


class Grade(StrEnum):
    """K7: the colour of the comparison with the patient that the front desk chose."""

    MATCH = "match"
    SMALL = "small"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class SamePerson:
    """K7. Nothing here is one tap away on small differences or red."""

    ticket: str
    intake: int
    case: int
    local_key: str
    grade: Grade
    question: Message
    fields: tuple[FieldLine, ...]
    notices: tuple[Notice, ...] = ()
    studies: int = 0
    images: int = 0
    drive: str = ""


@dataclass(frozen=True, slots=True)
class HimFinishes:
    """K8: the patient can go, HIM decides; the ticket finds it again."""

    ticket: str
    intake: int
    notice: Message
    reasons: tuple[str, ...] = ()
    patients: int = 1
    studies: int = 0
    images: int = 0
    notices: tuple[Notice, ...] = ()
    drive: str = ""


@dataclass(frozen=True, slots=True)
class PatientLine:
    """One patient of the disc and whom it was brought in as; `local` is None until decided."""

    stated: PatientIdentity
    local: PatientIdentity | None
    stage: Stage
    studies: tuple[StudyLine, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files that were not brought in, by ledger bucket."""

    bucket: str
    count: int


@dataclass(frozen=True, slots=True)
class Result:
    """K6 and K9: what was on the disc, what became of it, what is proved."""

    ticket: str
    intake: int
    headline: Notice
    patients: tuple[PatientLine, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    files: int = 0
    notices: tuple[Notice, ...] = ()
    drive: str = ""


class ProblemKind(StrEnum):
    UNREADABLE = "unreadable"  # K11
    NO_SCANS = "no-scans"  # K12
    LOCKED = "locked"  # K13
    UNSAFE = "unsafe"  # K14
    AGAIN = "again"  # K15
    PULLED = "pulled"  # the disc left before it was copied


@dataclass(frozen=True, slots=True)
class Problem:
    """K11 to K15. `message` says what to do; `facts` what it means for the scans."""

    ticket: str
    intake: int
    kind: ProblemKind
    message: Message
    facts: tuple[Message, ...] = ()
    studies: tuple[StudyLine, ...] = ()
    drive: str = ""


TouchBody = Idle | Reading | SamePerson | HimFinishes | Result | Problem


@dataclass(frozen=True, slots=True)
class TouchSnapshot:
    header: Header
    body: TouchBody

    @property
    def step(self) -> str:
        """The screen's name: `idle`, `reading`, `same-person`, `him`, `result` or `problem`."""
        return _STEPS[type(self.body)]


_STEPS: dict[type, str] = {
    Idle: "idle",
    Reading: "reading",
    SamePerson: "same-person",
    HimFinishes: "him",
    Result: "result",
    Problem: "problem",
}


# -- HIM -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """One case that waits. `due_minutes` counts from the snapshot's time, below 0 when late;
    `appointment` is the earliest among the candidates, "" when none is known."""

    case: int
    ticket: str
    stated: PatientIdentity
    reasons: tuple[str, ...]
    due_at: str
    due_minutes: int
    appointment: str = ""
    chosen: PatientIdentity | None = None
    best: str = ""  # the likeliest candidate's name as PN text
    candidates: int = 0
    studies: int = 0
    images: int = 0
    station: str = ""
    owner: str = ""
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class WorklistSnapshot:
    """D1, in the order of due. `counts` is how many rows give each reason."""

    header: Header
    rows: tuple[WorklistRow, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    notices: tuple[Notice, ...] = ()
    last_done_at: str = ""


@dataclass(frozen=True, slots=True)
class CandidateColumn:
    """A registered patient held against the disc. `writes` is what choosing it will change."""

    number: int
    local: LocalPatient
    probability: float
    weight: float
    capped_by: str
    fields: tuple[FieldLine, ...]
    writes: tuple[Change, ...]
    others: tuple[Evidence, ...] = ()  # what speaks for or against beside the fields


@dataclass(frozen=True, slots=True)
class CompareSnapshot:
    """D2. `blocked` says why nothing can be decided (taken by another, decided meanwhile)."""

    header: Header
    case: int
    ticket: str
    stated: PatientIdentity
    variants: tuple[PatientIdentity, ...]
    disc: tuple[tuple[str, str], ...]  # field and raw text, the rows of the table
    candidates: tuple[CandidateColumn, ...]
    nobody: float
    reasons: tuple[str, ...]
    why: tuple[str, ...]
    due_minutes: int
    studies: tuple[StudyLine, ...] = ()
    findings: tuple[tuple[str, int], ...] = ()  # finding code and how often
    owner: str = ""
    station: str = ""
    created_at: str = ""
    notices: tuple[Notice, ...] = ()
    blocked: Message | None = None


# -- IT --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One check of `kiosk check`: what was looked at, what it means, what mends it; English."""

    name: str
    mood: Mood
    meaning: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """A1: worst first. `at` is when it was looked at, "" before the first time."""

    header: Header
    lines: tuple[HealthLine, ...] = ()
    overall: Mood = Mood.BUSY
    at: str = ""


@dataclass(frozen=True, slots=True)
class DestinationLine:
    """`oldest_seconds` is the age of the oldest delivery that waits, -1 when none does."""

    name: str
    address: str
    mood: Mood
    queue: int
    held: int
    oldest_seconds: int
    verify_level: int
    next_try_at: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    delivery: int
    ticket: str
    destination: str
    study: StudyLine
    attempts: int
    due_at: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DeliveriesSnapshot:
    """D4: nothing stuck unseen."""

    header: Header
    destinations: tuple[DestinationLine, ...] = ()
    rows: tuple[DeliveryRow, ...] = ()
