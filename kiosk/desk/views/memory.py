"""Earlier judgements on the same foreign identity, in words, for who may take them back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from kiosk.desk.roles import Doing, Operator, may
from kiosk.desk.snapshots import Earlier, Message, say
from kiosk.model.matching import Judgement, Remembered
from kiosk.model.patient import LocalPatient
from kiosk.model.work import Case
from kiosk.store import Transaction


def of_record(
    remembered: Iterable[Remembered], local_key: str, operator: Operator
) -> tuple[Earlier, ...]:
    """What was said of this candidate."""
    return tuple(
        _earlier(m, _said(m), operator) for m in remembered if m.local_key == local_key != ""
    )


def of_others(
    tx: Transaction, remembered: Iterable[Remembered], listed: set[str], operator: Operator
) -> tuple[Earlier, ...]:
    """What was said of the patient as a whole, or of a record that is no candidate now."""
    found = []
    for m in remembered:
        if m.local_key in listed:
            continue
        local = tx.roster.get(m.local_key) if m.local_key else None
        found.append(_earlier(m, _said_of(m, local) if local else _said(m), operator))
    return tuple(found)


def may_revoke(m: Remembered, operator: Operator) -> bool:
    """One's own; a lead everybody's."""
    own = m.by == operator.name and may(operator.role, Doing.REVOKE)
    return own or may(operator.role, Doing.REVOKE_ANY)


def chosen_before(remembered: Iterable[Remembered]) -> set[str]:
    """The records that the same foreign identity was linked to."""
    return {m.local_key for m in remembered if m.judgement is Judgement.SAME and m.offered}


def look_again(tx: Transaction, case: Case, actor: str, reason: str, itself: bool) -> None:
    """Whatever is open with this foreign identity is matched again, save what a person decided."""
    for each in tx.cases.open_of(case.stated):
        by_person = each.resolution is not None and each.resolution.by != "matcher"
        if not by_person and (itself or each.id != case.id):
            tx.cases.back_to_matching(each.id, actor, reason)


def _earlier(m: Remembered, said: Message, operator: Operator) -> Earlier:
    if m.differs:
        said = say("earlier.otherwise", said=said, what=say(f"stated.{m.differs[0]}"))
    against = m.judgement is Judgement.NOT_SAME
    return Earlier(m.id, said, m.offered, may_revoke(m, operator), against)


def _said(m: Remembered) -> Message:
    return say(f"earlier.{m.judgement.value}", who=m.by, day=date.fromisoformat(m.at[:10]))


def _said_of(m: Remembered, local: LocalPatient) -> Message:
    number = local.identity.identifier
    return say(
        f"earlier.{m.judgement.value}-as",
        who=m.by,
        day=date.fromisoformat(m.at[:10]),
        name=local.identity.name,
        id=f"{number.value} ({number.issuer})",
    )
