"""The three units of work, their states, and the journal line that every move writes.

`advance` is the only way from one state to the next; what is not in a table raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from kiosk.model.content import Finding
from kiosk.model.matching import Proposal, Resolution
from kiosk.model.medium import Medium
from kiosk.model.patient import Identifier, PatientIdentity


class IntakeState(StrEnum):
    """One medium's stay."""

    RECEIVED = "RECEIVED"
    READ = "READ"
    CATALOGED = "CATALOGED"
    CLOSED = "CLOSED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"  # nothing to import, or unsafe
    ABORTED = "ABORTED"


class CaseState(StrEnum):
    """One patient on one medium: one line of the HIM worklist."""

    OPEN = "OPEN"
    AWAITING = "AWAITING"
    RESOLVED = "RESOLVED"
    RELEASED = "RELEASED"
    DONE = "DONE"
    RECALLED = "RECALLED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"


class DeliveryState(StrEnum):
    """One study to one destination."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    COMMITTED = "COMMITTED"
    NOTIFIED = "NOTIFIED"
    HELD = "HELD"
    FAILED = "FAILED"
    ABORTED = "ABORTED"


_I, _C, _D = IntakeState, CaseState, DeliveryState

# A table for each unit: members of two StrEnums with one text are equal, and would share a key.
MOVES: dict[type[StrEnum], dict[StrEnum, frozenset[StrEnum]]] = {
    IntakeState: {
        _I.RECEIVED: frozenset({_I.READ, _I.FAILED, _I.REJECTED, _I.ABORTED}),
        _I.READ: frozenset({_I.CATALOGED, _I.FAILED, _I.REJECTED, _I.ABORTED}),
        _I.CATALOGED: frozenset({_I.CLOSED, _I.ABORTED}),
        _I.CLOSED: frozenset({_I.CATALOGED}),  # a case of it was recalled
        _I.FAILED: frozenset({_I.RECEIVED, _I.CLOSED}),
        _I.REJECTED: frozenset({_I.CLOSED}),
        _I.ABORTED: frozenset({_I.CLOSED}),
    },
    CaseState: {
        _C.OPEN: frozenset({_C.RESOLVED, _C.AWAITING, _C.FAILED, _C.REJECTED}),
        _C.AWAITING: frozenset({_C.RESOLVED, _C.REJECTED, _C.OPEN}),
        _C.RESOLVED: frozenset({_C.RELEASED, _C.AWAITING, _C.OPEN, _C.FAILED, _C.REJECTED}),
        _C.RELEASED: frozenset({_C.DONE, _C.RECALLED, _C.OPEN}),
        _C.DONE: frozenset({_C.RECALLED, _C.RELEASED}),  # another study of it was chosen later
        _C.RECALLED: frozenset({_C.OPEN, _C.REJECTED}),
        _C.REJECTED: frozenset({_C.OPEN}),
        _C.FAILED: frozenset({_C.OPEN, _C.REJECTED}),
    },
    DeliveryState: {
        _D.QUEUED: frozenset({_D.SENT, _D.HELD, _D.FAILED, _D.ABORTED}),
        _D.SENT: frozenset({_D.COMMITTED, _D.QUEUED, _D.HELD, _D.FAILED, _D.ABORTED}),
        _D.COMMITTED: frozenset({_D.NOTIFIED, _D.ABORTED}),
        _D.NOTIFIED: frozenset({_D.ABORTED}),
        _D.HELD: frozenset({_D.QUEUED, _D.ABORTED}),
        _D.FAILED: frozenset({_D.QUEUED, _D.ABORTED}),
        _D.ABORTED: frozenset(),
    },
}

S = TypeVar("S", bound=StrEnum)


class IllegalMove(RuntimeError):
    """A state was asked to move where its table has no way."""


def advance(state: S, to: S) -> S:
    """`to`, if the table leads from `state` there. Raises IllegalMove."""
    if to not in MOVES[type(state)][state] or type(to) is not type(state):
        raise IllegalMove(f"{type(state).__name__} {state} cannot become {to}")
    return to


SENT_HERE = "(sent here)"
"""The operator of an intake that nobody put in: a receiver took it."""


@dataclass(frozen=True, slots=True)
class Intake:
    id: int
    ticket: str  # pronounceable, unique, without meaning: MAPLE-27
    state: IntakeState
    medium: Medium
    station: str
    operator: str = ""
    picked: Identifier | None = None  # the patient that the front desk chose
    created_at: str = ""  # ISO 8601 UTC
    patience: float = 0.0  # seconds for damage that a person asked for; 0: the policy's
    failure: Finding | None = None


@dataclass(frozen=True, slots=True)
class Case:
    id: int
    intake: int
    state: CaseState
    stated: PatientIdentity
    variants: tuple[PatientIdentity, ...] = ()
    picked: Identifier | None = None
    proposal: Proposal | None = None
    resolution: Resolution | None = None
    reasons: tuple[str, ...] = ()  # why it waits for a person
    owner: str = ""
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    id: int
    case: int
    study_instance_uid: str
    destination: str
    state: DeliveryState
    attempts: int = 0
    due_at: str = ""
    transaction_uid: str = ""
    verify_level: int = -1  # the level reached, -1 before any
    problem: str = ""
    tries: int = 0  # how often in a row its next step was tried
    because: str = ""  # which rule sends it there
    policy_hash: str = ""  # of the policy that had this rule
    withheld: bool = False  # nothing more is sent before a person has said what becomes of it


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a recalled delivery takes back: one rejection note (IHE RAD IOCM) to its destination.
    It goes QUEUED, SENT, COMMITTED; HELD where the archive will not, ABORTED where a person took
    the images out there."""

    id: int
    case: int
    delivery: int
    destination: str
    state: DeliveryState
    code: str  # of the note's title: kiosk.model.delivery.REJECTED
    sop_instance_uid: str  # the note's own
    problem: str = ""
    due_at: str = ""
    tries: int = 0  # how often in a row its next step was tried


@dataclass(frozen=True, slots=True)
class Event:
    """A journal line: audit trail and change feed in one. `data` holds codes, counts and hashes;
    an identity only where the line is the record of a decision about it."""

    kind: str  # intake.read, case.resolved, delivery.sent ...
    intake: int | None = None
    case: int | None = None
    delivery: int | None = None
    actor: str = "engine"
    data: dict[str, object] = field(default_factory=dict)
    id: int = 0
    at: str = ""
    hash: str = ""
