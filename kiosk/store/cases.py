"""Cases: one patient on one medium, the studies under it, what was proposed and decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from kiosk.model.content import Instance, InstanceStatus, Series, StatedPatient, Study
from kiosk.model.matching import Action, Judgement, Proposal, Remembered, Resolution
from kiosk.model.patient import Identifier, PatientIdentity
from kiosk.model.plain import from_plain, to_plain
from kiosk.model.work import Case, CaseState, Event, IllegalMove, advance
from kiosk.store import lease
from kiosk.store.evidence import remember
from kiosk.store.journal import Journal
from kiosk.store.lease import Lease
from kiosk.store.tables import instance, intake, patient_case, series, study

OWNED_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Outline:
    """A study without its instances: its row id, its series (the largest first) and how many
    instances each has, and how many instances are in which status."""

    id: int
    study: Study
    counts: dict[InstanceStatus, int]
    sizes: tuple[int, ...] = ()


class Cases:
    def __init__(
        self, connection: Connection, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now

    def open(self, intake_id: int, patient: StatedPatient) -> int:
        """A new case with its studies, series and instances; the id of it."""
        case_id = self._insert(
            patient_case,
            {
                "intake": intake_id,
                "state": CaseState.OPEN,
                "stated": to_plain(patient.identity),
                "variants": to_plain(patient.variants),
                "reasons": [],
                "created_at": self._now().isoformat(timespec="seconds"),
            },
        )
        for each in patient.studies:
            self._add_study(case_id, each)
        data: dict[str, object] = {"studies": len(patient.studies)}
        data["instances"] = len(patient.instances)
        self._journal.write(Event("case.opened", intake=intake_id, case=case_id, data=data))
        return case_id

    def _add_study(self, case_id: int, value: Study) -> None:
        attributes = {"case_id": case_id, "study_instance_uid": value.study_instance_uid}
        study_id = self._insert(study, attributes | {"attributes": _without(value, "series")})
        for each in value.series:
            row = {"study": study_id, "series_instance_uid": each.series_instance_uid}
            series_id = self._insert(series, row | {"attributes": _without(each, "instances")})
            rows = [{"series": series_id, **to_plain(i)} for i in each.instances]
            if rows:
                self._connection.execute(instance.insert(), rows)

    def get(self, id: int) -> Case:
        """Raises KeyError when there is no such case."""
        row = self._connection.execute(_cases().where(patient_case.c.id == id)).first()
        if row is None:
            raise KeyError(id)
        return self._case(row)

    def of_intake(self, intake_id: int) -> tuple[Case, ...]:
        query = _cases().where(patient_case.c.intake == intake_id).order_by(patient_case.c.id)
        return tuple(self._case(row) for row in self._connection.execute(query))

    def in_state(self, *states: CaseState, limit: int = 500) -> tuple[Case, ...]:
        """Oldest first; AWAITING is the worklist."""
        query = _cases().where(patient_case.c.state.in_(states)).order_by(patient_case.c.id)
        return tuple(self._case(row) for row in self._connection.execute(query.limit(limit)))

    def since(self, at: str) -> Iterator[Case]:
        """Every case that was opened at `at` (ISO 8601 UTC) or later, oldest first, a row at a
        time."""
        ids = select(patient_case.c.id).where(patient_case.c.created_at >= at)
        for id in self._connection.execute(ids.order_by(patient_case.c.id)).scalars().all():
            yield self.get(int(id))

    def resting_on(self, local_keys: Iterable[str]) -> tuple[Case, ...]:
        """Cases that were linked to one of these roster records."""
        query = _cases().where(patient_case.c.local_key.in_(tuple(local_keys)))
        return tuple(self._case(row) for row in self._connection.execute(query))

    def judged(self, limit: int = 1000) -> tuple[tuple[Proposal, Resolution], ...]:
        """What the matcher proposed and what a person decided: the newest cases."""
        query = _cases().where(patient_case.c.state.in_(_DECIDED))
        newest = query.order_by(patient_case.c.id.desc()).limit(limit)
        cases = (self._case(row) for row in self._connection.execute(newest))
        return tuple(
            (case.proposal, case.resolution)
            for case in cases
            if case.proposal and case.resolution and case.resolution.by != "matcher"
        )

    def open_of(self, stated: PatientIdentity) -> tuple[Case, ...]:
        """Cases with this foreign identity that wait, or are resolved and not yet released."""
        table, open_ = patient_case.c, (CaseState.AWAITING, CaseState.RESOLVED)
        rows = self._connection.execute(
            select(table.id, table.stated).where(table.state.in_(open_))
        ).all()
        same = (
            r.id for r in rows if stated.foreign & from_plain(PatientIdentity, r.stated).foreign
        )
        return tuple(map(self.get, same))

    # -- what is under it ------------------------------------------------------------------

    def studies(self, case_id: int) -> tuple[tuple[int, Study], ...]:
        """The case's studies with their row ids, series and instances as cataloged."""
        query = select(study).where(study.c.case_id == case_id).order_by(study.c.id)
        return tuple((row.id, self._study(row)) for row in self._connection.execute(query))

    def outlines(self, case_id: int) -> tuple[Outline, ...]:
        """The case's studies as a screen shows them, without reading a row for each instance."""
        rows = self._connection.execute(
            select(study).where(study.c.case_id == case_id).order_by(study.c.id)
        ).all()
        return tuple(self._outline(row) for row in rows)

    def outline(self, study_id: int) -> Outline:
        row = self._connection.execute(select(study).where(study.c.id == study_id)).one()
        return self._outline(row)

    def _outline(self, row: Row[Any]) -> Outline:
        query = (
            select(series.c.id, instance.c.status, func.count().label("count"))
            .join(instance, instance.c.series == series.c.id)
            .where(series.c.study == row.id)
            .group_by(series.c.id, instance.c.status)
        )
        counts: Counter[InstanceStatus] = Counter()
        held: Counter[int] = Counter()
        for line in self._connection.execute(query):
            counts[InstanceStatus(line[1])] += int(line[2])
            held[int(line[0])] += int(line[2])
        stated = from_plain(Study, {**row.attributes, "series": []})
        lines = self._connection.execute(
            select(series.c.id, series.c.attributes).where(series.c.study == row.id)
        )
        found = {
            line.id: from_plain(Series, {**line.attributes, "instances": []}) for line in lines
        }
        largest = tuple(found[id] for id, _ in held.most_common())
        sizes = tuple(count for _, count in held.most_common())
        return Outline(row.id, replace(stated, series=largest), dict(counts), sizes)

    def study(self, id: int) -> Study:
        return self._study(self._connection.execute(select(study).where(study.c.id == id)).one())

    def _study(self, row: Row[Any]) -> Study:
        lines = self._connection.execute(
            select(series).where(series.c.study == row.id).order_by(series.c.id)
        ).all()
        found = tuple(self._series(line) for line in lines)
        return from_plain(Study, {**row.attributes, "series": to_plain(found)})

    def _series(self, row: Row[Any]) -> Series:
        lines = self._connection.execute(
            select(instance).where(instance.c.series == row.id).order_by(instance.c.id)
        )
        found = [to_plain(instance_of(line)) for line in lines]
        return from_plain(Series, {**row.attributes, "instances": found})

    def patient(self, case: Case) -> StatedPatient:
        """The case's patient as the catalog stated it, studies included."""
        found = tuple(each for _, each in self.studies(case.id))
        return StatedPatient(case.stated, found, case.variants)

    def set_plan(self, study_id: int, plan: dict[str, Any]) -> None:
        """What will be written into this study's headers, byte for byte (coercion.Plan)."""
        self._connection.execute(update(study).where(study.c.id == study_id).values(plan=plan))

    def plan(self, study_id: int) -> dict[str, Any] | None:
        query = select(study.c.plan).where(study.c.id == study_id)
        value: dict[str, Any] | None = self._connection.execute(query).scalar()
        return value

    # -- what the engine does --------------------------------------------------------------

    def claim(self, state: CaseState, station: str, seconds: float) -> tuple[Case, Lease] | None:
        here = patient_case.c.intake.in_(select(intake.c.id).where(intake.c.station == station))
        where = (patient_case.c.state == state, here)
        found = lease.claim(self._connection, patient_case, self._now(), station, seconds, *where)
        return (self.get(found[0].id), found[1]) if found else None

    def extend(self, held: Lease, seconds: float) -> None:
        lease.extend(self._connection, patient_case, held, self._now(), seconds)

    def free(self, station: str) -> None:
        """At the engine's start: what a dead engine of this station held may be claimed again."""
        where = (patient_case.c.lease_owner == station) & (patient_case.c.lease_token != "")
        self._connection.execute(update(patient_case).where(where).values(lease_until=0.0))

    def matched(
        self,
        held: Lease,
        proposal: Proposal,
        resolution: Resolution | None,
        reasons: tuple[str, ...],
    ) -> None:
        """OPEN -> RESOLVED with a resolution, or AWAITING with the reasons why a person must
        decide."""
        to = CaseState.RESOLVED if resolution else CaseState.AWAITING
        values = {"proposal": to_plain(proposal), "reasons": list(reasons)}
        self._settle(held, to, values | _resolved(resolution))
        data: dict[str, object] = {"recommendation": proposal.recommendation.value}
        data["candidates"] = len(proposal.candidates)
        data["reasons"] = list(reasons)
        self._write("case.resolved" if resolution else "case.awaits", held.id, data)

    def released(self, held: Lease, deliveries: int, resolution: Resolution) -> None:
        """RESOLVED -> RELEASED, with the local patient as the roster knew it at that moment."""
        self._settle(held, CaseState.RELEASED, _resolved(resolution))
        self._write("case.released", held.id, {"deliveries": deliveries})

    def renewed(self, id: int, resolution: Resolution) -> None:
        """The local patient of a released case as a person saw it now."""
        change = update(patient_case).where(patient_case.c.id == id)
        self._connection.execute(change.values(_resolved(resolution)))

    def reopen(self, held: Lease, reasons: tuple[str, ...]) -> None:
        """RESOLVED -> AWAITING: what the resolution rested on has changed meanwhile."""
        values = {"reasons": list(reasons)} | _resolved(None)
        self._settle(held, CaseState.AWAITING, values)
        self._write("case.awaits", held.id, {"reasons": list(reasons)})

    def fail(self, held: Lease, code: str) -> None:
        self._settle(held, CaseState.FAILED, {"reasons": [code]})
        self._write("case.failed", held.id, {"code": code})

    def unclaim(self, held: Lease, until: datetime) -> None:
        lease.settle(self._connection, patient_case, held, {}, due=until)

    def done(self, id: int) -> None:
        """RELEASED -> DONE: every delivery of it has ended well."""
        self._move(id, CaseState.DONE, {})
        self._write("case.done", id, {})

    def _settle(self, held: Lease, to: CaseState, values: dict[str, Any]) -> None:
        lease.confirm(self._connection, patient_case, held)
        state = advance(self.get(held.id).state, to)
        lease.settle(self._connection, patient_case, held, {"state": state, **values})

    # -- what people do --------------------------------------------------------------------

    def resolve(
        self, id: int, resolution: Resolution, seen: tuple[Remembered, ...] | None = None
    ) -> None:
        """AWAITING -> RESOLVED, or REJECTED when the scans are not ours; remembered for the same
        foreign identity. `seen` are the earlier judgements that were before the person's eyes.
        Raises IllegalMove when the case is not waiting any more."""
        refused = resolution.action is Action.NOT_OURS
        values = _resolved(resolution)
        case = self.get(id)
        if seen is not None and case.proposal is not None:
            values["proposal"] = to_plain(replace(case.proposal, remembered=seen))
        self._move(id, CaseState.REJECTED if refused else CaseState.RESOLVED, values)
        if judgement := _JUDGED.get(resolution.action):
            key, by = resolution.local_key, resolution.by
            remember(self._connection, case, judgement, key, by, resolution.at, resolution.reason)
        data: dict[str, object] = {"action": resolution.action.value, "reason": resolution.reason}
        data |= {"policy": resolution.policy_hash, "local_key": resolution.local_key}
        self._write("case.decided", id, data, actor=resolution.by)

    def withdraw(self, id: int, ticket: str) -> None:
        """The same medium was read again under this ticket, and the question is asked there."""
        self._move(id, CaseState.REJECTED, {})
        self._write("case.withdrawn", id, {"ticket": ticket})

    def back_to_matching(self, id: int, actor: str, reason: str) -> None:
        """The case is matched again, because what is known of its candidates has changed."""
        self._move(id, CaseState.OPEN, _resolved(None))
        self._write("case.reopened", id, {"reason": reason}, actor=actor)

    def flag(self, id: int, reason: str) -> None:
        """Something happened after the decision that a person must look at (late merge)."""
        reasons = [*self.get(id).reasons, reason]
        change = update(patient_case).where(patient_case.c.id == id)
        self._connection.execute(change.values(reasons=reasons, flagged=True))
        self._write("case.flagged", id, {"reason": reason})

    def assign(self, id: int, owner: str) -> bool:
        """Takes the case for 15 minutes; False when another has it."""
        now = self._now()
        free = (patient_case.c.owner_until <= now.timestamp()) | (patient_case.c.owner == owner)
        change = update(patient_case).where((patient_case.c.id == id) & free)
        until = (now + OWNED_FOR).timestamp()
        taken = (
            self._connection.execute(change.values(owner=owner, owner_until=until)).rowcount == 1
        )
        if taken:
            self._write("case.assigned", id, {}, actor=owner)
        return taken

    def give_up(self, id: int, owner: str) -> None:
        """The case is free for others, if it was this owner's."""
        mine = (patient_case.c.id == id) & (patient_case.c.owner == owner)
        change = update(patient_case).where(mine).values(owner="", owner_until=0.0)
        if self._connection.execute(change).rowcount == 1:
            self._write("case.given-up", id, {}, actor=owner)

    def _move(self, id: int, to: CaseState, values: dict[str, Any]) -> None:
        current = self.get(id).state
        change = (
            update(patient_case)
            .where((patient_case.c.id == id) & (patient_case.c.state == current))
            .values(state=advance(current, to), due=0.0, lease_token="", lease_until=0.0, **values)
        )
        if self._connection.execute(change).rowcount != 1:
            raise IllegalMove(f"Case {id} was changed by somebody else")

    def _case(self, row: Row[Any]) -> Case:
        owned = row.owner_until > self._now().timestamp()
        return Case(
            id=row.id,
            intake=row.intake,
            state=CaseState(row.state),
            stated=from_plain(PatientIdentity, row.stated),
            variants=tuple(from_plain(PatientIdentity, v) for v in row.variants),
            picked=from_plain(Identifier, row.picked) if row.picked else None,
            proposal=from_plain(Proposal, row.proposal) if row.proposal else None,
            resolution=from_plain(Resolution, row.resolution) if row.resolution else None,
            reasons=tuple(row.reasons),
            owner=row.owner if owned else "",
            created_at=row.created_at,
        )

    def _insert(self, table: Any, values: dict[str, Any]) -> int:
        key = self._connection.execute(table.insert().values(values)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def _write(self, kind: str, id: int, data: dict[str, object], actor: str = "engine") -> None:
        intake_id = self.get(id).intake
        self._journal.write(Event(kind, intake=intake_id, case=id, actor=actor, data=data))


def _resolved(resolution: Resolution | None) -> dict[str, Any]:
    return {
        "resolution": to_plain(resolution),
        "local_key": resolution.local_key if resolution else "",
    }


_DECIDED = (CaseState.RESOLVED, CaseState.RELEASED, CaseState.DONE, CaseState.REJECTED)
_JUDGED = {Action.LINK: Judgement.SAME, Action.IMPORT_ONLY: Judgement.NOBODY}


def _without(value: Any, name: str) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(value)
    del plain[name]
    return plain


def _cases() -> Any:
    return select(patient_case, intake.c.picked).join(intake, intake.c.id == patient_case.c.intake)


def instance_of(row: Row[Any]) -> Instance:
    """An instance row as the catalog stated it."""
    return Instance(
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        file=row.file,
        path=row.path,
        bytes=row.bytes,
        sha256=row.sha256,
        status=InstanceStatus(row.status),
        dataset_offset=row.dataset_offset,
        pixel_offset=row.pixel_offset,
        number=row.number,
        rows=row.rows,
        columns=row.columns,
        frames=row.frames,
        pixels=row.pixels,
    )
