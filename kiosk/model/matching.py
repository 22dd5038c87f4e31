"""Whose scans these are: candidates, why, what is recommended, and what was decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity


class Recommendation(StrEnum):
    ACCEPT = "accept"  # may be linked without a person
    REVIEW = "review"  # HIM decides among the candidates
    NONE = "none"  # nobody plausible is registered


@dataclass(frozen=True, slots=True)
class Evidence:
    """One field compared. `weight` is log2 of the likelihood ratio: above 0 speaks for the same
    person, below 0 against, 0 says nothing (missing). `level` names the outcome (`exact`,
    `one-edit`, `nickname`, `missing` ...), `words` says it for a clerk."""

    field: str
    level: str
    weight: float
    words: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A disc's patient held against one local patient, field by field. `capped_by` names the veto
    or ceiling that keeps it from being accepted without a person, "" when there is none."""

    evidence: tuple[Evidence, ...]
    capped_by: str = ""

    @property
    def weight(self) -> float:
        return sum(e.weight for e in self.evidence)


@dataclass(frozen=True, slots=True)
class Candidate:
    local: LocalPatient
    comparison: Comparison
    probability: float


class Judgement(StrEnum):
    """What a person said of a foreign identity."""

    SAME = "same-person"
    NOT_SAME = "not-same-person"
    NOBODY = "nobody-here"  # imported under the foreign identity


@dataclass(frozen=True, slots=True)
class Remembered:
    """An earlier judgement on the same foreign identity: an identifier with its issuer in common.

    `local_key` is the roster record that it was about, as merges lead to it today; `differs` which
    of `name`, `birth_date` and `sex` the disc stated otherwise then. It is offered, and it keeps
    what contradicts it from being accepted; nothing is ever linked by it.
    """

    id: int
    judgement: Judgement
    by: str
    at: str  # ISO 8601 UTC
    reason: str = ""
    local_key: str = ""
    differs: tuple[str, ...] = ()

    @property
    def offered(self) -> bool:
        return not self.differs

    def contradicts(self, local_key: str) -> bool:
        """Whether linking to this record needs a person because of it. That two are not the same
        holds whatever the disc states of them now."""
        if self.judgement is Judgement.NOT_SAME:
            return self.local_key == local_key
        return self.offered and self.local_key != local_key


@dataclass(frozen=True, slots=True)
class Proposal:
    """The matcher's answer, with everything needed to recompute it (`basis`: index size, name
    counts, model version, thresholds) so that the decision can be replayed years later, and what
    people had said of the same foreign identity by then."""

    recommendation: Recommendation
    why: tuple[str, ...]
    candidates: tuple[Candidate, ...] = ()
    task: str = "identify"  # or "verify", when the front desk picked a patient
    nobody: float = 0.0  # probability that nobody registered here is this patient
    basis: tuple[tuple[str, float | str], ...] = ()
    remembered: tuple[Remembered, ...] = ()


class Action(StrEnum):
    LINK = "link"  # same person as a local patient
    IMPORT_ONLY = "import-only"  # kept under the foreign identity, flagged unverified
    NOT_OURS = "not-ours"  # rejected, nothing is sent


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who decided what and why. `by` is `matcher` when no person was needed."""

    action: Action
    by: str
    at: str  # ISO 8601 UTC
    reason: str = ""
    local: PatientIdentity | None = None
    local_key: str = ""
    picked: Identifier | None = None
    second: str = ""  # the second person, where the policy asks for two
    policy_hash: str = ""


@dataclass(frozen=True, slots=True)
class IndexStatistics:
    """What the roster knows of itself, for the matcher: how many records are searchable, and how
    many of them carry each name key (`identity.name_keys`) that was asked about."""

    size: int
    counts: dict[str, int] = field(default_factory=dict)
