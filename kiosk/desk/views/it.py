"""What IT sees of the deliveries: per archive and per study, oldest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kiosk.desk.snapshots import (
    DeliveriesSnapshot,
    DeliveryRow,
    DestinationLine,
    Header,
    Mood,
    WithdrawalRow,
)
from kiosk.desk.views.rows import STUCK, sent_line
from kiosk.model.delivery import Answer
from kiosk.model.work import Delivery, DeliveryState, Withdrawal
from kiosk.policy import Policy
from kiosk.store import DestinationState, Transaction

UNDER_WAY = (DeliveryState.QUEUED, DeliveryState.SENT)
SHOWN = 200
LISTED = 5


def deliveries(
    tx: Transaction, header: Header, policy: Policy, now: datetime
) -> DeliveriesSnapshot:
    """Everything that has not ended well, stuck ones first."""
    waiting = tx.deliveries.in_state(*UNDER_WAY)
    stuck = tx.deliveries.in_state(DeliveryState.HELD, DeliveryState.FAILED)
    rows = (*stuck, *waiting)[:SHOWN]
    return DeliveriesSnapshot(
        header,
        tuple(_destination(tx, policy, d, waiting, stuck, now) for d in policy.destination),
        tuple(_row(tx, each) for each in rows),
        tuple(_withdrawal(tx, each) for each in tx.recalls.under_way(SHOWN)),
    )


def _withdrawal(tx: Transaction, each: Withdrawal) -> WithdrawalRow:
    counts = tx.deliveries.counts(each.delivery)
    return WithdrawalRow(
        each.id,
        tx.intakes.get(tx.cases.get(each.case).intake).ticket,
        each.destination,
        counts.get(Answer.ACCEPTED, 0) + counts.get(Answer.VERIFIED, 0),
        each.state in (DeliveryState.HELD, DeliveryState.FAILED),
        each.due_at,
        each.problem,
    )


def _destination(
    tx: Transaction,
    policy: Policy,
    configured: Any,
    waiting: tuple[Delivery, ...],
    stuck: tuple[Delivery, ...],
    now: datetime,
) -> DestinationLine:
    name = configured.name
    state = tx.destinations.get(policy.site.station, name)
    mine = [d for d in waiting if d.destination == name]
    where = configured.url or f"{configured.ae_title} at {configured.host}:{configured.port}"
    return DestinationLine(
        name,
        where,
        _mood(state, mine),
        len(mine),
        sum(d.destination == name for d in stuck),
        _oldest(tx, mine, now),
        configured.verify_level,
        datetime.fromtimestamp(state.due).astimezone().isoformat() if state.due else "",
        state.problem,
        state.paused,
    )


def _mood(state: DestinationState, waiting: list[Delivery]) -> Mood:
    if state.paused:
        return Mood.IDLE
    if state.failing_since:
        return Mood.STOP
    return Mood.BUSY if waiting else Mood.GOOD


def _oldest(tx: Transaction, waiting: list[Delivery], now: datetime) -> int:
    """Age of the oldest in seconds, never below 0 when the clock was set back."""
    if not waiting:
        return -1
    first = min(waiting, key=lambda d: d.id)
    queued = [e.at for e in tx.journal.of(case=first.case) if e.kind == "delivery.queued"]
    if not queued:
        return 0
    return max(0, int((now - datetime.fromisoformat(min(queued))).total_seconds()))


def _row(tx: Transaction, each: Delivery) -> DeliveryRow:
    outline = tx.cases.outline(tx.deliveries.study_of(each.id))
    intake = tx.intakes.get(tx.cases.get(each.case).intake)
    problem = each.problem
    refused: tuple[str, ...] = ()
    if each.state in STUCK:
        results = tx.deliveries.results(each.id, Answer.REFUSED, Answer.HELD, Answer.RETRY)
        problem = problem or next((r.comment for _, r in results if r.comment), "")
        refused = tuple(
            f"{i.path}: {r.code:04X} {r.comment}" if r.code >= 0 else f"{i.path}: {r.comment}"
            for i, r in results
            if r.answer is Answer.REFUSED
        )[:LISTED]
    return DeliveryRow(
        each.id,
        intake.ticket,
        each.destination,
        sent_line(tx, outline, (each,)),
        each.attempts,
        each.due_at,
        problem,
        refused,
    )
