"""Since when each thing waits that waits."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from kiosk.model.work import CaseState, DeliveryState, IntakeState
from kiosk.store.tables import delivery, intake, journal, patient_case

UNDER_WAY = (DeliveryState.QUEUED, DeliveryState.SENT)
STOPPED = (DeliveryState.HELD, DeliveryState.FAILED)


def waiting_since(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Instants (ISO 8601 UTC), oldest first, of what waits in each queue: `reading` (media),
    `decision` (cases, for a person), `sending` and `stopped` (deliveries)."""
    media = select(intake.c.created_at).where(
        intake.c.state.in_((IntakeState.RECEIVED, IntakeState.READ))
    )
    cases = (
        select(func.coalesce(func.max(journal.c.at), func.max(patient_case.c.created_at)))
        .select_from(patient_case)
        .outerjoin(
            journal, (journal.c.case_id == patient_case.c.id) & (journal.c.kind == "case.awaits")
        )
        .where(patient_case.c.state == CaseState.AWAITING)
        .group_by(patient_case.c.id)
    )
    found = {"reading": media, "decision": cases}
    for queue, states in (("sending", UNDER_WAY), ("stopped", STOPPED)):
        found[queue] = (
            select(func.min(journal.c.at))
            .join(delivery, delivery.c.id == journal.c.delivery)
            .where(delivery.c.state.in_(states), journal.c.kind == "delivery.queued")
            .group_by(delivery.c.id)
        )
    return {name: tuple(sorted(connection.scalars(query))) for name, query in found.items()}
