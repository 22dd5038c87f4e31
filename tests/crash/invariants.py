"""The invariants of a golden import, each told as what is wrong: an empty list is well.

`at_rest` may be asked at any moment, also of a state folder that a crash left. `in_the_end` is
asked when an engine has started again and finished. What belongs to whole processes (I7's thirty
seconds, I9's orphans, I10's tray) is seen by test_kill.py and by the tests' own rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from kiosk import coercion
from kiosk.model.delivery import Answer, Plan
from kiosk.model.medium import FileState, read_manifest, staged_name
from kiosk.model.plain import from_plain
from kiosk.model.work import CaseState, DeliveryState, IntakeState
from kiosk.store import Store, Transaction
from tests.crash import golden

Archived = dict[str, bytes]  # SOP Instance UID to the data set that the archive keeps
SENT_ONCE = (CaseState.RELEASED, CaseState.DONE)
COPIED = (IntakeState.READ, IntakeState.CATALOGED, IntakeState.CLOSED)


def at_rest(state: Path, archived: Archived) -> list[str]:
    rows = golden.opened(state)
    try:
        with rows.read() as tx:
            return [
                *_nothing_without_approval(tx, archived),
                *_staged_or_verified(tx, state),
                *_no_more_said_than_proved(tx, archived),
                *_staged_as_promised(tx, state),
                *_journal_whole(tx),
                *_no_patient_outside(state),
            ]
    finally:
        rows.close()


def in_the_end(state: Path, archived: Archived, before: Archived | None = None) -> list[str]:
    """`before` is what a recalled import had left in the archive."""
    rows = golden.opened(state)
    try:
        with rows.read() as tx:
            return [
                *_finished(tx),
                *_arrived_as_planned(tx, state, archived, before or {}),
                *_ledger_balances(tx),
                *_at_rest_too(state, archived),
            ]
    finally:
        rows.close()


def _at_rest_too(state: Path, archived: Archived) -> list[str]:
    return at_rest(state, archived)


def _nothing_without_approval(tx: Transaction, archived: Archived) -> Iterator[str]:
    """I1: whatever the archive has was approved first, and is filed under who was approved."""
    approved, attempts = set(), 0
    for event in tx.journal.since(0):
        if event.kind in ("case.resolved", "case.decided"):
            approved.add(event.case)
        attempts += event.kind == "delivery.attempt"
        if event.kind == "delivery.attempt" and event.case not in approved:
            yield "I1: an attempt to send is in the journal before any approval"
    if archived and not attempts:
        yield "I1: the archive has images and no attempt was written down"
    for data in archived.values():
        found = dcmread(BytesIO(golden.part10(data)), stop_before_pixels=True)
        ours = (golden.WHO.number, golden.RIGHT.number)
        if found.PatientID not in ours or found.IssuerOfPatientID != "HOSP":
            yield "I1: an image is filed under somebody else's number"


def _staged_or_verified(tx: Transaction, state: Path) -> Iterator[str]:
    """I2: every approved instance is here whole, or proved to be there."""
    for case in tx.cases.of_intake(1):
        if case.state not in (CaseState.RESOLVED, *SENT_ONCE):
            continue
        folder = state / "vault" / tx.intakes.get(1).ticket
        proved = {
            instance.sop_instance_uid
            for each in tx.deliveries.of_case(case.id)
            for instance, _ in tx.deliveries.results(each.id, Answer.VERIFIED)
        }
        for _, study in tx.cases.studies(case.id):
            for instance in study.instances:
                here = _sha256(folder / staged_name(instance.file)) == instance.sha256
                if not here and instance.sop_instance_uid not in proved:
                    yield "I2: an approved image is neither staged nor verified"


def _no_more_said_than_proved(tx: Transaction, archived: Archived) -> Iterator[str]:
    """I4: "checked" is said only of what the archive has."""
    for case in tx.cases.of_intake(1):
        deliveries = tx.deliveries.of_case(case.id)
        if case.state is CaseState.DONE and any(
            d.state is not DeliveryState.COMMITTED for d in deliveries
        ):
            yield "I4: a case is done whose deliveries are not"
        for each in deliveries:
            verified = tx.deliveries.results(each.id, Answer.VERIFIED)
            if any(i.sop_instance_uid not in archived for i, _ in verified):
                yield "I4: an image counts as verified that the archive has not"
            if (each.state is DeliveryState.COMMITTED) != (each.verify_level == 2):
                yield "I4: the verification level is not that of the state"
            if each.state is DeliveryState.COMMITTED and set(tx.deliveries.counts(each.id)) != {
                Answer.VERIFIED
            }:
                yield "I4: a delivery is committed and not every image of it verified"


def _staged_as_promised(tx: Transaction, state: Path) -> Iterator[str]:
    """I5: what the manifest says is staged is there, as it was on the disc. Once the disc was said
    to be copied, all of it is."""
    intake = tx.intakes.get(1)
    folder = state / "vault" / intake.ticket
    staged = {each.untrusted_path: each for each in read_manifest(folder)}
    for each in staged.values():
        if each.state is FileState.WHOLE:
            found = _sha256(folder / staged_name(each.number))
            if not (found == each.sha256 == golden.on_disc()[each.untrusted_path]):
                yield "I5: a staged file is not what the disc gave"
    if intake.state in COPIED and set(staged) != set(golden.on_disc()):
        yield "I5: the disc counts as copied, and not every file of it is staged"


def _journal_whole(tx: Transaction) -> Iterator[str]:
    if (broken := tx.journal.first_broken()) is not None:
        yield f"I6: journal line {broken} does not fit"


def _no_patient_outside(state: Path) -> Iterator[str]:
    """I8: a patient's name is in the database and in staged bytes, and nowhere else."""
    for path in state.rglob("*"):
        name = path.relative_to(state).as_posix()
        if golden.CANARY in name.encode():
            yield "I8: a patient's name is a file name"
        inside = name.startswith(("kiosk.db", "vault/"))
        if path.is_file() and not inside and golden.CANARY in path.read_bytes():
            yield f"I8: a patient's name is in {name}"


