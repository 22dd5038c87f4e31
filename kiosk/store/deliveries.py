"""Deliveries: one study to one destination, and what became of each single instance."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, select, update

from kiosk.model.content import Instance
from kiosk.model.delivery import Answer, Change, InstanceResult
from kiosk.model.plain import from_plain, to_plain
from kiosk.model.work import Delivery, DeliveryState, Event, advance
from kiosk.store import lease
from kiosk.store.cases import instance_of
from kiosk.store.journal import Journal
from kiosk.store.lease import Lease, LeaseLost
from kiosk.store.outgoing import Destinations
from kiosk.store.tables import (
    delivery,
    delivery_instance,
    instance,
    intake,
    journal,
    patient_case,
    series,
)

_IN_FORCE = delivery.c.state != DeliveryState.ABORTED


@dataclass(frozen=True, slots=True)
class Held:
    """Why an instance will not be sent, in words for a person."""

    why: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """What of a study goes to a destination and why. `only`: positions in the study, None for all
    of it."""

    only: frozenset[int] | None = None
    because: str = ""
    policy_hash: str = ""


class Deliveries:
    def __init__(
        self, connection: Connection, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now

    def queue(
        self,
        case_id: int,
        study_id: int,
        study_instance_uid: str,
        destination_name: str,
        held: Mapping[int, Held] | None = None,
        there: Container[int] = (),
        parcel: Parcel | None = None,
    ) -> int:
        """A delivery of a study, or of the instances in its `parcel`; instances in `held` (by
        position in the study) are listed but not sent, those in `there` count as accepted: the
        proof looks whether they are. Queuing it a second time gives the one that is there."""
        known = select(delivery.c.id).where(
            delivery.c.study == study_id, delivery.c.destination == destination_name, _IN_FORCE
        )
        if (found := self._connection.execute(known).scalar()) is not None:
            return int(found)
        values = {
            "case_id": case_id,
            "study": study_id,
            "study_instance_uid": study_instance_uid,
            "destination": destination_name,
            "state": DeliveryState.QUEUED,
        }
        parcel = parcel or Parcel()
        values |= {"because": parcel.because, "policy_hash": parcel.policy_hash}
        key = self._connection.execute(delivery.insert().values(values)).inserted_primary_key
        assert key is not None
        id = int(key[0])
        held = held or {}
        rows = [
            _queued(id, row_id, held.get(position), position in there)
            for position, row_id in enumerate(self._instances_of(study_id))
            if parcel.only is None or position in parcel.only
        ]
        if rows:
            self._connection.execute(delivery_instance.insert(), rows)
        data: dict[str, object] = {"destination": destination_name, "instances": len(rows)}
        data["held"] = sum(row["answer"] is Answer.HELD for row in rows)
        data["sent_before"] = sum(row["answer"] is Answer.ACCEPTED for row in rows)
        if parcel.because:
            data |= {"because": parcel.because, "policy": parcel.policy_hash}
        self._write("delivery.queued", id, data)
        return id

    def proved_before(
        self, cases: Iterable[int], study_instance_uid: str, destination_name: str
    ) -> frozenset[tuple[str, str]]:
        """What earlier deliveries of these cases proved to be at the destination: SOP Instance UID
        and SHA-256 of the file it came from."""
        query = (
            select(instance.c.sop_instance_uid, instance.c.sha256)
            .join(delivery_instance, delivery_instance.c.instance == instance.c.id)
            .join(delivery, delivery.c.id == delivery_instance.c.delivery)
            .where(delivery.c.case_id.in_(tuple(cases)))
            .where(delivery.c.study_instance_uid == study_instance_uid)
            .where(delivery.c.destination == destination_name)
            .where(delivery_instance.c.answer == Answer.VERIFIED, _IN_FORCE)
        )
        return frozenset((row[0], row[1]) for row in self._connection.execute(query))

    def _instances_of(self, study_id: int) -> tuple[int, ...]:
        query = select(instance.c.id).join(series).where(series.c.study == study_id)
        return tuple(self._connection.scalars(query.order_by(instance.c.id)))

    def get(self, id: int) -> Delivery:
        """Raises KeyError when there is no such delivery."""
        row = self._connection.execute(select(delivery).where(delivery.c.id == id)).first()
        if row is None:
            raise KeyError(id)
        return _delivery(row)

    def of_case(self, case_id: int) -> tuple[Delivery, ...]:
        """Those in force: what was withdrawn by a recall is `recalls`' matter."""
        query = select(delivery).where(delivery.c.case_id == case_id, _IN_FORCE)
        rows = self._connection.execute(query.order_by(delivery.c.id))
        return tuple(_delivery(row) for row in rows)

    def in_state(self, *states: DeliveryState, limit: int = 500) -> tuple[Delivery, ...]:
        query = select(delivery).where(delivery.c.state.in_(states)).order_by(delivery.c.id)
        return tuple(_delivery(row) for row in self._connection.execute(query.limit(limit)))

    def counts(self, id: int) -> dict[Answer, int]:
        """How many of the delivery's instances have which answer."""
        column = delivery_instance.c.answer
        query = select(column, func.count()).where(delivery_instance.c.delivery == id)
        rows = self._connection.execute(query.group_by(column))
        return {Answer(answer): count for answer, count in rows}

    def others_passed(self, id: int) -> bool:
        """Whether its destination took any other delivery since this one was first tried."""
        this = self.get(id)
        tried = (
            select(func.min(journal.c.id))
            .where(journal.c.case_id == this.case, journal.c.delivery == id)
            .where(journal.c.kind == "delivery.attempt")
            .scalar_subquery()
        )
        query = (
            select(journal.c.id)
            .join(delivery, delivery.c.id == journal.c.delivery)
            .where(journal.c.id > tried, journal.c.kind == "delivery.sent")
            .where(delivery.c.destination == this.destination, delivery.c.id != id)
        )
        return self._connection.execute(query.limit(1)).first() is not None

    def everywhere(self, ids: Sequence[int], *answers: Answer) -> int:
        """How many instances have one of these answers in each of the deliveries that they are
        part of: two archives that have ten images each need not have the same ten."""
        column = delivery_instance.c.answer
        query = (
            select(delivery_instance.c.instance)
            .where(delivery_instance.c.delivery.in_(tuple(ids)))
            .group_by(delivery_instance.c.instance)
            .having(func.count() == func.sum(case((column.in_(answers), 1), else_=0)))
        )
        count = select(func.count()).select_from(query.subquery())
        return int(self._connection.execute(count).scalar_one())

    def results(self, id: int, *answers: Answer) -> tuple[tuple[Instance, InstanceResult], ...]:
        """The instances of a delivery with what became of them; all, or those so answered."""
        query = (
            select(instance, delivery_instance)
            .join(delivery_instance, delivery_instance.c.instance == instance.c.id)
            .where(delivery_instance.c.delivery == id)
            .order_by(instance.c.id)
        )
        if answers:
            query = query.where(delivery_instance.c.answer.in_(answers))
        return tuple((instance_of(r), _result(r)) for r in self._connection.execute(query))

    def study_of(self, id: int) -> int:
        query = select(delivery.c.study).where(delivery.c.id == id)
        return int(self._connection.execute(query).scalar_one())

    # -- what the engine does --------------------------------------------------------------

    def claim(
        self, state: DeliveryState, destination_name: str, station: str, seconds: float
    ) -> tuple[Delivery, Lease] | None:
        """The next delivery to this destination of what this station read, unless the destination
        is paused or not due yet."""
        destinations = Destinations(self._connection, self._journal, self._now)
        if not destinations.may_send(station, destination_name):
            return None
        here = (
            select(patient_case.c.id)
            .join(intake, intake.c.id == patient_case.c.intake)
            .where(intake.c.station == station, patient_case.c.id == delivery.c.case_id)
        )
        where: tuple[ColumnElement[bool], ...] = (
            delivery.c.state == state,
            delivery.c.destination == destination_name,
            here.exists(),
        )
        if state is DeliveryState.QUEUED:
            where = (*where, delivery.c.withheld == "")
        found = lease.claim(self._connection, delivery, self._now(), station, seconds, *where)
        return (_delivery(found[0]), found[1]) if found else None

    def extend(self, held: Lease, seconds: float) -> None:
        lease.extend(self._connection, delivery, held, self._now(), seconds)

    def free(self, station: str) -> None:
        """At the engine's start: what a dead engine of this station held may be claimed again."""
        where = (delivery.c.lease_owner == station) & (delivery.c.lease_token != "")
        self._connection.execute(update(delivery).where(where).values(lease_until=0.0))

    def fail(self, held: Lease, code: str) -> None:
        """A step ended by a defect of ours: the delivery stops here until a person asks again."""
        self.move(held, DeliveryState.FAILED, problem=code)

    def begin_attempt(self, id: int) -> bool:
        """Written before the first byte goes out: after a crash the outcome is unknown, and what
        was perhaps sent is verified or sent again (RELIABILITY 3). Whether it is known of every
        earlier attempt how it ended. Raises LeaseLost when the delivery was recalled or withheld
        since it was claimed: nothing of it may go out any more."""
        count = delivery.c.attempts + 1
        in_force = (delivery.c.id == id) & _IN_FORCE & (delivery.c.withheld == "")
        unsure = select(delivery.c.unsure).where(delivery.c.id == id)
        known = not self._connection.execute(unsure).scalar_one()
        change = update(delivery).where(in_force).values(attempts=count, unsure=True)
        if self._connection.execute(change).rowcount != 1:
            raise LeaseLost(f"delivery {id} is not to be sent any more")
        self._write("delivery.attempt", id, {})
        return known

    def end_attempt(self, id: int) -> None:
        """What was sent in it is recorded: nothing is there that nobody knows of."""
        self._connection.execute(update(delivery).where(delivery.c.id == id).values(unsure=False))

    def record(self, id: int, results: Sequence[InstanceResult]) -> None:
        """What the peer answered for each instance, as soon as it is known."""
        keys = {i.sop_instance_uid: row for row, i in self._rows_by_uid(id)}
        for result in results:
            values: dict[str, Any] = {
                "answer": result.answer,
                "code": result.code,
                "comment": result.comment[:500],
                "tries": delivery_instance.c.tries + 1,
            }
            if result.changes:
                values["changes"] = to_plain(result.changes)
            where = (delivery_instance.c.delivery == id) & (
                delivery_instance.c.instance == keys[result.sop_instance_uid]
            )
            self._connection.execute(update(delivery_instance).where(where).values(values))

    def _rows_by_uid(self, id: int) -> list[tuple[int, Instance]]:
        query = (
            select(instance)
            .join(delivery_instance, delivery_instance.c.instance == instance.c.id)
            .where(delivery_instance.c.delivery == id)
            .where(delivery_instance.c.answer != Answer.HELD)
        )
        return [(row.id, instance_of(row)) for row in self._connection.execute(query)]

    def set_answers(self, id: int, uids: Iterable[str], answer: Answer) -> None:
        """Verified, or to be sent again, for these SOP Instance UIDs."""
        rows = instance.c.sop_instance_uid.in_(tuple(uids))
        where = (delivery_instance.c.delivery == id) & (
            delivery_instance.c.instance.in_(select(instance.c.id).where(rows))
        )
        sendable = delivery_instance.c.answer != Answer.HELD
        self._connection.execute(
            update(delivery_instance).where(where & sendable).values(answer=answer)
        )

    def tries(self, id: int) -> dict[str, int]:
        """How often each instance of the delivery was tried, by SOP Instance UID."""
        query = (
            select(instance.c.sop_instance_uid, delivery_instance.c.tries)
            .join(delivery_instance, delivery_instance.c.instance == instance.c.id)
            .where(delivery_instance.c.delivery == id)
        )
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def move(
        self,
        held: Lease,
        to: DeliveryState,
        *,
        problem: str = "",
        data: dict[str, object] | None = None,
        **values: Any,
    ) -> None:
        """One step on in the delivery's table of states, with its journal line."""
        lease.confirm(self._connection, delivery, held)
        state = advance(self.get(held.id).state, to)
        row = {"state": state, "problem": problem, **values}
        lease.settle(self._connection, delivery, held, row)
        self._write(f"delivery.{to.value.lower()}", held.id, (data or {}) | {"problem": problem})

    def wait(self, held: Lease, until: datetime, problem: str) -> None:
        """The same state again at `until`; what is wrong is shown meanwhile."""
        lease.settle(self._connection, delivery, held, {"problem": problem}, due=until)
        self._write("delivery.waits", held.id, {"problem": problem})

    def retry(self, id: int, actor: str) -> None:
        """A person asks for it: HELD or FAILED goes back to the queue, with what was refused of
        it; a waiting one is due now."""
        current = self.get(id)
        values: dict[str, Any] = {"due": 0.0, "problem": ""}
        if current.state in (DeliveryState.HELD, DeliveryState.FAILED):
            values["state"] = advance(current.state, DeliveryState.QUEUED)
            refused = (delivery_instance.c.delivery == id) & (
                delivery_instance.c.answer == Answer.REFUSED
            )
            again = update(delivery_instance).where(refused)
            if self._connection.execute(again.values(answer=Answer.RETRY, tries=0)).rowcount:
                values |= {"transaction_uid": "", "asked_at": 0.0, "report": None}
        self._connection.execute(update(delivery).where(delivery.c.id == id).values(values))
        self._write("delivery.retried", id, {}, actor=actor)

    def _write(self, kind: str, id: int, data: dict[str, object], actor: str = "engine") -> None:
        query = (
            select(delivery.c.case_id, patient_case.c.intake)
            .join(patient_case, patient_case.c.id == delivery.c.case_id)
            .where(delivery.c.id == id)
        )
        case_id, intake_id = self._connection.execute(query).one()
        event = Event(kind, intake_id, case_id, id, actor, data)
        self._journal.write(event)


def _queued(id: int, instance_id: int, held: Held | None, there: bool) -> dict[str, Any]:
    answer = Answer.HELD if held else Answer.ACCEPTED if there else Answer.PENDING
    row = {"delivery": id, "instance": instance_id, "answer": answer, "changes": []}
    return row | {"comment": held.why if held else ""}


def _result(row: Row[Any]) -> InstanceResult:
    changes = tuple(from_plain(Change, change) for change in row.changes)
    return InstanceResult(row.sop_instance_uid, Answer(row.answer), row.code, row.comment, changes)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        case=row.case_id,
        study_instance_uid=row.study_instance_uid,
        destination=row.destination,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        due_at="" if not row.due else datetime.fromtimestamp(row.due).astimezone().isoformat(),
        transaction_uid=row.transaction_uid,
        verify_level=row.verify_level,
        problem=row.withheld or row.problem,
        tries=row.tries,
        because=row.because,
        policy_hash=row.policy_hash,
        withheld=bool(row.withheld),
    )
