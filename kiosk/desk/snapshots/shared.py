"""What the snapshots of all desks are made of: words with their values, moods, studies, fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from kiosk.desk.roles import Doing, Role
from kiosk.model.matching import Evidence
from kiosk.model.patient import PersonName


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
    role: Role | None  # None: nobody has signed in
    at: str
    step: int = 0
    steps: int = 0
    may: frozenset[Doing] = frozenset()
    caution: Message | None = None  # what to know of how the operator signed in
    signs_in: bool = False  # whether people sign in here


class Stage(StrEnum):
    """How far a study is, in the order of truth (K9)."""

    HIM = "him"
    WAITING = "waiting"
    SENDING = "sending"
    RECEIVED = "received"
    CHECKED = "checked"
    PARTLY = "partly"
    STOPPED = "stopped"
    WITHDRAWING = "withdrawing"  # a recall: the archive is told
    WITHDRAWN = "withdrawn"
    TRIAGE = "triage"  # somebody looks at it before it goes out
    LEFT = "left"  # not wanted; it can be chosen as long as it is here


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
