"""Choices: what becomes of each study of a case, and who said so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from kiosk.model.content import InstanceStatus
from kiosk.model.delivery import Answer
from kiosk.model.plain import from_plain, to_plain
from kiosk.model.relevance.choice import WAITING, Choice, Judged, Relevance, Standing, Triage
from kiosk.model.work import CaseState, DeliveryState, Event, advance
from kiosk.store import lease
from kiosk.store.choosing.tables import study_choice as table
from kiosk.store.journal import Journal
from kiosk.store.lease import Lease
from kiosk.store.tables import (
    delivery,
    delivery_instance,
    instance,
    intake,
    patient_case,
    series,
    study,
)

BY_POLICY = {
    Relevance.SUGGESTED: Standing.CHOSEN,
    Relevance.OLDER: Standing.LEFT,
    Relevance.DISCARD: Standing.DISCARDED,
}
UNDECIDED = (CaseState.OPEN, CaseState.AWAITING, CaseState.RESOLVED)
SENT = (CaseState.RELEASED, CaseState.DONE)
OVER_TIME = "It was on hold for as long as the policy allows."


class Choices:
    """A study without a row is wanted: nobody ever asked."""

    def __init__(
        self, connection: Connection, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now

    # -- what there is ---------------------------------------------------------------------

    def of_case(self, case_id: int) -> tuple[Choice, ...]:
        """In the order of the studies."""
        query = select(table).where(table.c.case_id == case_id).order_by(table.c.study)
        return tuple(_choice(row) for row in self._connection.execute(query))

    def get(self, study_id: int) -> Choice:
        """Raises KeyError where nobody said anything of this study."""
        row = self._connection.execute(select(table).where(table.c.study == study_id)).first()
        if row is None:
            raise KeyError(study_id)
        return _choice(row)

    def standing(
        self, *standings: Standing, limit: int = 500, newest: bool = False
    ) -> tuple[Choice, ...]:
        """Every study that stands so, oldest first, or `newest`."""
        order = table.c.id.desc() if newest else table.c.id
        query = select(table).where(table.c.standing.in_(standings)).order_by(order)
        return tuple(_choice(row) for row in self._connection.execute(query.limit(limit)))

    def is_open(self, case_id: int) -> bool:
        """Whether somebody is still to choose."""
        return any(each.standing is Standing.OPEN for each in self.of_case(case_id))

    def unwanted(self, case_id: int) -> frozenset[int]:
        """The studies of this case, by their rows, that do not go out now."""
        chosen = Standing.CHOSEN
        return frozenset(c.study for c in self.of_case(case_id) if c.standing is not chosen)

    def overrides(self, case_id: int) -> dict[int, tuple[tuple[str, ...], str]]:
        """Where triage sent studies against the rules, and who did: by the study's row."""
        return {c.study: (c.to, f"{c.by}: {c.reason}") for c in self.of_case(case_id) if c.to}

    def ended(self, case_id: int) -> bool:
        """Whether nothing of the case waits for a person or for its release."""
        return all(
            each.standing not in WAITING and (each.standing is not Standing.CHOSEN or each.released)
            for each in self.of_case(case_id)
        )

    def here(self, study_id: int, local_keys: Iterable[str]) -> bool:
        """Whether every good image of the study is proved to be at an archive, byte for byte, filed
        under one of these records."""
        mine = (
            select(instance.c.sop_instance_uid, instance.c.sha256)
            .join(series, series.c.id == instance.c.series)
            .where(series.c.study == study_id, instance.c.status == InstanceStatus.OK)
            .subquery()
        )
        theirs, home = instance.alias(), series.alias()
        proved = (
            select(mine.c.sop_instance_uid)
            .join(theirs, theirs.c.sop_instance_uid == mine.c.sop_instance_uid)
            .join(home, home.c.id == theirs.c.series)
            .join(delivery_instance, delivery_instance.c.instance == theirs.c.id)
            .join(delivery, delivery.c.id == delivery_instance.c.delivery)
            .join(patient_case, patient_case.c.id == delivery.c.case_id)
            .where(theirs.c.sha256 == mine.c.sha256, mine.c.sha256 != "")
            .where(home.c.study != study_id)
            .where(delivery_instance.c.answer == Answer.VERIFIED)
            .where(delivery.c.state != DeliveryState.ABORTED)
            .where(patient_case.c.local_key.in_([key for key in local_keys if key]))
            .distinct()
            .subquery()
        )
        total = self._connection.execute(select(func.count()).select_from(mine)).scalar_one()
        found = self._connection.execute(select(func.count()).select_from(proved)).scalar_one()
        return bool(total) and found == total

    # -- what the engine says --------------------------------------------------------------

    def judge(
        self, case_id: int, judged: Mapping[int, Judged], ask: bool, policy_hash: str
    ) -> None:
        """The policy's word on each study, by its row. What a person chose stays chosen; what a
        rule wants seen first waits for triage, whoever chose it."""
        known = {each.study: each for each in self.of_case(case_id)}
        at = self._now().isoformat(timespec="seconds")
        for row, word in judged.items():
            values: dict[str, Any] = {"judged": to_plain(word), "policy_hash": policy_hash}
            if row not in known:
                new = {"study": row, "case_id": case_id, "at": at, "to": []}
                new["standing"] = _stands(word, Standing.OPEN if ask else BY_POLICY[word.relevance])
                self._connection.execute(table.insert().values(new | values))
                continue
            mine = known[row]
            if not mine.by and mine.standing is not Standing.OPEN:
                values["standing"] = _stands(word, BY_POLICY[word.relevance])
            elif not mine.accepted:
                values["standing"] = _stands(word, mine.standing)
            self._connection.execute(update(table).where(table.c.study == row).values(values))

    def released(self, rows: Iterable[int]) -> None:
        """These studies were queued for their archives."""
        where = table.c.study.in_(tuple(rows))
        self._connection.execute(update(table).where(where).values(released=True))

    def claim(self, station: str, seconds: float) -> tuple[Choice, Lease] | None:
        """A study that was chosen after the others of its case had gone out."""
        late = (
            select(patient_case.c.id)
            .join(intake, intake.c.id == patient_case.c.intake)
            .where(intake.c.station == station, patient_case.c.state.in_(SENT))
        )
        where = (
            table.c.standing == Standing.CHOSEN,
            table.c.released.is_(False),
            table.c.case_id.in_(late),
        )
        found = lease.claim(self._connection, table, self._now(), station, seconds, *where)
        return (_choice(found[0]), found[1]) if found else None

    def extend(self, held: Lease, seconds: float) -> None:
        lease.extend(self._connection, table, held, self._now(), seconds)

    def free(self, station: str) -> None:
        """At the engine's start: what a dead engine of this station held may be claimed again."""
        where = (table.c.lease_owner == station) & (table.c.lease_token != "")
        self._connection.execute(update(table).where(where).values(lease_until=0.0))

    def settle(self, held: Lease, released: bool, due: datetime | None = None) -> None:
        lease.settle(self._connection, table, held, {"released": released}, due)

    def go_on(self, case_id: int) -> bool:
        """DONE -> RELEASED: another study of the case goes out. Whether it was DONE."""
        mine = (patient_case.c.id == case_id) & (patient_case.c.state == CaseState.DONE)
        to = advance(CaseState.DONE, CaseState.RELEASED)
        changed = self._connection.execute(update(patient_case).where(mine).values(state=to))
        if changed.rowcount == 1:
            self._write("case.goes-on", case_id, {}, "engine")
        return changed.rowcount == 1

    def fail(self, held: Lease, reason: str) -> None:
        """It cannot go out now: back to triage, where somebody sees it and why."""
        values = {"standing": Standing.HELD, "reason": reason, "accepted": False, "held_until": 0.0}
        lease.settle(self._connection, table, held, values)

    def overdue(self) -> tuple[Choice, ...]:
        """What was on hold for as long as the policy allows."""
        over = (table.c.held_until > 0) & (table.c.held_until <= self._now().timestamp())
        query = select(table).where(table.c.standing == Standing.HELD, over)
        return tuple(_choice(row) for row in self._connection.execute(query))

    def expire(self) -> tuple[Choice, ...]:
        """It is left out, and the journal says so."""
        found = self.overdue()
        for each in found:
            self._say(each, Standing.LEFT, "engine", OVER_TIME, "study.expired")
        return found

    # -- what people say -------------------------------------------------------------------

    def choose(self, case_id: int, ticked: Iterable[int], actor: str) -> None:
        """What was open is wanted or left, and the journal names what was left."""
        wanted = set(ticked)
        left: list[int] = []
        here: list[int] = []
        for each in self.of_case(case_id):
            if each.standing is not Standing.OPEN:
                continue
            to = Standing.CHOSEN if each.study in wanted else Standing.LEFT
            (here if to is Standing.CHOSEN else left).append(each.study)
            self._set(each, _stands(each.judged, to), actor, "")
        data: dict[str, object] = {"chosen": self._uids(here), "left": self._uids(left)}
        self._write("case.chosen", case_id, data, actor)
        self.wake(case_id)

    def wake(self, case_id: int) -> None:
        """A case that waited for a choice goes on at once."""
        due = update(patient_case).where(patient_case.c.id == case_id)
        self._connection.execute(due.where(patient_case.c.state.in_(UNDECIDED)).values(due=0.0))

    def accept(self, one: Choice, actor: str, reason: str, to: tuple[str, ...] = ()) -> None:
        """Triage lets it go, `to` these archives where they are named."""
        self._say(one, Standing.CHOSEN, actor, reason, "study.accepted", accepted=True, to=list(to))

    def hold(self, one: Choice, actor: str, reason: str, days: int) -> None:
        until = (self._now() + timedelta(days=days)).timestamp()
        self._say(one, Standing.HELD, actor, reason, "study.held", held_until=until)

    def discard(self, one: Choice, actor: str, reason: str) -> None:
        self._say(one, Standing.DISCARDED, actor, reason, "study.discarded")

    def want(self, one: Choice, actor: str, reason: str) -> None:
        """What was left out is wanted after all."""
        self._say(one, _stands(one.judged, Standing.CHOSEN), actor, reason, "study.wanted")

    def _say(
        self, one: Choice, now: Standing, actor: str, reason: str, kind: str, **values: object
    ) -> None:
        self._set(one, now, actor, reason, **values)
        data: dict[str, object] = {"studies": self._uids([one.study]), "reason": reason}
        data |= {"was": one.standing.value, "to": values.get("to", [])}
        self._write(kind, one.case, data, actor)

    def _set(self, one: Choice, now: Standing, actor: str, reason: str, **values: object) -> None:
        at = self._now().isoformat(timespec="seconds")
        new = {"standing": now, "by": actor, "reason": reason, "at": at, "due": 0.0} | values
        self._connection.execute(update(table).where(table.c.study == one.study).values(new))

    def _uids(self, rows: Iterable[int]) -> list[str]:
        query = select(study.c.study_instance_uid).where(study.c.id.in_(tuple(rows)))
        return [str(uid) for uid in self._connection.scalars(query.order_by(study.c.id))]

    def _write(self, kind: str, case_id: int, data: dict[str, object], actor: str) -> None:
        query = select(patient_case.c.intake).where(patient_case.c.id == case_id)
        intake_id = int(self._connection.execute(query).scalar_one())
        self._journal.write(Event(kind, intake=intake_id, case=case_id, actor=actor, data=data))


def _stands(word: Judged, standing: Standing) -> Standing:
    """Deny: what a rule wants seen first does not go out because somebody ticked it."""
    seen_first = standing is Standing.CHOSEN and word.triage is not Triage.NOBODY
    return Standing.TRIAGE if seen_first else standing


def _choice(row: Row[Any]) -> Choice:
    return Choice(
        row.study,
        row.case_id,
        from_plain(Judged, row.judged),
        Standing(row.standing),
        row.by,
        row.reason,
        row.at,
        row.accepted,
        tuple(row.to),
        row.released,
        row.policy_hash,
    )
