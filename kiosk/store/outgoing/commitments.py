"""Storage commitments: which archive was asked when, and what it reported, whenever it did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from kiosk.model.delivery import Answer, CommitmentReport
from kiosk.model.work import DeliveryState, Event
from kiosk.store.journal import Journal
from kiosk.store.tables import delivery, delivery_instance, instance, patient_case

SENT = (Answer.ACCEPTED, Answer.VERIFIED)


class Commitments:
    """One open transaction for a delivery: the newest that it asked for. Its Transaction UID is
    kept before the archive is asked (PS3.4 J.3.2), so that a report after a crash finds it."""

    def __init__(
        self, connection: Connection, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now

    def ask(self, id: int, transaction_uid: str) -> None:
        """The archive is about to be asked. An earlier request is not waited for any more."""
        at = self._now().timestamp()
        self._set(id, transaction_uid=transaction_uid, asked_at=at, report=None)

    def drop(self, id: int) -> None:
        """Something is sent again: what the archive says of the time before does not count."""
        self._set(id, transaction_uid="", asked_at=0.0, report=None)

    def refused(self, transaction_uid: str) -> None:
        """The archive will not report: nobody waits for it."""
        where = delivery.c.transaction_uid == transaction_uid
        change = update(delivery).where(where, delivery.c.report.is_(None))
        self._connection.execute(change.values(asked_at=0.0))
        self._wake(transaction_uid)

    def asked_at(self, id: int) -> float:
        """When the newest request went out, as seconds since the epoch; 0.0 when no report is to
        be expected."""
        query = select(delivery.c.asked_at).where(delivery.c.id == id)
        return float(self._connection.execute(query).scalar_one())

    def report(self, id: int) -> CommitmentReport | None:
        """What the archive reported to the newest request, of this delivery's images only."""
        query = select(delivery.c.transaction_uid, delivery.c.report).where(delivery.c.id == id)
        uid, plain = self._connection.execute(query).one()
        if plain is None:
            return None
        failed = tuple((str(instance), int(reason)) for instance, reason in plain["failed"])
        return CommitmentReport(uid, frozenset(plain["committed"]), failed)

    def reported(self, untrusted: CommitmentReport) -> int | None:
        """Keeps a report: the delivery that it counts for, None when it counts for none. It is
        counted once, for the newest request only and for nothing that was not sent; an instance
        that it lists as kept and as failed has failed. A delivery that waits for it is due."""
        row = self._open(untrusted.transaction_uid)
        if row is None:
            return None
        sent = self._sent(row.id)
        failed = tuple(f for f in untrusted.failed if f[0] in sent)
        committed = (untrusted.committed & sent) - {uid for uid, _ in failed}
        if not committed and not failed:
            return None
        self._set(row.id, report={"committed": sorted(committed), "failed": failed})
        self._wake(untrusted.transaction_uid)
        data: dict[str, object] = {"committed": len(committed), "failed": len(failed)}
        event = Event("delivery.commitment", row.intake, row.case_id, row.id, "archive", data)
        self._journal.write(event)
        return int(row.id)

    def _open(self, transaction_uid: str) -> Any:
        if not transaction_uid:
            return None
        query = (
            select(delivery.c.id, delivery.c.case_id, patient_case.c.intake)
            .join(patient_case, patient_case.c.id == delivery.c.case_id)
            .where(delivery.c.transaction_uid == transaction_uid, delivery.c.report.is_(None))
        )
        return self._connection.execute(query).first()

    def _sent(self, id: int) -> frozenset[str]:
        query = (
            select(instance.c.sop_instance_uid)
            .join(delivery_instance, delivery_instance.c.instance == instance.c.id)
            .where(delivery_instance.c.delivery == id, delivery_instance.c.answer.in_(SENT))
        )
        return frozenset(self._connection.scalars(query))

    def _wake(self, transaction_uid: str) -> None:
        where = delivery.c.transaction_uid == transaction_uid
        waits = delivery.c.state == DeliveryState.SENT
        self._connection.execute(update(delivery).where(where & waits).values(due=0.0))

    def _set(self, id: int, **values: Any) -> None:
        self._connection.execute(update(delivery).where(delivery.c.id == id).values(values))
