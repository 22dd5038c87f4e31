"""QUEUED -> SENT: what is not there yet is sent, each image with its own answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from kiosk import coercion, delivery
from kiosk.engine.delivering import backing_off
from kiosk.engine.delivering.asking import calling
from kiosk.engine.delivering.backing_off import busy_until, destination_of, later
from kiosk.engine.parts import Settlement, Site
from kiosk.engine.revisiting import look_again
from kiosk.model.content import Finding, Instance, Severity
from kiosk.model.delivery import Answer, Attempt, InstanceResult, Outbound, Plan
from kiosk.model.medium import made_here
from kiosk.model.plain import from_plain
from kiosk.model.work import Delivery, DeliveryState
from kiosk.sandbox.decoding import Decoder, decodes
from kiosk.store import DatabaseBusy, Lease, Transaction

TO_SEND = (Answer.PENDING, Answer.RETRY)
SENT = (Answer.ACCEPTED, Answer.VERIFIED)
NOT_PROCESSED = 0x0110  # Processing failure (PS3.7 C.5.11)
BATCH = 50  # results a transaction: a crash repeats at most so many C-STOREs, which is harmless
LOOK_SECONDS = 0.2
ROTTEN = (
    "Its copy in the vault is not what was read any more, so it was not sent. "
    "Read the medium again, and have the disk of this kiosk looked at."
)
LINE_IS_BUSY = "Nothing is sent to this archive before {at}: until then the line is for others."
NOTHING_TAKEN = "The archive took none of these images. The list says why for each."


def send(site: Site, work: Delivery, stopping: Callable[[], bool]) -> Settlement:
    """QUEUED -> SENT once every instance has the peer's answer; the rest waits and is tried again.

    What was accepted is recorded while the sending goes on, so that a crash repeats little.
    """
    target = destination_of(site, work)
    with site.store.read() as tx:
        results = tx.deliveries.results(work.id, *TO_SEND)
        study = tx.deliveries.study_of(work.id)
        plan = from_plain(Plan, tx.cases.plan(study))
        ticket = tx.intakes.get(tx.cases.get(work.case).intake).ticket
    if not results:
        return _sent(site, work, None)
    if (until := busy_until(site, target)) is not None:
        return _wait_for_the_line(until)
    with site.store.begin() as tx:
        if look_again(tx, tx.cases.get(work.case)):
            return _nothing  # taken back or withheld
        known = tx.deliveries.begin_attempt(work.id)
    decoder = Decoder(site.vault.folder(ticket), site.policy.limits)
    items = [_outbound(site, ticket, instance, plan, decoder) for instance, _ in results]
    record = _Recorder(site, work.id)

    def over() -> bool:
        return stopping() or record.stopped() or busy_until(site, target) is not None

    with closing(decoder):
        attempt = delivery.send(target, calling(site, target), items, record, over)
    record.flush()
    return _sent(site, work, attempt, known)


def _nothing(tx: Transaction, held: Lease) -> None:
    """The row is not this worker's any more."""


def _wait_for_the_line(until: datetime) -> Settlement:
    problem = LINE_IS_BUSY.format(at=f"{until:%H:%M}")
    return lambda tx, held: tx.deliveries.wait(held, until, problem)


def _outbound(
    site: Site, ticket: str, instance: Instance, plan: Plan, decoder: Decoder
) -> Outbound:
    source = site.vault.file(ticket, instance.file)
    syntax = coercion.sent_as(instance.transfer_syntax_uid)
    return Outbound(
        instance.sop_instance_uid,
        instance.sop_class_uid,
        syntax,
        partial(coercion.apply, source, instance, plan),
        "" if made_here(instance.file) else instance.sha256,
        decoder.transcoded if decodes(syntax) else None,
    )


