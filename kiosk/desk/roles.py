"""Who may do what (UX D-2): one table, deny by default. The screens only hide; the desk refuses."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiosk.desk.snapshots import Message


class Role(StrEnum):
    FRONT_DESK = "front-desk"
    HIM = "him"
    HIM_LEAD = "him-lead"
    IT = "it"
    AUDITOR = "auditor"
    NURSE = "nurse"  # triage, and nothing else
    RADIOLOGIST = "radiologist"


class Doing(StrEnum):
    BRING = "bring"  # read a disc, pick a patient, give the disc back
    CONFIRM = "confirm"  # "same person" on small differences
    DECIDE = "decide"  # resolve a case that waits for a person
    SECOND = "second"  # be the second of two persons
    REVOKE = "revoke"  # take back what was remembered of one's own decision
    REVOKE_ANY = "revoke-any"
    ASSIGN = "assign"
    PROPOSE_RECALL = "propose-recall"
    RECALL = "recall"
    RETRY = "retry"
    PAUSE = "pause"  # stop everything to an archive, and let it go on
    TRIAGE = "triage"  # look at pictures; let a study go, hold it, discard it
    SEE_WORKLIST = "see-worklist"
    SEE_HEALTH = "see-health"
    SEE_REPORTS = "see-reports"  # figures that name no patient
    PEOPLE = "people"  # who may sign in, and as what


ALLOWED: dict[Doing, frozenset[Role]] = {
    Doing.BRING: frozenset({Role.FRONT_DESK, Role.HIM, Role.HIM_LEAD}),
    Doing.CONFIRM: frozenset({Role.HIM, Role.HIM_LEAD}),
    Doing.DECIDE: frozenset({Role.HIM, Role.HIM_LEAD}),
    Doing.SECOND: frozenset({Role.HIM_LEAD}),
    Doing.REVOKE: frozenset({Role.HIM, Role.HIM_LEAD}),
    Doing.REVOKE_ANY: frozenset({Role.HIM_LEAD}),
    Doing.ASSIGN: frozenset({Role.HIM, Role.HIM_LEAD}),
    Doing.PROPOSE_RECALL: frozenset({Role.HIM, Role.HIM_LEAD}),
    Doing.RECALL: frozenset({Role.HIM_LEAD}),
    Doing.RETRY: frozenset({Role.HIM_LEAD, Role.IT}),
    Doing.PAUSE: frozenset({Role.HIM_LEAD, Role.IT}),
    Doing.TRIAGE: frozenset({Role.HIM, Role.HIM_LEAD, Role.NURSE, Role.RADIOLOGIST}),
    Doing.SEE_WORKLIST: frozenset({Role.HIM, Role.HIM_LEAD}),
    Doing.SEE_HEALTH: frozenset({Role.HIM_LEAD, Role.IT}),
    Doing.SEE_REPORTS: frozenset({Role.HIM, Role.HIM_LEAD, Role.IT}),
    Doing.PEOPLE: frozenset({Role.IT}),
}


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts. `role` is None as long as nobody has signed in, `caution` what everybody should
    know of how somebody did."""

    name: str
    role: Role | None = Role.FRONT_DESK
    caution: Message | None = None


NOBODY = Operator("", None)


def may(role: Role | None, doing: Doing) -> bool:
    return role in ALLOWED.get(doing, frozenset())


def everything(role: Role | None) -> frozenset[Doing]:
    """All that the role may do, for a screen to know what to offer."""
    return frozenset(doing for doing in Doing if may(role, doing))
