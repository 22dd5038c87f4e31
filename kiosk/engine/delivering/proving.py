"""SENT -> COMMITTED: what the archive took is shown to be there, to the level that policy asks.

| level | shown by                                                | what the receipt may say |
|-------|---------------------------------------------------------|--------------------------|
| 0     | nothing: the archive took it                            | received, not checked    |
| 1     | its commitment; a query where it never reports          | received                 |
| 2     | a query: the same images, under our patient             | checked                  |
| 3     | level 2, and a sample of the pixels that it gives back  | checked, images compared |

Commitment says that the UIDs exist, the query that they are there *under our patient*: some
archives commit to an old version (RELIABILITY 2, fact 10), so from level 2 on the query has the
word. An archive that never reports costs no waiting.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from kiosk import delivery
from kiosk.engine.delivering.asking import ask, calling, may_ask
from kiosk.engine.delivering.backing_off import destination_of, later
from kiosk.engine.parts import Settlement, Site
from kiosk.model.content import Instance
from kiosk.model.delivery import (
    Answer,
    CommitmentReport,
    Comparison,
    InstanceResult,
    Plan,
    Sample,
    Verification,
)
from kiosk.model.patient import PatientIdentity
from kiosk.model.plain import from_plain
from kiosk.model.work import Delivery, DeliveryState
from kiosk.policy.sections import Destination
from kiosk.store import Lease, Transaction

SENT = (Answer.ACCEPTED, Answer.VERIFIED)
IDENTITY = {0x00100010: "PatientName", 0x00100020: "PatientID", 0x00100030: "PatientBirthDate"}
INDEXING_TRIES = 4  # archives index late: asked so often before it is believed missing
ANOTHER_VERSION = "The archive has another version of this study, under other data: {what}."
NOT_THERE = "{n} images were accepted but are not in the archive."
OTHER_PIXELS = "The archive gave {n} of the images back with other pixels than were sent."
NOT_COMPARED = "The archive has all of it, but its images cannot be compared. {problem}"
REFUSED = (
    "The archive refused {n} of {of} images ({why}); the others are there. Mend it there, then "
    "send them again."
)
SAMPLES = 3
DUPLICATE = 0x0111
LARGEST_SAMPLE = 67_108_864  # bytes; a sample is in memory while it is compared
NOT_SHOWN = "The archive took all of it, but that it is there cannot be checked. {problem}"
KEPT_NOT_SHOWN = "The archive says that it keeps all of it, but that cannot be checked. {problem}"


@dataclass(frozen=True, slots=True)
class _Sent:
    """What is to be shown: the images that the archive took, and whose they are there."""

    target: Destination
    instances: Sequence[Instance]
    identity: dict[str, str] = field(default_factory=dict)

    @property
    def uids(self) -> frozenset[str]:
        return frozenset(i.sop_instance_uid for i in self.instances)

    def kept(self, report: CommitmentReport | None) -> bool:
        """Whether the archive committed itself to all of it."""
        return report is not None and self.uids <= report.committed


def prove(site: Site, work: Delivery) -> Settlement:
    """One look at what the archive has."""
    target = destination_of(site, work)
    with site.store.read() as tx:
        results = tx.deliveries.results(work.id, *SENT)
        plan = from_plain(Plan, tx.cases.plan(tx.deliveries.study_of(work.id)))
        stated = tx.cases.get(work.case).stated
    instances = [instance for instance, _ in results]
    sent = _Sent(target, instances, identity_of(plan, stated))
    # The archive had these already: whose they are only a query tells, at any level.
    foreign = any(result.code == DUPLICATE for _, result in results)
    if target.verify_level == 0 and not foreign:
        return _proved(sent, 0)
    if may_ask(site, target, work):
        ask(site, target, work, instances)
    believed = target.verify_level == 1 and not foreign
    if believed and (settlement := _by_its_word(site, work, sent)):
        return settlement
    found = delivery.verify(target, calling(site, target), work.study_instance_uid, sent.identity)
    shown = not found.problem and not found.differences and sent.uids <= found.present
    pixels = _fetched(site, work, sent) if target.verify_level == 3 and shown else None
    return _as_found(site, sent, found, pixels)


def _fetched(site: Site, work: Delivery, sent: _Sent) -> Comparison | None:
    """A sample, fetched back and compared; None where nothing of it has pixels that fit."""
    with site.store.read() as tx:
        study = tx.cases.study(tx.deliveries.study_of(work.id))
    having = [
        Sample(
            series.series_instance_uid,
            i.sop_instance_uid,
            i.sop_class_uid,
            i.transfer_syntax_uid,
            i.bytes,
            i.pixels,
        )
        for series in study.series
        for i in series.instances
        if i.pixels and i.bytes <= LARGEST_SAMPLE and i.sop_instance_uid in sent.uids
    ]
    if not having:
        return None
    samples = random.sample(having, min(len(having), SAMPLES))
    name = calling(site, sent.target)
    return delivery.compare(sent.target, name, work.study_instance_uid, samples)


def identity_of(plan: Plan, stated: PatientIdentity) -> dict[str, str]:
    """What the archive must say of the study's patient: as written, else as it came."""
    came = {
        "PatientID": stated.identifier.value,
        "PatientName": stated.name.to_dicom(),
        "PatientBirthDate": stated.birth_date,
    }
    written = {IDENTITY[a.tag]: a.value for a in plan.attributes if a.tag in IDENTITY}
    return {keyword: value for keyword, value in (came | written).items() if value}


