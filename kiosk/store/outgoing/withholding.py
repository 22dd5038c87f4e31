"""Deliveries whose patient's registration changed since they were released: what is unsent of them
stays here until a person has said what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, select, update

from kiosk.model.delivery import Answer
from kiosk.model.work import DeliveryState, Event, advance
from kiosk.store.journal import Journal
from kiosk.store.tables import delivery, delivery_instance, patient_case

UNSENT = (DeliveryState.QUEUED, DeliveryState.HELD, DeliveryState.FAILED)
PROVED = (DeliveryState.COMMITTED, DeliveryState.NOTIFIED, DeliveryState.ABORTED)
NEVER_OUT = (Answer.PENDING, Answer.HELD)
_FREE = {"due": 0.0, "lease_owner": "", "lease_token": "", "lease_until": 0.0}


def may_be_out(connection: Connection, id: int) -> bool:
    """Whether anything of the delivery may be at its destination: an attempt whose end nobody knows
    (a crash) may have left all of it there."""
    if connection.execute(select(delivery.c.unsure).where(delivery.c.id == id)).scalar_one():
        return True
    began = select(delivery_instance.c.instance).where(
        delivery_instance.c.delivery == id, delivery_instance.c.answer.not_in(NEVER_OUT)
    )
    return connection.execute(began.limit(1)).first() is not None


class Withholding:
    def __init__(
        self, connection: Connection, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now

    def nothing_is_out(self, case_id: int) -> bool:
        """Whether no archive can have anything of the case by these deliveries."""
        query = select(delivery.c.id, delivery.c.state).where(
            delivery.c.case_id == case_id, delivery.c.state != DeliveryState.ABORTED
        )
        found = self._connection.execute(query).all()
        return all(
            row.state in UNSENT and not may_be_out(self._connection, row.id) for row in found
        )

    def take_back(self, case_id: int) -> None:
        """All of the case's deliveries, of which nothing is out, end here."""
        query = select(delivery.c.id, delivery.c.state).where(
            delivery.c.case_id == case_id, delivery.c.state != DeliveryState.ABORTED
        )
        for row in self._connection.execute(query).all():
            state = advance(DeliveryState(row.state), DeliveryState.ABORTED)
            change = update(delivery).where(delivery.c.id == row.id)
            self._connection.execute(change.values(state=state, **_FREE))

    def withhold(self, case_id: int, why: str) -> bool:
        """Nothing more of the case is sent; a sender that is at work stops. Whether there was
        anything to withhold that was not withheld already."""
        change = update(delivery).where(
            delivery.c.case_id == case_id,
            delivery.c.state.not_in(PROVED),
            delivery.c.withheld == "",
        )
        held = self._connection.execute(change.values(withheld=why)).rowcount > 0
        if held:
            self._write("case.withheld", case_id, "engine")
        return held

    def withheld(self, case_id: int) -> bool:
        where = (delivery.c.case_id == case_id) & (delivery.c.withheld != "")
        in_force = delivery.c.state != DeliveryState.ABORTED
        query = select(delivery.c.id).where(where, in_force).limit(1)
        return self._connection.execute(query).first() is not None

    def go_on(self, case_id: int, actor: str) -> None:
        """A person has decided: what is unsent goes out, by the plan that is there now."""
        where = (delivery.c.case_id == case_id) & (delivery.c.withheld != "")
        self._connection.execute(update(delivery).where(where).values(withheld="", **_FREE))
        self._write("case.renewed", case_id, actor)

    def _write(self, kind: str, case_id: int, actor: str) -> None:
        query = select(patient_case.c.intake).where(patient_case.c.id == case_id)
        row = self._connection.execute(query).scalar_one()
        self._journal.write(Event(kind, int(row), case_id, actor=actor))
