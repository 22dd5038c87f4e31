"""What a decision would write: the plan that the engine will make of it, from the same function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from kiosk import coercion
from kiosk.model.content import StatedPatient, Study
from kiosk.model.delivery import Change, CoercionRefused, ImportOrder, Plan
from kiosk.model.matching import Action, Resolution
from kiosk.model.patient import LocalPatient, PatientIdentity, PatientStatus
from kiosk.model.work import Case
from kiosk.policy import Policy
from kiosk.store import Transaction


@dataclass(frozen=True, slots=True)
class Writing:
    """A case's studies as they would be sent, and under which policy."""

    patient: StatedPatient
    policy: Policy
    at: str
    otherwise: str
    reason: str

    @classmethod
    def of(cls, tx: Transaction, case: Case, policy: Policy, now: datetime) -> Writing:
        rejected = tx.recalls.rejected_uids(case.id)
        patient = tx.cases.patient(case)
        if rejected and policy.recall.uids != "keep":
            patient = replace(patient, studies=coercion.renamed(patient.studies, rejected))
        otherwise = f"{tx.intakes.get(case.intake).ticket}-{case.id}"
        reason = "CORRECT" if rejected else "COERCE"
        return cls(patient, policy, now.isoformat(), otherwise, reason)

    def linked(self, local: LocalPatient) -> tuple[Change, ...]:
        """Every change in the headers if the scans become this local patient's."""
        order = coercion.import_order(local.visits, self.policy)
        written = coercion.for_writing(local.identity, self.policy)
        return self._changes(Action.LINK, written, order)

    def import_only(self) -> tuple[Change, ...]:
        """Every change if they are kept under a number made for them."""
        stated = self.patient.identity
        made = coercion.unregistered(stated, self.otherwise, self.policy)
        return self._changes(Action.IMPORT_ONLY, made)

    def _changes(
        self, action: Action, local: PatientIdentity, order: ImportOrder | None = None
    ) -> tuple[Change, ...]:
        decided = Resolution(action, "", self.at, local=local)
        try:
            return _added(self._plan(study, decided, order) for study in self.patient.studies)
        except CoercionRefused:
            return ()  # said when it is decided: the case comes back with the reason

    def _plan(
        self, study: Study, decided: Resolution, order: ImportOrder | None
    ) -> tuple[Change, ...]:
        made = coercion.plan(self.patient, study, decided, self.policy, self.at, order, self.reason)
        return made.changes


@dataclass(frozen=True, slots=True)
class Renewal:
    """What the unsent rest of a released case becomes under its patient's registration of now."""

    resolution: Resolution
    plans: tuple[tuple[int, Plan], ...]  # by the study's row


def renewed(tx: Transaction, case: Case, policy: Policy, now: datetime) -> Renewal | None:
    """None where the record is closed or on hold, or cannot be written: nothing goes out under
    it."""
    decided = case.resolution
    local = tx.roster.survivor(decided.local_key) if decided else None
    if decided is None or local is None or local.status is not PatientStatus.ACTIVE:
        return None
    written = coercion.for_writing(local.identity, policy)
    resolution = replace(decided, local=written, local_key=local.key)
    order = coercion.import_order(local.visits, policy)
    reason = "CORRECT" if tx.recalls.rejected_uids(case.id) else "COERCE"
    patient, at = tx.cases.patient(case), now.isoformat(timespec="microseconds")
    try:
        plans = tuple(
            (row, coercion.plan(patient, study, resolution, policy, at, order, reason))
            for row, study in tx.cases.studies(case.id)
        )
    except CoercionRefused:
        return None
    return Renewal(resolution, plans)


def _added(of_each: Iterable[tuple[Change, ...]]) -> tuple[Change, ...]:
    counts: Counter[Change] = Counter()
    for changes in of_each:
        for each in changes:
            counts[replace(each, instances=0)] += each.instances
    return tuple(
        replace(each, instances=count) for each, count in sorted(counts.items(), key=_order)
    )


def _order(row: tuple[Change, int]) -> tuple[str, str, int]:
    change, count = row
    return change.tag, change.was, -count
