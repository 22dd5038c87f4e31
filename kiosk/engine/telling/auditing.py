"""The journal's way to the audit record repository: the journal itself is the spool, a mark says
how far it has been sent, and the mark moves only when the repository has the messages."""

from __future__ import annotations

import logging
import os
from datetime import timedelta

from kiosk import audit
from kiosk.audit import Collector, CollectorAway, Source, Subject, Transfer
from kiosk.engine.parts import Site
from kiosk.model.content import Study
from kiosk.model.patient import Identifier
from kiosk.model.work import Case, Event
from kiosk.store import Transaction

log = logging.getLogger("kiosk.engine")

MARK = "audit"
AT_ONCE = 100


def started(site: Site) -> None:
    """The station's engine runs, and whether under another policy than the last time."""
    ours = {"station": site.station, "policy": site.policy.hash}
    with site.store.begin() as tx:
        before = tx.journal.newest("engine.started")
        tx.journal.write(Event("engine.started", data=dict(ours)))
        if before is not None and before.data.get("policy") != site.policy.hash:
            was = {"was": before.data.get("policy"), "code": "policy-changed"}
            tx.journal.write(Event("policy.changed", data=ours | was))


def stopped(site: Site) -> None:
    with site.store.begin() as tx:
        tx.journal.write(Event("engine.stopped", data={"station": site.station}))


class Auditor:
    """`tend()` sends the next messages; whether there were any."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._settings = site.policy.audit
        self._collector = Collector(self._settings)
        self._quiet_until = site.now()
        self._refusals = 0
        ours = site.policy.site
        self._source = Source(ours.station, ours.institution or ours.name)

    def tend(self) -> bool:
        if not self._settings.host or self._site.now() < self._quiet_until:
            return False
        with self._site.store.read() as tx:
            last = tx.mark(self._site.station, MARK)
            events = tx.journal.since(last, AT_ONCE)
            frames = [frame for event in events for frame in self._frames(tx, event)]
        if not events:
            return False
        try:
            if frames:
                self._collector.send(frames)
        except CollectorAway as e:
            self._back_off(e)
            return False
        self._refusals = 0
        with self._site.store.begin() as tx:
            tx.set_mark(self._site.station, MARK, events[-1].id)
        return True

    def close(self) -> None:
        self._collector.close()

    def _back_off(self, error: CollectorAway) -> None:
        retry = self._site.policy.retry
        seconds = min(retry.first_seconds * 2**self._refusals, retry.longest_seconds)
        self._refusals = min(self._refusals + 1, 30)
        self._quiet_until = self._site.now() + timedelta(seconds=seconds)
        log.warning("the audit repository does not take messages (%s); tried again", error)

    def _frames(self, tx: Transaction, event: Event) -> list[bytes]:
        if event.kind in audit.SILENT:
            return []
        process = os.getpid()
        told = audit.messages(_subject(self._site, tx, event))
        return [
            audit.frame(
                audit.to_xml(message, self._source),
                message.at,
                self._source.station,
                process,
                self._settings,
            )
            for message in told
        ]


def _subject(site: Site, tx: Transaction, event: Event) -> Subject:
    """What the rows know now of what the line is about."""
    ours = site.policy.site
    if event.intake is None:
        return Subject(event, ours.station, ours.ae_title)
    intake = tx.intakes.get(event.intake)
    cases = tx.cases.of_intake(intake.id) if event.case is None else (tx.cases.get(event.case),)
    return Subject(
        event,
        intake.station,
        ours.ae_title,
        intake.medium,
        intake.operator,
        tuple(_number(case) for case in cases),
        _studies(tx, event, cases),
        _transfer(site, tx, event),
        _hurt(tx, intake.id),
    )


def _hurt(tx: Transaction, intake: int) -> int:
    ledger = tx.intakes.ledger(intake)
    return ledger.damaged + ledger.unreadable if ledger else 0


def _number(case: Case) -> Identifier:
    """The local patient's once there is a decision, before it what the medium states."""
    local = case.resolution.local if case.resolution else None
    return (local or case.stated).identifier


def _studies(tx: Transaction, event: Event, cases: tuple[Case, ...]) -> tuple[Study, ...]:
    studies = tuple(study for case in cases for _, study in tx.cases.studies(case.id))
    if event.delivery is None:
        return studies
    uid = tx.deliveries.get(event.delivery).study_instance_uid
    return tuple(study for study in studies if study.study_instance_uid == uid)


def _transfer(site: Site, tx: Transaction, event: Event) -> Transfer | None:
    if event.delivery is None:
        return None
    name = tx.deliveries.get(event.delivery).destination
    for target in site.policy.destination:
        if target.name == name:
            return Transfer(name, target.host, target.ae_title)
    return Transfer(name, "", "")
