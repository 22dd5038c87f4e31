"""K1 to K15: one body a step, from insertion to receipt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kiosk.desk.snapshots.choosing import Choose
from kiosk.desk.snapshots.people import SignIn
from kiosk.desk.snapshots.shared import FieldLine, Header, Message, Notice, Stage, StudyLine
from kiosk.model.delivery import Change
from kiosk.model.medium import DriveState
from kiosk.model.patient import PatientIdentity


@dataclass(frozen=True, slots=True)
class DriveLine:
    """A drive, or a stick that is plugged in."""

    serial: str
    name: str
    state: DriveState
    stick: bool = False


@dataclass(frozen=True, slots=True)
class Idle:
    """K1. `off` is said where new discs cannot be taken."""

    drives: tuple[DriveLine, ...] = ()
    notices: tuple[Notice, ...] = ()
    off: Message | None = None


class ReadOn(StrEnum):
    """What reading the medium longer or once more can add."""

    NOTHING = ""
    LONGER = "longer"  # there was, or is, no time to try everywhere
    AGAIN = "again"  # everywhere was tried; cleaned or elsewhere it may read


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
    read_on: ReadOn = ReadOn.NOTHING


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
    shown: PatientIdentity | None = None  # whom the question is about, for the answer to name


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
    read_on: ReadOn = ReadOn.NOTHING


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
    read_on: ReadOn = ReadOn.NOTHING


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
    read_on: ReadOn = ReadOn.NOTHING


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the patient takes home. `initials` are all that is said of whom it is about; `link` is
    the site's page about it, "" where there is none; `printer` whether it can be printed here."""

    ticket: str
    intake: int
    at: str  # ISO 8601 UTC: the moment that it is true for
    initials: str = ""
    studies: tuple[StudyLine, ...] = ()
    lines: tuple[Message, ...] = ()
    link: str = ""
    printer: bool = False
    paper: str = "roll"  # or "a4"


@dataclass(frozen=True, slots=True)
class PatientCard:
    """One registered patient for K3. `alike`: another one in the list has the same name, or family
    name and birth date."""

    identity: PatientIdentity
    appointment: str = ""
    alike: bool = False


@dataclass(frozen=True, slots=True)
class Find:
    """K3: whose disc it is; at most six cards for what was asked, none before anything was."""

    intake: int
    text: str = ""
    patients: tuple[PatientCard, ...] = ()
    notices: tuple[Notice, ...] = ()


TouchBody = (
    SignIn | Find | Idle | Reading | Choose | SamePerson | HimFinishes | Result | Problem | Receipt
)


@dataclass(frozen=True, slots=True)
class TouchSnapshot:
    header: Header
    body: TouchBody

    @property
    def step(self) -> str:
        """The screen's name: `find`, `idle`, `reading`, `same-person`, `him` ..."""
        return _STEPS[type(self.body)]


_STEPS: dict[type, str] = {
    SignIn: "sign-in",
    Find: "find",
    Idle: "idle",
    Reading: "reading",
    SamePerson: "same-person",
    HimFinishes: "him",
    Choose: "choose",
    Result: "result",
    Problem: "problem",
    Receipt: "receipt",
}