@dataclass
class _Recorder:
    """Writes the peer's answers down in small batches while the association goes on."""

    site: Site
    delivery: int
    waiting: list[InstanceResult] = field(default_factory=list)
    over: bool = False
    looked: float = field(default_factory=time.monotonic)

    def __call__(self, result: InstanceResult) -> None:
        self.waiting.append(result)
        if len(self.waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            with self.site.store.begin() as tx:
                tx.deliveries.record(self.delivery, self.waiting)
                self._look(tx)
            self.waiting.clear()

    def stopped(self) -> bool:
        """Whether it was recalled or withheld meanwhile; looked at a few times a second."""
        if not self.over and time.monotonic() - self.looked >= LOOK_SECONDS:
            try:
                with self.site.store.read() as tx:
                    self._look(tx)
            except DatabaseBusy:
                return self.over  # looked at again before the next image
        return self.over

    def _look(self, tx: Transaction) -> None:
        now = tx.deliveries.get(self.delivery)
        self.over = self.over or now.withheld or now.state is DeliveryState.ABORTED
        self.looked = time.monotonic()


def _sent(site: Site, work: Delivery, attempt: Attempt | None, known: bool = False) -> Settlement:
    def settle(tx: Transaction, held: Lease) -> None:
        if known:
            tx.deliveries.end_attempt(work.id)
        _give_up_on_the_unwilling(site, tx, work.id, attempt)
        _tell_of_rot(tx, work, attempt)
        counts = tx.deliveries.counts(work.id)
        left = sum(counts.get(answer, 0) for answer in TO_SEND)
        taken = sum(counts.get(answer, 0) for answer in SENT)
        until = busy_until(site, destination_of(site, work))
        if left and until is not None and attempt is not None and not attempt.problem:
            _wait_for_the_line(until)(tx, held)
            return
        if left:
            problem = attempt.problem if attempt else ""
            backing_off.failed(site, tx, work.destination, attempt)
            tx.deliveries.wait(held, later(site, held.tries, attempt), problem)
            return
        backing_off.works(site, tx, work.destination)
        data: dict[str, object] = {answer.value: count for answer, count in counts.items()}
        if taken:
            tx.deliveries.move(held, DeliveryState.SENT, data=data)
        else:
            tx.deliveries.move(held, DeliveryState.HELD, problem=NOTHING_TAKEN, data=data)

    return settle


def _tell_of_rot(tx: Transaction, work: Delivery, attempt: Attempt | None) -> None:
    """What changed in the vault is held, and a finding on its medium: for IT a sick disk."""
    changed = {
        r.sop_instance_uid
        for r in (attempt.results if attempt else ())
        if r.answer is Answer.HELD and r.comment == delivery.CHANGED
    }
    if not changed:
        return
    found = [
        Finding("staged-file-changed", Severity.ERROR, instance.path, ROTTEN)
        for instance, _ in tx.deliveries.results(work.id)
        if instance.sop_instance_uid in changed
    ]
    tx.intakes.add_findings(tx.cases.get(work.case).intake, found)


def _give_up_on_the_unwilling(
    site: Site, tx: Transaction, id: int, attempt: Attempt | None
) -> None:
    """An instance that is refused "for now" while others pass is itself the reason: after three
    tries a person must look (some archives say "out of resources" for a missing attribute). That
    one could not be processed says so of itself."""
    if attempt is None:
        return
    counts = tx.deliveries.counts(id)
    passed = any(counts.get(answer) for answer in SENT) or tx.deliveries.others_passed(id)
    limit = site.policy.retry.tries_for_one_instance
    tries = tx.deliveries.tries(id)
    paused = attempt.pause

    def blamed(result: InstanceResult) -> bool:
        """A status is about the instance; so is silence when the archive is well otherwise."""
        return result.code == NOT_PROCESSED or (passed and (result.code >= 0 or not paused))

    refused = [
        replace(r, answer=Answer.REFUSED)
        for r in attempt.results
        if r.answer is Answer.RETRY and blamed(r) and tries[r.sop_instance_uid] >= limit
    ]
    tx.deliveries.record(id, refused)
