"""D1 and D2: the worklist, and one case against its candidates."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.desk.snapshots.shared import FieldLine, Header, Message, Notice, Stage, StudyLine
from kiosk.model.content import Attachment
from kiosk.model.delivery import Change
from kiosk.model.matching import Evidence
from kiosk.model.patient import LocalPatient, PatientIdentity
from kiosk.model.relevance.picture import Picture


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """One case that waits, or that went out (`due_at` is ""). `due_minutes` counts from the
    snapshot's time, below 0 when late; `appointment` is the earliest among the candidates, "" when
    none is known."""

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
    sent: tuple[WorklistRow, ...] = ()  # what went out lately, newest first


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a person said before of this same foreign identity. `offered` is whether the disc
    states the same now as then; `revocable` whether this operator may take it back; `against`
    whether it says that the candidate is somebody else."""

    id: int
    message: Message
    offered: bool
    revocable: bool = False
    against: bool = False


@dataclass(frozen=True, slots=True)
class Goes:
    """Where scans go and by which rule of the policy. `images` is how many of how many `of`."""

    destination: str
    because: str
    images: int
    of: int


@dataclass(frozen=True, slots=True)
class Place:
    """What of a sent case lies at one archive. `withdrawal` is the number of what takes it back
    after a recall, 0 before one; `stage` and `problem` are then the withdrawal's."""

    destination: str
    stage: Stage
    images: int
    because: str = ""
    withdrawal: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SentCase:
    """A case that went out. `filed` is whom it went out as, `here` whether its images are still
    here to be sent again, `proposed_by` who asked for a recall and why."""

    filed: PatientIdentity | None
    by: str
    at: str
    places: tuple[Place, ...]
    here: bool
    recalled: bool = False
    proposed_by: str = ""
    proposed_why: str = ""
    two_persons: bool = False


@dataclass(frozen=True, slots=True)
class CandidateColumn:
    """A registered patient held against the disc. `writes` is every change in the headers that
    choosing it will make, and in how many images."""

    number: int
    local: LocalPatient
    probability: float
    weight: float
    capped_by: str
    fields: tuple[FieldLine, ...]
    writes: tuple[Change, ...]
    others: tuple[Evidence, ...] = ()  # what speaks for or against beside the fields
    earlier: tuple[Earlier, ...] = ()  # about this record


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
    goes: tuple[tuple[str, tuple[Goes, ...]], ...] = ()  # by the candidate's key, "" for nobody
    sent: SentCase | None = None
    earlier: tuple[Earlier, ...] = ()  # about none of the candidates
    reports: tuple[Attachment, ...] = ()  # on the medium, and which study each was put into
    pictures: tuple[tuple[str, Picture], ...] = ()  # a small one by Study Instance UID
    import_only: tuple[Change, ...] = ()  # what keeping them under a number of their own changes
