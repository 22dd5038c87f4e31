"""The journal's way to those who must know. A mark for each receiver says how far it was told; it
moves when the receiver has taken the notice, or has said that it never will."""

from __future__ import annotations

import base64
import hashlib
import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

from kiosk import coercion, notify
from kiosk.engine.parts import Site
from kiosk.model.content import Study
from kiosk.model.delivery import Answer, Plan
from kiosk.model.patient import LocalPatient, PatientIdentity
from kiosk.model.plain import from_plain
from kiosk.model.work import Case, Delivery, DeliveryState, Event
from kiosk.notify import Alert, Away, Notice, Refused, Topic
from kiosk.policy import Receiver, facts_of
from kiosk.store import Transaction

log = logging.getLogger("kiosk.engine")

AT_ONCE = 50
ACCESSION_NUMBER = 0x00080050
PROVED = frozenset({DeliveryState.COMMITTED, DeliveryState.NOTIFIED})


class Notifier:
    """`tend()` tells one receiver of the next things; whether there were any."""

    def __init__(self, site: Site, receiver: Receiver) -> None:
        self._site = site
        self._receiver = receiver
        self._mark = f"notify:{receiver.name}"
        self._quiet_until = site.now()
        self._refusals = 0

    def begin(self) -> None:
        """A receiver that is new here is told of what happens from now on."""
        with self._site.store.begin() as tx:
            if not tx.mark(self._site.station, self._mark):
                tx.set_mark(self._site.station, self._mark, tx.journal.last_id())

    def tend(self) -> bool:
        if self._site.now() < self._quiet_until:
            return False
        with self._site.store.read() as tx:
            events = tx.journal.since(tx.mark(self._site.station, self._mark), AT_ONCE)
        for event in events:
            if not self._pass_on(event):
                return False
        return bool(events)

    def _pass_on(self, event: Event) -> bool:
        """Whether the next line may be looked at."""
        with self._site.store.read() as tx:
            notices = self._notices(tx, event)
        told: list[Event] = []
        for notice in notices:
            said: dict[str, object] = {"receiver": self._receiver.name, "topic": str(notice.topic)}
            if isinstance(notice, Notice):
                said["study"] = notice.study_instance_uid
            line = Event("notice.sent", event.intake, event.case, event.delivery, data=said)
            try:
                notify.tell(self._receiver, notice)
            except Away as e:
                self._back_off(e)
                return False
            except Refused as e:
                log.warning("%s refused a notice for ever: %s", self._receiver.name, e)
                line = replace(line, kind="notice.refused", data=said | {"problem": str(e)})
            told.append(line)
        self._refusals = 0
        with self._site.store.begin() as tx:
            for line in told:
                tx.journal.write(line)
            tx.set_mark(self._site.station, self._mark, event.id)
        return True

    def _back_off(self, error: Away) -> None:
        retry = self._site.policy.retry
        seconds = min(retry.first_seconds * 2**self._refusals, retry.longest_seconds)
        self._refusals = min(self._refusals + 1, 30)
        self._quiet_until = self._site.now() + timedelta(seconds=seconds)
        log.warning("%s is not told (%s); tried again", self._receiver.name, error)

    def _notices(self, tx: Transaction, event: Event) -> tuple[Notice | Alert, ...]:
        if event.kind == "access.emergency":
            return (self._alert(event),) if "emergency" in self._receiver.of else ()
        found = notices(self._site, tx, event)
        wanted = [
            told
            for told in found
            if told[0].topic.value in self._receiver.of and self._follows(tx, event, told[0])
        ]
        return tuple(notice for notice, study, local in wanted if self._concerns(study, local))

    def _alert(self, event: Event) -> Alert:
        ours, where = self._site.policy.site, str(event.data.get("station", ""))
        return Alert(f"K{event.id}", event.at, ours.institution or ours.name, where)

    def _follows(self, tx: Transaction, event: Event, notice: Notice) -> bool:
        """Only who was told of a study has to be told that it was recalled, if they hear of others
        at all."""
        heard = {Topic.AVAILABLE.value, Topic.HELD.value}
        if notice.topic is not Topic.RECALLED or not heard & set(self._receiver.of):
            return True
        topics = [
            line.data["topic"]
            for line in tx.journal.of(case=event.case)
            if line.kind == "notice.sent"
            and line.data.get("receiver") == self._receiver.name
            and line.data.get("study") == notice.study_instance_uid
        ]
        return bool(topics) and topics[-1] in heard

    def _concerns(self, study: Study, local: LocalPatient | None) -> bool:
        today = self._site.now().date()
        site = self._site.policy.site
        return any(
            self._receiver.when.holds(facts_of(study, series, local, site, today))
            for series in study.series
        )


Told = tuple[Notice, Study, LocalPatient | None]