def _finished(tx: Transaction) -> Iterator[str]:
    """I7: what was interrupted is taken up again and comes to its end, once."""
    cases = tx.cases.of_intake(1)
    if tx.intakes.get(1).state is not IntakeState.CLOSED or len(cases) != 1:
        yield f"I7: the intake is {tx.intakes.get(1).state} with {len(cases)} cases"
    for case in cases:
        if case.state is not CaseState.DONE or len(tx.deliveries.of_case(case.id)) != 2:
            yield f"I7: the case is {case.state}"


def _arrived_as_planned(
    tx: Transaction, state: Path, archived: Archived, before: Archived
) -> Iterator[str]:
    """I3: however often it was sent, each image is there once, byte for byte as the plan that was
    shown has it. After a recall, each study has one rejection note more, and nothing else."""
    folder = state / "vault" / tx.intakes.get(1).ticket
    planned: Archived = {}
    for row, study in tx.cases.studies(1):
        plan = from_plain(Plan, tx.cases.plan(row))
        for instance in study.instances:
            made = coercion.apply(folder / staged_name(instance.file), instance, plan)
            tail = made.tail.read_bytes()[made.tail_offset :][: made.tail_length]
            planned[made.sop_instance_uid] = made.header + tail
    new = {uid: data for uid, data in archived.items() if uid not in before}
    notes = {each.sop_instance_uid for each in tx.recalls.of_case(1)} & set(new)
    if len(notes) != (2 if before else 0) or not set(before) <= set(archived):
        yield "I3: the archive was not told once of each study that was taken back"
    if planned != {uid: data for uid, data in new.items() if uid not in notes}:
        yield "I3: the archive has not exactly what was planned"


def _ledger_balances(tx: Transaction) -> Iterator[str]:
    ledger = tx.intakes.ledger(1)
    if ledger is None or not ledger.balances or ledger.ok != golden.IMAGES:
        yield "the ledger does not account for every file"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


__all__ = ["Archived", "Store", "at_rest", "in_the_end"]
