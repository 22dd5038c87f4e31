"""What the policy says of a study, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Relevance(StrEnum):
    """What the policy's first rule that fits says of a study."""

    SUGGESTED = "suggested"
    OLDER = "older"  # listed, brought in only if somebody asks for it
    DISCARD = "discard"  # not brought in; HIM may still choose it while it is here


class Triage(StrEnum):
    """Who must see a study before it goes out."""

    NOBODY = ""
    ANYONE = "anyone"  # who may triage
    NURSE = "nurse"
    RADIOLOGIST = "radiologist"


class Standing(StrEnum):
    """What becomes of a study. Only what is CHOSEN goes out."""

    OPEN = "open"  # a person is to choose
    CHOSEN = "chosen"
    TRIAGE = "triage"  # wanted, and waits for who must see it first
    HELD = "held"  # triage wants it to wait
    LEFT = "left"  # not wanted: stays here until its time is up, and can be chosen meanwhile
    DISCARDED = "discarded"  # not wanted by a rule or by triage, for a reason


WAITING = frozenset({Standing.OPEN, Standing.TRIAGE, Standing.HELD})
"""A case with such a study has not ended: its bytes stay."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The policy's word on one study, and which rule it was."""

    relevance: Relevance = Relevance.SUGGESTED
    triage: Triage = Triage.NOBODY
    because: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One study of a case: what the policy said, and what was decided by whom. `study` is its row;
    `by` is "" for the policy; `accepted` whether triage let it go; `to` are the archives that
    triage sent it to against the rules."""

    study: int
    case: int
    judged: Judged
    standing: Standing
    by: str = ""
    reason: str = ""
    at: str = ""  # ISO 8601 UTC
    accepted: bool = False
    to: tuple[str, ...] = ()
    released: bool = False
    policy_hash: str = ""