def _by_its_word(site: Site, work: Delivery, sent: _Sent) -> Settlement | None:
    """Level 1: by the archive's report, or later if that is still to be expected; None when a
    query must do."""
    with site.store.read() as tx:
        report, until = tx.commitments.report(work.id), _expected(site, tx, sent, work.id)
    if report is not None and report.failed:
        return _send_again(site, {uid for uid, _ in report.failed})
    if sent.kept(report):
        return _proved(sent, 1)
    return _await_report(site, sent) if until else None


def _expected(site: Site, tx: Transaction, sent: _Sent, id: int) -> datetime | None:
    """Until when a report may still come, None when nobody expects one (any more)."""
    asked_at = tx.commitments.asked_at(id)
    if not asked_at or tx.commitments.report(id) is not None:
        return None
    hears = site.policy.inbound.reports
    hours = timedelta(hours=sent.target.commitment_hours)
    patience = hours if hears else timedelta(seconds=sent.target.commitment_wait_seconds)
    until = datetime.fromtimestamp(asked_at, UTC) + patience
    return until if until > site.now() else None


def _await_report(site: Site, sent: _Sent) -> Settlement:
    """Due again when the report comes, at once if it came meanwhile."""
    return lambda tx, held: tx.deliveries.wait(
        held, _expected(site, tx, sent, held.id) or site.now(), ""
    )


def _as_found(
    site: Site, sent: _Sent, found: Verification, pixels: Comparison | None
) -> Settlement:
    """By what the query and the sample showed, and by a report that has come by now."""

    def settle(tx: Transaction, held: Lease) -> None:
        report = tx.commitments.report(held.id)
        failed = {uid for uid, _ in report.failed} if report else set()
        if found.problem:
            settlement = _not_shown(site, tx, held, sent, found)
        elif missing := (sent.uids - found.present) | (failed & sent.uids):
            settlement = _send_again(site, missing)
        elif found.differences:
            what = ", ".join(sorted({keyword for keyword, _, _ in found.differences}))
            settlement = _another_version(sent, ANOTHER_VERSION.format(what=what))
        elif pixels is not None and pixels.other:
            settlement = _another_version(sent, OTHER_PIXELS.format(n=len(pixels.other)))
        elif pixels is not None and pixels.problem:
            settlement = _not_compared(site, pixels)
        else:
            settlement = _proved(sent, 2 if pixels is None else 3, sent.kept(report))
        settlement(tx, held)

    return settle


