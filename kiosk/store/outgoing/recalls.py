"""Recalls: a case that went out wrong is taken back, archive by archive, and decided anew."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from kiosk.model.content import Study
from kiosk.model.patient import LocalPatient
from kiosk.model.plain import from_plain, to_plain
from kiosk.model.work import (
    Case,
    CaseState,
    Delivery,
    DeliveryState,
    Event,
    IntakeState,
    Withdrawal,
    advance,
)
from kiosk.store import lease
from kiosk.store.journal import Journal
from kiosk.store.lease import Lease
from kiosk.store.outgoing.destinations import Destinations
from kiosk.store.outgoing.withholding import may_be_out
from kiosk.store.tables import (
    delivery,
    instance,
    intake,
    patient_case,
    series,
    study,
    withdrawal,
)

SENT = (CaseState.RELEASED, CaseState.DONE)
OVER = frozenset({DeliveryState.COMMITTED, DeliveryState.ABORTED})
RECALLED = "case.recalled"
PROPOSED = "case.recall-proposed"
GONE = "Its images were deleted here meanwhile: put the medium in again."


class Recalls:
    """Deliveries of a recalled case are ABORTED; each that may have left something at its
    destination gets a withdrawal. When all of these are over the case is OPEN again."""

    def __init__(
        self, connection: Connection, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now

    # -- what people do --------------------------------------------------------------------

    def propose(self, case: Case, actor: str, reason: str) -> None:
        """Somebody who may not recall asks somebody who may."""
        self._flag(case.id, True)
        self._write(PROPOSED, case, {"reason": reason}, actor)

    def proposed_by(self, case: int) -> tuple[str, str]:
        """Who asked for it and why since the case was last released; empty when nobody did."""
        found = ("", "")
        for event in self._journal.of(case=case):
            if event.kind == PROPOSED:
                found = (event.actor, str(event.data.get("reason", "")))
            elif event.kind in ("case.released", "case.kept"):
                found = ("", "")
        return found

    def keep(self, case: Case, actor: str, reason: str, seen: LocalPatient | None = None) -> None:
        """Somebody looked at what happened after sending: it stays as it was sent. `seen` is the
        local record as it is now: it does not count as a change any more."""
        self._case(case.id, {"flagged": False, "reasons": []})
        self._write("case.kept", case, {"reason": reason}, actor)
        if seen is not None:
            self.rest_on(case.id, seen)

    def rest_on(self, case_id: int, record: LocalPatient) -> None:
        """The local record as it was when the case was released, or last looked at since."""
        change = update(patient_case).where(patient_case.c.id == case_id)
        plain = to_plain(replace(record, visits=()))
        self._connection.execute(change.values(rests_on=plain))

    def rests_on(self, case_id: int) -> LocalPatient | None:
        plain = self._row_of_case(case_id).rests_on
        return from_plain(LocalPatient, plain) if plain else None

    def begin(self, case: Case, deliveries: tuple[Delivery, ...], code: str) -> None:
        """RELEASED or DONE -> RECALLED. Nothing more of it is sent from now on: a sender that is at
        work finds its lease gone. Raises IllegalMove."""
        advance(case.state, CaseState.RECALLED)
        values = {"state": CaseState.RECALLED, "flagged": False, "reasons": [], "rests_on": None}
        self._case(case.id, values)
        free = {"due": 0.0, "lease_owner": "", "lease_token": "", "lease_until": 0.0}
        for each in deliveries:
            state = advance(each.state, DeliveryState.ABORTED)
            change = update(delivery).where(delivery.c.id == each.id)
            self._connection.execute(change.values(state=state, **free))
            if may_be_out(self._connection, each.id):
                self._withdraw(each, code)

    def recorded(self, case: Case, actor: str, data: dict[str, object]) -> None:
        """Who recalled it and why, and as whose it had gone out: whoever was told of these scans is
        told by this line."""
        local_key = case.resolution.local_key if case.resolution else ""
        self._write(RECALLED, case, data | {"local_key": local_key}, actor)

    def by_hand(self, id: int, actor: str, reason: str) -> None:
        """HELD -> ABORTED: a person has taken the images out of that archive."""
        found = self.get(id)
        self._move(id, advance(found.state, DeliveryState.ABORTED), {"problem": ""})
        self._note("withdrawal.by-hand", found, {"reason": reason}, actor)

    def retry(self, id: int, actor: str) -> None:
        """HELD or FAILED goes back to the queue, a waiting one is due now."""
        found = self.get(id)
        stuck = found.state in (DeliveryState.HELD, DeliveryState.FAILED)
        state = advance(found.state, DeliveryState.QUEUED) if stuck else found.state
        self._move(id, state, {"problem": ""})
        self._note("withdrawal.retried", found, {}, actor)

    # -- what the engine does --------------------------------------------------------------

    def claim(
        self, state: DeliveryState, destination: str, station: str, seconds: float
    ) -> tuple[Withdrawal, Lease] | None:
        destinations = Destinations(self._connection, self._journal, self._now)
        if not destinations.may_send(station, destination):
            return None
        here = (
            select(patient_case.c.id)
            .join(intake, intake.c.id == patient_case.c.intake)
            .where(intake.c.station == station, patient_case.c.id == withdrawal.c.case_id)
        )
        where = (
            withdrawal.c.state == state,
            withdrawal.c.destination == destination,
            here.exists(),
        )
        found = lease.claim(self._connection, withdrawal, self._now(), station, seconds, *where)
        return (_withdrawal(found[0]), found[1]) if found else None

    def extend(self, held: Lease, seconds: float) -> None:
        lease.extend(self._connection, withdrawal, held, self._now(), seconds)

    def free(self, station: str) -> None:
        """At the engine's start: what a dead engine of this station held may be claimed again."""
        where = (withdrawal.c.lease_owner == station) & (withdrawal.c.lease_token != "")
        self._connection.execute(update(withdrawal).where(where).values(lease_until=0.0))

    def move(
        self,
        held: Lease,
        to: DeliveryState,
        problem: str = "",
        data: dict[str, object] | None = None,
    ) -> None:
        """One step on, with its journal line; the case is OPEN again after the last."""
        lease.confirm(self._connection, withdrawal, held)
        found = self.get(held.id)
        state = found.state
        if state is DeliveryState.QUEUED and to is DeliveryState.COMMITTED:
            state = advance(state, DeliveryState.SENT)  # nothing is there to be taken back
        values = {"state": advance(state, to), "problem": problem}
        lease.settle(self._connection, withdrawal, held, values)
        self._note(f"withdrawal.{to.value.lower()}", found, (data or {}) | {"problem": problem})

    def wait(self, held: Lease, until: datetime, problem: str) -> None:
        lease.settle(self._connection, withdrawal, held, {"problem": problem}, due=until)

    def fail(self, held: Lease, code: str) -> None:
        self.move(held, DeliveryState.FAILED, code)

    def end(self, case_id: int) -> None:
        """RECALLED -> OPEN once everything is taken back; REJECTED when the bytes are gone."""
        row = self._row_of_case(case_id)
        if row.state != CaseState.RECALLED:
            return
        if any(each.state not in OVER for each in self.of_case(case_id)):
            return
        here = self._intake_goes_on(row.intake)
        to = CaseState.OPEN if here else CaseState.REJECTED
        values: dict[str, Any] = {"state": advance(CaseState.RECALLED, to)}
        values |= {"resolution": None, "local_key": ""}
        values |= {"reasons": [] if here else [GONE], "due": 0.0, "tries": 0}
        values |= {"owner": "", "owner_until": 0.0}
        self._case(case_id, values)
        kind = "case.reopened" if here else "case.rejected"
        self._journal.write(Event(kind, row.intake, case_id, data={"reason": "recalled"}))

    def renamed(self, study_id: int, now: Study) -> None:
        """The study's rows under the UIDs that will be sent (`Study.uids` keeps what they were)."""
        plain = to_plain(now)
        del plain["series"]
        values = {"study_instance_uid": now.study_instance_uid, "attributes": plain}
        self._connection.execute(update(study).where(study.c.id == study_id).values(values))
        query = select(series).where(series.c.study == study_id).order_by(series.c.id)
        rows = self._connection.execute(query).all()
        for row, each in zip(rows, now.series, strict=True):
            attributes = row.attributes | {"series_instance_uid": each.series_instance_uid}
            values = {"series_instance_uid": each.series_instance_uid, "attributes": attributes}
            self._connection.execute(update(series).where(series.c.id == row.id).values(values))
            query_ids = select(instance.c.id).where(instance.c.series == row.id)
            ids = self._connection.scalars(query_ids.order_by(instance.c.id)).all()
            for id, one in zip(ids, each.instances, strict=True):
                change = update(instance).where(instance.c.id == id)
                self._connection.execute(change.values(sop_instance_uid=one.sop_instance_uid))

    # -- looking ---------------------------------------------------------------------------

    def get(self, id: int) -> Withdrawal:
        """Raises KeyError when there is no such withdrawal."""
        row = self._connection.execute(select(withdrawal).where(withdrawal.c.id == id)).first()
        if row is None:
            raise KeyError(id)
        return _withdrawal(row)

    def of_case(self, case_id: int) -> tuple[Withdrawal, ...]:
        query = select(withdrawal).where(withdrawal.c.case_id == case_id)
        rows = self._connection.execute(query.order_by(withdrawal.c.id))
        return tuple(_withdrawal(row) for row in rows)

    def under_way(self, limit: int = 500) -> tuple[Withdrawal, ...]:
        """What is not taken back yet, oldest first."""
        query = select(withdrawal).where(withdrawal.c.state.not_in(OVER))
        rows = self._connection.execute(query.order_by(withdrawal.c.id).limit(limit))
        return tuple(_withdrawal(row) for row in rows)

    def stuck(self, limit: int = 500) -> tuple[int, ...]:
        """Recalled cases that some archive keeps from going on."""
        states = (DeliveryState.HELD, DeliveryState.FAILED)
        query = select(withdrawal.c.case_id).where(withdrawal.c.state.in_(states)).distinct()
        return tuple(self._connection.scalars(query.order_by(withdrawal.c.case_id).limit(limit)))

    def recalled(self, case_id: int) -> bool:
        """Whether the case was ever recalled."""
        return any(event.kind == RECALLED for event in self._journal.of(case=case_id))

    def sent_as(self, case_id: int) -> dict[str, int]:
        """The case's studies (row ids) by each Study Instance UID under which they ever went out,
        what was recalled since too."""
        query = select(delivery.c.study_instance_uid, delivery.c.study)
        rows = self._connection.execute(
            query.where(delivery.c.case_id == case_id).order_by(delivery.c.id)
        )
        return {row[0]: row[1] for row in rows}

    def sharing(self, case_id: int) -> tuple[int, ...]:
        """Other cases, not recalled, that have a study of this one at the same destination."""
        mine = delivery.alias()
        query = (
            select(patient_case.c.id)
            .join(delivery, delivery.c.case_id == patient_case.c.id)
            .join(
                mine,
                (mine.c.study_instance_uid == delivery.c.study_instance_uid)
                & (mine.c.destination == delivery.c.destination),
            )
            .where(mine.c.case_id == case_id, patient_case.c.id != case_id)
            .where(patient_case.c.state.in_(SENT), delivery.c.state != DeliveryState.ABORTED)
        )
        return tuple(self._connection.scalars(query.distinct().order_by(patient_case.c.id)))

    def rejected_uids(self, case_id: int) -> frozenset[str]:
        """The Study Instance UIDs under which images of the case were taken back."""
        query = (
            select(delivery.c.study_instance_uid)
            .join(withdrawal, withdrawal.c.delivery == delivery.c.id)
            .where(withdrawal.c.case_id == case_id)
        )
        return frozenset(self._connection.scalars(query))

    def flagged(self, limit: int = 500) -> tuple[int, ...]:
        """Cases that were sent and that a person must look at again."""
        query = select(patient_case.c.id).where(
            patient_case.c.flagged, patient_case.c.state.in_(SENT)
        )
        return tuple(self._connection.scalars(query.order_by(patient_case.c.id).limit(limit)))

    def sent(self, limit: int = 200) -> tuple[int, ...]:
        """Cases that went out or are being taken back, newest first."""
        states = (*SENT, CaseState.RECALLED)
        query = select(patient_case.c.id).where(patient_case.c.state.in_(states))
        return tuple(
            self._connection.scalars(query.order_by(patient_case.c.id.desc()).limit(limit))
        )

    # -- shared ----------------------------------------------------------------------------

    def _withdraw(self, each: Delivery, code: str) -> None:
        row = {"case_id": each.case, "delivery": each.id, "destination": each.destination}
        row |= {"state": DeliveryState.QUEUED, "code": code}
        row |= {"sop_instance_uid": f"2.25.{uuid.uuid4().int}"}
        self._connection.execute(withdrawal.insert().values(row))

    def _intake_goes_on(self, id: int) -> bool:
        row = self._connection.execute(select(intake.c.state).where(intake.c.id == id)).one()
        return bool(row.state == IntakeState.CATALOGED)

    def _row_of_case(self, id: int) -> Row[Any]:
        return self._connection.execute(select(patient_case).where(patient_case.c.id == id)).one()

    def _case(self, id: int, values: dict[str, Any]) -> None:
        free = {"lease_owner": "", "lease_token": "", "lease_until": 0.0}
        change = update(patient_case).where(patient_case.c.id == id)
        self._connection.execute(change.values(free | values))

    def _flag(self, id: int, flagged: bool) -> None:
        self._case(id, {"flagged": flagged})

    def _move(self, id: int, state: DeliveryState, values: dict[str, Any]) -> None:
        free = {"due": 0.0, "lease_owner": "", "lease_token": "", "lease_until": 0.0}
        change = update(withdrawal).where(withdrawal.c.id == id)
        self._connection.execute(change.values(free | values | {"state": state}))

    def _write(self, kind: str, case: Case, data: dict[str, object], actor: str) -> None:
        self._journal.write(Event(kind, case.intake, case.id, actor=actor, data=data))

    def _note(
        self, kind: str, each: Withdrawal, data: dict[str, object], actor: str = "engine"
    ) -> None:
        row = self._row_of_case(each.case)
        data = {"destination": each.destination} | data
        event = Event(kind, row.intake, each.case, each.delivery, actor, data)
        self._journal.write(event)


def _withdrawal(row: Row[Any]) -> Withdrawal:
    due = datetime.fromtimestamp(row.due).astimezone().isoformat() if row.due else ""
    return Withdrawal(
        row.id,
        row.case_id,
        row.delivery,
        row.destination,
        DeliveryState(row.state),
        row.code,
        row.sop_instance_uid,
        row.problem,
        due,
        row.tries,
    )
