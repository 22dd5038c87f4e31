"""Taking back what a recalled case has at one archive: a rejection note (IHE RAD IOCM) is sent,
then it is shown that the archive has the note, or the images no more.

Only what we sent and what is there under the identity that we wrote is named in the note: an
archive that holds the study under other data holds it from somebody else, and a person must look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from kiosk import coercion, delivery
from kiosk.engine.delivering import backing_off
from kiosk.engine.delivering.asking import calling
from kiosk.engine.delivering.backing_off import later
from kiosk.engine.delivering.proving import INDEXING_TRIES, identity_of
from kiosk.engine.delivering.sending import LINE_IS_BUSY
from kiosk.engine.parts import Settlement, Site
from kiosk.model.content import Instance, Study
from kiosk.model.delivery import (
    REJECTED,
    Answer,
    Attempt,
    Outbound,
    Plan,
    RejectionNote,
    Verification,
)
from kiosk.model.patient import PatientIdentity
from kiosk.model.plain import from_plain
from kiosk.model.work import Delivery, DeliveryState, Withdrawal
from kiosk.policy.sections import Destination
from kiosk.store import Lease, Transaction

# A crash may have lost what was answered.
PERHAPS = (Answer.ACCEPTED, Answer.VERIFIED, Answer.RETRY, Answer.PENDING)
SHOWN = (*PERHAPS, Answer.REFUSED)  # what was given up as missing may be indexed by now
UNDER_OTHERS = (
    "The archive holds this study under other data ({what}), so it is not ours to take back. "
    "Look there, take out what is wrong, and say so here."
)
NO_NOTES = (
    "The archive does not take rejection notes ({said}). Take the images out there by hand, and "
    "say so here."
)
NOT_SHOWN = "The archive took the rejection note, but does not show it. {problem}"
TITLE = "1.2.840.10008.5.1.4.1.1.88.59"  # Key Object Selection Document Storage
EXPLICIT_LE = "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True)
class _Wrong:
    """What went out wrong: the delivery, and what was written."""

    target: Destination
    delivery: Delivery
    study: Study
    plan: Plan
    stated: PatientIdentity
    answered: dict[Answer, frozenset[str]]

    def of(self, *answers: Answer) -> frozenset[str]:
        return frozenset().union(*(self.answered.get(answer, frozenset()) for answer in answers))

    def instances(self, uids: frozenset[str]) -> Iterator[tuple[str, Instance]]:
        for series in self.study.series:
            for instance in series.instances:
                if instance.sop_instance_uid in uids:
                    yield series.series_instance_uid, instance


def _look(site: Site, work: Withdrawal) -> _Wrong:
    target = site.policy.destination_named(work.destination)
    if target is None:
        raise LookupError(f"destination {work.destination} is not in the configuration any more")
    with site.store.read() as tx:
        row = tx.deliveries.study_of(work.delivery)
        answered: dict[Answer, set[str]] = {}
        for instance, result in tx.deliveries.results(work.delivery, *SHOWN):
            answered.setdefault(result.answer, set()).add(instance.sop_instance_uid)
        return _Wrong(
            target,
            tx.deliveries.get(work.delivery),
            tx.cases.study(row),
            from_plain(Plan, tx.cases.plan(row)),
            tx.cases.get(work.case).stated,
            {answer: frozenset(uids) for answer, uids in answered.items()},
        )


def _query(site: Site, wrong: _Wrong) -> Verification:
    identity = identity_of(wrong.plan, wrong.stated)
    uid = wrong.delivery.study_instance_uid
    return delivery.verify(wrong.target, calling(site, wrong.target), uid, identity)


def reject(site: Site, work: Withdrawal, stopping: Callable[[], bool]) -> Settlement:
    """QUEUED -> SENT: the archive was told. COMMITTED where it has nothing of it.

    It is asked first, at whatever level: what it holds under other data is somebody else's. What it
    took and never showed is named too: archives index late, and what appears after the
    note would stay with the wrong patient. Where it cannot be asked, all that may be there is."""
    wrong = _look(site, work)
    if (until := backing_off.busy_until(site, wrong.target)) is not None:
        return _wait_for_the_line(until)
    there = wrong.of(*PERHAPS)
    found = _query(site, wrong)
    # One whose word is taken for what it has (levels 0 and 1) may answer no queries at all.
    believed = wrong.target.verify_level < 2 and work.tries >= INDEXING_TRIES
    if found.problem and found.retry and not believed:
        return _wait(site, found.problem)
    if found.present and found.differences:
        return _held(UNDER_OTHERS.format(what=_what(found)))
    if not found.problem:
        there = wrong.of(Answer.ACCEPTED) | (wrong.of(*SHOWN) & found.present)
    if not there:
        return _over(instances=0)
    note = _note(site, work, wrong, there)
    attempt = _send(site, wrong.target, note, stopping)
    return _told(site, work, attempt, len(there))


def _wait_for_the_line(until: datetime) -> Settlement:
    problem = LINE_IS_BUSY.format(at=f"{until:%H:%M}")
    return lambda tx, held: tx.recalls.wait(held, until, problem)


def _note(site: Site, work: Withdrawal, wrong: _Wrong, there: frozenset[str]) -> RejectionNote:
    return RejectionNote(
        work.sop_instance_uid,
        REJECTED[work.code],
        site.station,
        wrong.study,
        wrong.plan.attributes,
        wrong.stated,
        tuple(wrong.instances(there)),
    )


def _send(
    site: Site, target: Destination, note: RejectionNote, stopping: Callable[[], bool]
) -> Attempt:
    at = site.now()
    item = Outbound(
        note.sop_instance_uid, TITLE, EXPLICIT_LE, lambda: coercion.rejection_note(note, at)
    )
    return delivery.send(target, calling(site, target), [item], lambda result: None, stopping)


def _told(site: Site, work: Withdrawal, attempt: Attempt, instances: int) -> Settlement:
    result = next(iter(attempt.results), None)
    answer = result.answer if result else Answer.RETRY

    def settle(tx: Transaction, held: Lease) -> None:
        if answer is Answer.ACCEPTED:
            backing_off.works(site, tx, work.destination)
            tx.recalls.move(held, DeliveryState.SENT, data={"instances": instances})
        elif answer in (Answer.REFUSED, Answer.HELD):
            said = (result.comment or f"status {result.code:04X}") if result else ""
            tx.recalls.move(held, DeliveryState.HELD, NO_NOTES.format(said=said))
        else:
            backing_off.failed(site, tx, work.destination, attempt)
            tx.recalls.wait(held, later(site, held.tries, attempt), attempt.problem)

    return settle


def prove_rejected(site: Site, work: Withdrawal) -> Settlement:
    """SENT -> COMMITTED: the archive shows the note, or the images no more. One that is only
    believed (levels 0 and 1) is believed here too."""
    wrong = _look(site, work)
    if wrong.target.verify_level < 2:
        return _over(level=0)
    found = _query(site, wrong)
    if found.problem and not found.retry:
        return _held(NOT_SHOWN.format(problem=found.problem))
    if found.problem:
        return _wait(site, found.problem)
    if work.sop_instance_uid in found.present or not (wrong.of(*SHOWN) & found.present):
        return _over(level=2)
    return _not_there_yet(site)


def _not_there_yet(site: Site) -> Settlement:
    def settle(tx: Transaction, held: Lease) -> None:
        problem = NOT_SHOWN.format(problem="Look in its log.")
        if held.tries < INDEXING_TRIES:
            tx.recalls.wait(held, later(site, held.tries), problem)
        else:
            tx.recalls.move(held, DeliveryState.HELD, problem)

    return settle


def _over(**data: object) -> Settlement:
    def settle(tx: Transaction, held: Lease) -> None:
        found = tx.recalls.get(held.id)
        tx.recalls.move(held, DeliveryState.COMMITTED, data=data)
        tx.end_recall(found.case)

    return settle


def _wait(site: Site, problem: str) -> Settlement:
    return lambda tx, held: tx.recalls.wait(held, later(site, held.tries), problem)


def _held(problem: str) -> Settlement:
    return lambda tx, held: tx.recalls.move(held, DeliveryState.HELD, problem)


def _what(found: Verification) -> str:
    return ", ".join(sorted({keyword for keyword, _, _ in found.differences}))