def _not_shown(
    site: Site, tx: Transaction, held: Lease, sent: _Sent, found: Verification
) -> Settlement:
    """Later, while that can help. An archive that gives no answer to queries at all can be shown
    to have it at level 0 or 1 only: this level is held for IT, and nothing more is said than is
    known."""
    if found.retry:
        return lambda tx, held: tx.deliveries.wait(held, later(site, held.tries), found.problem)
    if _expected(site, tx, sent, held.id):
        return _await_report(site, sent)
    kept = sent.kept(tx.commitments.report(held.id))
    words = KEPT_NOT_SHOWN if kept else NOT_SHOWN
    problem = words.format(problem=found.problem)
    return lambda tx, held: tx.deliveries.move(
        held, DeliveryState.HELD, problem=problem, verify_level=int(kept)
    )


def _not_compared(site: Site, pixels: Comparison) -> Settlement:
    """Later, while that can help; else level 2 is all that can be said, and IT is asked."""
    if pixels.retry:
        return lambda tx, held: tx.deliveries.wait(held, later(site, held.tries), pixels.problem)
    problem = NOT_COMPARED.format(problem=pixels.problem)
    return lambda tx, held: tx.deliveries.move(
        held, DeliveryState.HELD, problem=problem, verify_level=2
    )


def _another_version(sent: _Sent, problem: str) -> Settlement:
    """Never overwritten silently: a line of the worklist, for a person to decide."""

    def settle(tx: Transaction, held: Lease) -> None:
        tx.deliveries.move(held, DeliveryState.HELD, problem=problem)
        case = tx.deliveries.get(held.id).case
        reason = f"{sent.target.name}: {problem}"
        if reason not in tx.cases.get(case).reasons:
            tx.cases.flag(case, reason)

    return settle


def _proved(sent: _Sent, level: int, committed: bool = False) -> Settlement:
    """What the archive refused of it is not there, so the delivery has not ended: once it takes
    them, IT sends them again."""

    def settle(tx: Transaction, held: Lease) -> None:
        if level:
            tx.deliveries.set_answers(held.id, sent.uids, Answer.VERIFIED)
        data: dict[str, object] = {"level": level, "commitment": committed or level == 1}
        if refused := tx.deliveries.results(held.id, Answer.REFUSED):
            of = len(sent.instances) + len(refused)
            problem = REFUSED.format(n=len(refused), of=of, why=_why(refused[0][1]))
            tx.deliveries.move(
                held, DeliveryState.HELD, problem=problem, data=data, verify_level=level
            )
            return
        tx.deliveries.move(held, DeliveryState.COMMITTED, data=data, verify_level=level)
        tx.end_case(tx.deliveries.get(held.id).case)

    return settle


def _why(result: InstanceResult) -> str:
    """Without the archive's comment, which may quote a header: that stays with the image's row."""
    return f"status {result.code:04X}" if result.code >= 0 else "it says why below"


def _send_again(site: Site, missing: Iterable[str]) -> Settlement:
    """An archive may need a moment to index: asked again first, sent again after that, and after
    some rounds of accepting and not having, held for a person."""
    uids = frozenset(missing)

    def settle(tx: Transaction, held: Lease) -> None:
        problem = NOT_THERE.format(n=len(uids))
        tx.commitments.drop(held.id)
        if held.tries < INDEXING_TRIES:
            tx.deliveries.wait(held, later(site, held.tries), problem)
            return
        tries = tx.deliveries.tries(held.id)
        limit = site.policy.retry.tries_for_one_instance
        if max(tries[uid] for uid in uids) >= limit:
            tx.deliveries.set_answers(held.id, uids, Answer.REFUSED)
            tx.deliveries.move(held, DeliveryState.HELD, problem=problem)
            return
        tx.deliveries.set_answers(held.id, uids, Answer.RETRY)
        tx.deliveries.move(held, DeliveryState.QUEUED, problem=problem)

    return settle
