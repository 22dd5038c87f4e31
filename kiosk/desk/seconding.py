"""The two-person rule: where a wrong decision would be worst, a lead has to come to the same one.

The first decision is a journal line; the case goes on waiting, with it before the second person's
eyes. Whoever decides otherwise is a first one again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from kiosk.desk.refusal import Refused
from kiosk.desk.roles import Doing, Operator, may
from kiosk.desk.snapshots import Mood, Notice, say
from kiosk.model.patient import LocalPatient
from kiosk.model.work import Case, Event
from kiosk.policy import Policy
from kiosk.policy.people import Risk
from kiosk.store import Transaction

FIRST = "case.first-decided"
OVER = ("case.reopened", "case.awaits", "case.matched", "case.decided")
ADULT_YEARS = 18


@dataclass(frozen=True, slots=True)
class First:
    """What the first person decided, and why."""

    by: str
    local_key: str
    reason: str


def first_of(tx: Transaction, case: int) -> First | None:
    """The first decision that waits for a second person."""
    found = None
    for event in tx.journal.of(case=case):
        if event.kind == FIRST:
            data = {name: str(value) for name, value in event.data.items()}
            found = First(event.actor, data["local_key"], data["reason"])
        elif event.kind in OVER:
            found = None
    return found


def risks(case: Case, local: LocalPatient, policy: Policy, now: datetime) -> tuple[Risk, ...]:
    """Which of the policy's risks linking to this record has."""
    there: dict[Risk, bool] = {
        "birth-date-and-sex": _contradicts(case, local),
        "minor": _minor(local.identity.birth_date, now.date()),
        "rival": _rival(case, local.key, policy.decisions.rival_margin),
    }
    return tuple(risk for risk in policy.decisions.two_persons if there[risk])


def _contradicts(case: Case, local: LocalPatient) -> bool:
    stated, ours = case.stated, local.identity
    pairs = (stated.birth_date, ours.birth_date), (stated.sex, ours.sex)
    return all(a and b and a != b for a, b in pairs)


def _minor(born: str, today: date) -> bool:
    """Unknown is no minor: the rule is for whom the register knows to be one."""
    try:
        day = datetime.strptime(born, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return False
    years = today.year - day.year - ((today.month, today.day) < (day.month, day.day))
    return years < ADULT_YEARS


def _rival(case: Case, key: str, margin: float) -> bool:
    candidates = case.proposal.candidates if case.proposal else ()
    mine = max((c.probability for c in candidates if c.local.key == key), default=0.0)
    others = max((c.probability for c in candidates if c.local.key != key), default=0.0)
    return bool(candidates) and others >= mine - margin


def seconded(
    tx: Transaction,
    case: Case,
    local: LocalPatient | None,
    reason: str,
    operator: Operator,
    policy: Policy,
    now: datetime,
) -> str | None:
    """Who decided the same before, "" where one person is enough. None where this is the first
    decision of two: it is written down, and the case given up for the second person. Raises
    Refused: the front desk decides no such case, nobody confirms the own decision, and only a lead
    confirms."""
    found = risks(case, local, policy, now) if local is not None else ()
    if local is None or not found:
        return ""
    if not may(operator.role, Doing.DECIDE):
        raise Refused(say("KX-463"))
    first = first_of(tx, case.id)
    if first is not None and first.local_key == local.key:
        if first.by == operator.name:
            raise Refused(say("KX-461"))
        if not may(operator.role, Doing.SECOND):
            raise Refused(say("KX-462", who=first.by))
        return first.by
    data: dict[str, object] = {"local_key": local.key, "reason": reason, "risks": " ".join(found)}
    tx.journal.write(Event(FIRST, case.intake, case.id, actor=operator.name, data=data))
    if case.owner == operator.name:
        tx.cases.give_up(case.id, operator.name)
    return None


def waiting(tx: Transaction, case: Case) -> tuple[Notice, ...]:
    """What the second person should know."""
    first = first_of(tx, case.id)
    if first is None:
        return ()
    local = tx.roster.get(first.local_key)
    name = local.identity.name if local else first.local_key
    said = say("KX-460", who=first.by, name=name, why=first.reason)
    return (Notice(Mood.CARE, said),)