@dataclass(frozen=True, slots=True)
class _Filed:
    """Under whom and under which order a study went out, and where it is."""

    patient: PatientIdentity
    local: LocalPatient | None
    accession_number: str
    deliveries: tuple[Delivery, ...] = ()


def notices(site: Site, tx: Transaction, event: Event) -> tuple[Told, ...]:
    """What one journal line means to somebody outside: mostly nothing."""
    if event.case is None or event.intake is None:
        return ()
    if event.kind == "case.recalled":
        return _recalled(site, tx, event, tx.cases.get(event.case))
    if event.delivery is None or event.kind not in ("delivery.committed", "delivery.held"):
        return ()
    case, delivery = tx.cases.get(event.case), tx.deliveries.get(event.delivery)
    if delivery.state is DeliveryState.ABORTED:
        return ()  # taken back meanwhile, and its study has other UIDs by now
    study = next(s for _, s in tx.cases.studies(case.id) if _same(s, delivery))
    filed = _filed(tx, case, study)
    if event.kind == "delivery.held":
        return (_notice(site, tx, event, study, Topic.HELD, filed),)
    siblings = filed.deliveries
    last = all(d.state in PROVED for d in siblings) and not any(
        later.kind == "delivery.committed" and later.delivery in {d.id for d in siblings}
        for later in tx.journal.of(case=case.id)
        if later.id > event.id
    )
    return (_notice(site, tx, event, study, Topic.AVAILABLE, filed),) if last else ()


def _recalled(site: Site, tx: Transaction, event: Event, case: Case) -> tuple[Told, ...]:
    """Each study under the UID and as the patient that went out, which the line says: by now the
    case may wait, or be another patient's, under another order."""
    key = str(event.data["local_key"])
    local = tx.roster.get(key) if key else None
    if local is not None:
        patient = coercion.for_writing(local.identity, site.policy)
    else:
        otherwise = f"{tx.intakes.get(case.intake).ticket}-{case.id}"
        patient = coercion.unregistered(case.stated, otherwise, site.policy)
    history = tx.journal.of(case=case.id)
    anew = any(later.kind == "case.released" and later.id > event.id for later in history)
    told = []
    for uid, row in tx.recalls.sent_as(case.id).items():
        if uid in cast(list[str], event.data["studies"]):
            study = replace(tx.cases.study(row), study_instance_uid=uid)
            filed = _Filed(patient, local, "" if anew else _accession(tx, row))
            told.append(_notice(site, tx, event, study, Topic.RECALLED, filed))
    return tuple(told)


def _filed(tx: Transaction, case: Case, study: Study) -> _Filed:
    resolution = case.resolution
    local = tx.roster.get(resolution.local_key) if resolution and resolution.local_key else None
    patient = (resolution.local if resolution else None) or case.stated
    deliveries = tuple(d for d in tx.deliveries.of_case(case.id) if _same(study, d))
    row = tx.deliveries.study_of(deliveries[0].id)
    return _Filed(patient, local, _accession(tx, row), deliveries)


def _same(study: Study, delivery: Delivery) -> bool:
    return study.study_instance_uid == delivery.study_instance_uid


def _accession(tx: Transaction, row: int) -> str:
    """Ours, of the order that it was filed under: the disc's own may be another study's here."""
    plain = tx.cases.plan(row)
    attributes = from_plain(Plan, plain).attributes if plain else ()
    return next((a.value for a in attributes if a.tag == ACCESSION_NUMBER), "")


def _id(site: Site, event: Event, study: Study) -> str:
    """The same whenever it is said again, another for each station; at most 20 characters (MSH-10,
    HL7 v2.5.1)."""
    said = f"{site.station} {event.id} {study.study_instance_uid}"
    return "K" + base64.b32encode(hashlib.sha256(said.encode()).digest()).decode()[:19]


def _notice(
    site: Site, tx: Transaction, event: Event, study: Study, topic: Topic, filed: _Filed
) -> Told:
    assert event.intake is not None
    arrived = [tx.deliveries.counts(d.id).get(Answer.VERIFIED, 0) for d in filed.deliveries]
    problem = event.data.get("problem") or event.data.get("code") or ""
    notice = Notice(
        _id(site, event, study),
        topic,
        event.at,
        tx.intakes.get(event.intake).ticket,
        filed.patient,
        study.study_instance_uid,
        study.date,
        study.description,
        filed.accession_number,
        tuple(sorted({series.modality for series in study.series if series.modality})),
        len(study.series),
        min(arrived, default=0),
        len(study.instances),
        study.institution,
        tuple(d.destination for d in filed.deliveries if d.state in PROVED),
        str(problem),
        site.policy.site.institution or site.policy.site.name,
        site.station,
    )
    return notice, study, filed.local
