"""Steps of a Delivery: send what is not there yet, then prove that it arrived."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from kiosk import coercion, delivery
from kiosk.engine.parts import Settlement, Site
from kiosk.model.content import Instance
from kiosk.model.delivery import (
    Answer,
    Attempt,
    CommitmentReport,
    InstanceResult,
    Outbound,
    Plan,
    Verification,
)
from kiosk.model.patient import PatientIdentity
from kiosk.model.plain import from_plain
from kiosk.model.work import Delivery, DeliveryState
from kiosk.policy.sections import Destination
from kiosk.store import DestinationState, Lease, Transaction

TO_SEND = (Answer.PENDING, Answer.RETRY)
SENT = (Answer.ACCEPTED, Answer.VERIFIED)
IDENTITY = {0x00100010: "PatientName", 0x00100020: "PatientID", 0x00100030: "PatientBirthDate"}
BATCH = 50  # results a transaction: a crash repeats at most so many C-STOREs, which is harmless
NOTHING_TAKEN = "The archive took none of these images. The list says why for each."
ANOTHER_VERSION = "The archive has another version of this study, under other data: {what}."
NOT_THERE = "{n} images were accepted but are not in the archive."


def send(site: Site, work: Delivery, stopping: Callable[[], bool]) -> Settlement:
    """QUEUED -> SENT once every instance has the peer's answer; the rest waits and is tried again.

    What was accepted is recorded while the sending goes on, so that a crash repeats little.
    """
    target = _destination(site, work)
    with site.store.read() as tx:
        results = tx.deliveries.results(work.id, *TO_SEND)
        study = tx.deliveries.study_of(work.id)
        plan = from_plain(Plan, tx.cases.plan(study))
        ticket = tx.intakes.get(tx.cases.get(work.case).intake).ticket
    if not results:
        return _sent(site, work, None)
    with site.store.begin() as tx:
        tx.deliveries.begin_attempt(work.id)
    items = [_outbound(site, ticket, instance, plan) for instance, _ in results]
    record = _Recorder(site, work.id)
    attempt = delivery.send(target, _calling(site, target), items, record, stopping)
    record.flush()
    return _sent(site, work, attempt)


def _outbound(site: Site, ticket: str, instance: Instance, plan: Plan) -> Outbound:
    source = site.vault.file(ticket, instance.file)
    syntax = coercion.sent_as(instance.transfer_syntax_uid)
    return Outbound(
        instance.sop_instance_uid,
        instance.sop_class_uid,
        syntax,
        partial(coercion.apply, source, instance, plan),
    )


@dataclass
class _Recorder:
    """Writes the peer's answers down in small batches while the association goes on."""

    site: Site
    delivery: int
    waiting: list[InstanceResult] = field(default_factory=list)

    def __call__(self, result: InstanceResult) -> None:
        self.waiting.append(result)
        if len(self.waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            with self.site.store.begin() as tx:
                tx.deliveries.record(self.delivery, self.waiting)
            self.waiting.clear()


def _sent(site: Site, work: Delivery, attempt: Attempt | None) -> Settlement:
    def settle(tx: Transaction, held: Lease) -> None:
        _give_up_on_the_unwilling(site, tx, work.id, attempt)
        counts = tx.deliveries.counts(work.id)
        left = sum(counts.get(answer, 0) for answer in TO_SEND)
        taken = sum(counts.get(answer, 0) for answer in SENT)
        if left:
            problem = attempt.problem if attempt else ""
            _destination_failed(site, tx, work, attempt)
            tx.deliveries.wait(held, _later(site, held.tries, attempt), problem)
            return
        _destination_works(site, tx, work)
        data: dict[str, object] = {answer.value: count for answer, count in counts.items()}
        if taken:
            tx.deliveries.move(held, DeliveryState.SENT, data=data)
        else:
            tx.deliveries.move(held, DeliveryState.HELD, problem=NOTHING_TAKEN, data=data)

    return settle


def _give_up_on_the_unwilling(
    site: Site, tx: Transaction, id: int, attempt: Attempt | None
) -> None:
    """An instance that is refused "for now" while others pass is itself the reason: after three
    tries a person must look (some archives say "out of resources" for a missing attribute)."""
    counts = tx.deliveries.counts(id)
    if attempt is None or not any(counts.get(answer) for answer in SENT):
        return
    limit = site.policy.retry.tries_for_one_instance
    tries = tx.deliveries.tries(id)
    paused = attempt.pause

    def blamed(result: InstanceResult) -> bool:
        """A status is about the instance; so is silence when the archive is well otherwise."""
        return result.code >= 0 or not paused

    refused = [
        replace(r, answer=Answer.REFUSED)
        for r in attempt.results
        if r.answer is Answer.RETRY and blamed(r) and tries[r.sop_instance_uid] >= limit
    ]
    tx.deliveries.record(id, refused)


def _later(site: Site, tries: int, attempt: Attempt | None) -> datetime:
    """Doubled from try to try, with jitter so that a hundred kiosks do not come back as one."""
    retry = site.policy.retry
    seconds = min(retry.longest_seconds, retry.first_seconds * 2 ** min(tries - 1, 16))
    seconds *= 0.75 + random.random() / 2
    asked = attempt.wait_seconds if attempt else 0.0
    return site.now() + timedelta(seconds=max(seconds, asked))


def _destination_failed(
    site: Site, tx: Transaction, work: Delivery, attempt: Attempt | None
) -> None:
    if attempt is None or not attempt.pause:
        return
    known = tx.deliveries.destination(site.station, work.destination)
    state = DestinationState(
        work.destination,
        paused=known.paused,
        failing_since=known.failing_since or site.now().isoformat(timespec="seconds"),
        failures=known.failures + 1,
        problem=attempt.problem,
        due=_later(site, known.failures + 1, attempt).timestamp(),
    )
    tx.deliveries.set_destination(site.station, state)


def _destination_works(site: Site, tx: Transaction, work: Delivery) -> None:
    known = tx.deliveries.destination(site.station, work.destination)
    if known.failures:
        state = DestinationState(work.destination, paused=known.paused)
        tx.deliveries.set_destination(site.station, state)


# -- proof ------------------------------------------------------------------------------------


def prove(site: Site, work: Delivery) -> Settlement:
    """SENT -> COMMITTED when the archive was shown to have it, to the destination's level.

    Commitment says that the UIDs exist, the query that they are there *under our patient*: some
    archives commit to an old version (RELIABILITY 2, fact 10), so the query always has the word.
    """
    target = _destination(site, work)
    with site.store.read() as tx:
        sent = [instance for instance, _ in tx.deliveries.results(work.id, *SENT)]
        plan = from_plain(Plan, tx.cases.plan(tx.deliveries.study_of(work.id)))
        stated = tx.cases.get(work.case).stated
    if target.verify_level == 0:
        return _proved(sent, 0)
    report = _commit(site, target, work, sent)
    if report and report.failed:
        return _send_again(site, {uid for uid, _ in report.failed})
    committed = report is not None and {i.sop_instance_uid for i in sent} <= report.committed
    if target.verify_level == 1 and committed:
        return _proved(sent, 1)
    found = delivery.verify(
        target, _calling(site, target), work.study_instance_uid, _identity_of(plan, stated)
    )
    return _verified(site, sent, found, committed)


def _commit(
    site: Site, target: Destination, work: Delivery, sent: list[Instance]
) -> CommitmentReport | None:
    """The archive's commitment, where it is asked for. An archive that has let us wait in vain is
    not waited for again until the next start: the query proves more, and people wait for it."""
    if not target.commitment or target.name in site.silent:
        return None
    transaction_uid = f"2.25.{uuid.uuid4().int}"
    with site.store.begin() as tx:
        tx.deliveries.set_transaction(work.id, transaction_uid)
    references = [(i.sop_class_uid, i.sop_instance_uid) for i in sent]
    report = delivery.commit(target, _calling(site, target), references, transaction_uid)
    if report is None:
        site.silent.add(target.name)
    return report


def _identity_of(plan: Plan, stated: PatientIdentity) -> dict[str, str]:
    """What the archive must say of the study's patient: as written, else as it came."""
    came = {
        "PatientID": stated.identifier.value,
        "PatientName": stated.name.to_dicom(),
        "PatientBirthDate": stated.birth_date,
    }
    written = {IDENTITY[a.tag]: a.value for a in plan.attributes if a.tag in IDENTITY}
    return {keyword: value for keyword, value in (came | written).items() if value}


def _verified(site: Site, sent: list[Instance], found: Verification, committed: bool) -> Settlement:
    if found.problem:
        problem = found.problem
        return lambda tx, held: tx.deliveries.wait(held, _later(site, held.tries, None), problem)
    missing = {i.sop_instance_uid for i in sent} - found.present
    if missing:
        return _send_again(site, missing)
    if found.differences:
        what = ", ".join(sorted({keyword for keyword, _, _ in found.differences}))
        problem = ANOTHER_VERSION.format(what=what)
        return lambda tx, held: tx.deliveries.move(held, DeliveryState.HELD, problem=problem)
    return _proved(sent, 2, committed)


def _proved(sent: list[Instance], level: int, committed: bool = False) -> Settlement:
    def settle(tx: Transaction, held: Lease) -> None:
        if level:
            uids = [instance.sop_instance_uid for instance in sent]
            tx.deliveries.set_answers(held.id, uids, Answer.VERIFIED)
        data: dict[str, object] = {"level": level, "commitment": committed}
        tx.deliveries.move(held, DeliveryState.COMMITTED, data=data, verify_level=level)
        tx.end_case(tx.deliveries.get(held.id).case)

    return settle


def _send_again(site: Site, missing: set[str]) -> Settlement:
    """An archive may need a moment to index: asked again first, sent again after that, and after
    some rounds of accepting and not having, held for a person."""

    def settle(tx: Transaction, held: Lease) -> None:
        problem = NOT_THERE.format(n=len(missing))
        if held.tries < 4:
            tx.deliveries.wait(held, _later(site, held.tries, None), problem)
            return
        tries = tx.deliveries.tries(held.id)
        limit = site.policy.retry.tries_for_one_instance
        if max(tries[uid] for uid in missing) >= limit:
            tx.deliveries.set_answers(held.id, missing, Answer.REFUSED)
            tx.deliveries.move(held, DeliveryState.HELD, problem=problem)
            return
        tx.deliveries.set_answers(held.id, missing, Answer.RETRY)
        tx.deliveries.move(held, DeliveryState.QUEUED, problem=problem)

    return settle


def _destination(site: Site, work: Delivery) -> Destination:
    found = site.policy.destination_named(work.destination)
    if found is None:
        raise LookupError(f"destination {work.destination} is not in the configuration any more")
    return found


def _calling(site: Site, target: Destination) -> str:
    return target.calling_ae_title or site.policy.site.ae_title
