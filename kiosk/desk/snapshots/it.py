"""A1 and D4: health, and what is under way to the archives."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.desk.snapshots.shared import Header, Mood, StudyLine


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
    paused: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    delivery: int
    ticket: str
    destination: str
    study: StudyLine
    attempts: int
    due_at: str = ""
    problem: str = ""
    refused: tuple[str, ...] = ()  # the first of the images that the archive refused, and why


@dataclass(frozen=True, slots=True)
class WithdrawalRow:
    """What is being taken back from an archive; `stuck`: it goes no further by itself."""

    withdrawal: int
    ticket: str
    destination: str
    images: int
    stuck: bool
    due_at: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DeliveriesSnapshot:
    """D4: nothing stuck unseen."""

    header: Header
    destinations: tuple[DestinationLine, ...] = ()
    rows: tuple[DeliveryRow, ...] = ()
    withdrawals: tuple[WithdrawalRow, ...] = ()
