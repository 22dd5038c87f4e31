"""K6 and D3: which studies are wanted, and the pictures by which people tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kiosk.desk.snapshots.shared import Header, Message, Notice, StudyLine
from kiosk.model.patient import PatientIdentity
from kiosk.model.relevance.choice import Standing, Triage
from kiosk.model.relevance.picture import Picture


class Chip(StrEnum):
    """What a study is to who chooses."""

    SUGGESTED = "suggested"
    OLDER = "older"
    HERE = "here"  # every image of it is proved to be in an archive
    REPORT = "report"  # no image
    UNWANTED = "unwanted"  # a rule leaves it out; HIM may still choose it


@dataclass(frozen=True, slots=True)
class StudyChoice:
    """One row of K6. `seen_first`: who must see it before it goes out, whoever ticks it."""

    study: int
    line: StudyLine
    chip: Chip
    ticked: bool = False
    tickable: bool = True
    seen_first: Triage = Triage.NOBODY
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class ChoiceGroup:
    """One person's studies."""

    stated: PatientIdentity
    studies: tuple[StudyChoice, ...]


@dataclass(frozen=True, slots=True)
class Choose:
    """K6. `ledger` is every file of the medium by bucket; `files` how many there are."""

    ticket: str
    intake: int
    groups: tuple[ChoiceGroup, ...]
    ledger: tuple[tuple[str, int], ...] = ()
    files: int = 0
    notices: tuple[Notice, ...] = ()
    drive: str = ""


@dataclass(frozen=True, slots=True)
class TriageRow:
    """One study that waits for triage or a choice, is on hold, or was left out. `mine` is whether
    this operator may decide it."""

    study: int
    case: int
    ticket: str
    stated: PatientIdentity
    line: StudyLine
    standing: Standing
    triage: Triage
    since: str
    because: str = ""
    by: str = ""
    reason: str = ""
    station: str = ""
    mine: bool = False
    decided: bool = False  # whose scans these are is known
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class TriageSnapshot:
    """D3's queue: what waits, oldest first; then what was left out and is still here."""

    header: Header
    rows: tuple[TriageRow, ...] = ()
    left: tuple[TriageRow, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """One series: how many frames there are to scroll through, how many images are damaged."""

    series: int
    modality: str
    description: str
    frames: int
    damaged: int = 0
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class ViewSnapshot:
    """D3: one study before somebody's eyes. `others` are the studies of the same person on the
    medium; `elsewhere` the archives that triage may send it to, `goes` those of the rules."""

    header: Header
    row: TriageRow
    series: tuple[SeriesLine, ...] = ()
    others: tuple[TriageRow, ...] = ()
    goes: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    notices: tuple[Notice, ...] = ()
    blocked: Message | None = None
