"""Cases that went out: under whose name, to which archives, and what a recall takes back there."""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.desk.snapshots import Place, SentCase, Stage, WorklistRow
from kiosk.desk.views.rows import sent_line
from kiosk.model.delivery import Answer
from kiosk.model.work import Case, CaseState, Delivery, DeliveryState, Withdrawal
from kiosk.policy import Policy
from kiosk.store import Transaction

SENT = (CaseState.RELEASED, CaseState.DONE, CaseState.RECALLED)
LATELY = 50
WITHDRAWN = (DeliveryState.COMMITTED, DeliveryState.ABORTED)


def sent_case(tx: Transaction, policy: Policy, case: Case) -> SentCase | None:
    """None for a case that did not go out."""
    if case.state not in SENT:
        return None
    recalled = case.state is CaseState.RECALLED
    places = _taken_back(tx, case) if recalled else _sent_to(tx, case)
    by, why = tx.recalls.proposed_by(case.id)
    decided = case.resolution
    return SentCase(
        decided.local if decided else None,
        decided.by if decided else "",
        decided.at if decided else "",
        places,
        not tx.intakes.is_purged(case.intake),
        recalled,
        by,
        why,
        policy.recall.two_persons,
    )


def _sent_to(tx: Transaction, case: Case) -> tuple[Place, ...]:
    return tuple(_place(tx, each) for each in tx.deliveries.of_case(case.id))


def _place(tx: Transaction, each: Delivery) -> Place:
    line = sent_line(tx, tx.cases.outline(tx.deliveries.study_of(each.id)), (each,))
    return Place(each.destination, line.stage, line.received, each.because, problem=each.problem)


def _taken_back(tx: Transaction, case: Case) -> tuple[Place, ...]:
    return tuple(_withdrawal(tx, each) for each in tx.recalls.of_case(case.id))


def _withdrawal(tx: Transaction, each: Withdrawal) -> Place:
    counts = tx.deliveries.counts(each.delivery)
    images = counts.get(Answer.ACCEPTED, 0) + counts.get(Answer.VERIFIED, 0)
    stage = Stage.WITHDRAWN if each.state in WITHDRAWN else Stage.WITHDRAWING
    if each.state in (DeliveryState.HELD, DeliveryState.FAILED):
        stage = Stage.STOPPED
    return Place(each.destination, stage, images, "", each.id, each.problem)


def sent_rows(tx: Transaction, ids: Iterable[int], reason: str) -> tuple[WorklistRow, ...]:
    """Rows of the worklist for cases that went out; nothing of them is due."""
    return tuple(_row(tx, tx.cases.get(id), reason) for id in ids)


def _row(tx: Transaction, case: Case, reason: str) -> WorklistRow:
    intake = tx.intakes.get(case.intake)
    deliveries = tx.deliveries.of_case(case.id)
    filed = case.resolution.local if case.resolution else None
    return WorklistRow(
        case.id,
        intake.ticket,
        case.stated,
        ("recalled",) if case.state is CaseState.RECALLED else (reason,),
        "",
        0,
        chosen=filed,
        best=filed.name.to_dicom() if filed else "",
        candidates=1 if filed else 0,
        studies=len({d.study_instance_uid for d in deliveries}),
        images=sum(sum(tx.deliveries.counts(d.id).values()) for d in deliveries),
        station=intake.station,
        owner=case.owner,
        created_at=case.created_at,
    )
