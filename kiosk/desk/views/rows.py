"""Rows as the screens' lines: a study with how far it is, a case with why it waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from kiosk.desk.snapshots import Stage, StudyLine
from kiosk.model.content import InstanceStatus
from kiosk.model.delivery import Answer
from kiosk.model.matching import Comparison
from kiosk.model.patient import PatientIdentity
from kiosk.model.relevance.choice import Standing
from kiosk.model.work import Case, CaseState, Delivery, DeliveryState
from kiosk.store import Outline, Transaction

HIM = (CaseState.AWAITING, CaseState.RECALLED)
PROVED = (DeliveryState.COMMITTED, DeliveryState.NOTIFIED)
NOT_SENT = {
    Standing.TRIAGE: Stage.TRIAGE,
    Standing.HELD: Stage.TRIAGE,
    Standing.LEFT: Stage.LEFT,
    Standing.DISCARDED: Stage.LEFT,
}
STUCK = (DeliveryState.FAILED, DeliveryState.HELD, DeliveryState.ABORTED)


def study_line(outline: Outline, stage: Stage = Stage.WAITING) -> StudyLine:
    """A study as it lies on the disc, before anything is sent. Its kind is that of its largest
    series: a report beside the images does not name the study."""
    study, counts = outline.study, outline.counts
    return StudyLine(
        study.study_instance_uid,
        study.series[0].modality if study.series else "",
        study.description or next((s.description for s in study.series if s.description), ""),
        study.date,
        study.institution,
        images=sum(counts.values()),
        damaged=counts.get(InstanceStatus.DAMAGED, 0),
        held=counts.get(InstanceStatus.UNSUPPORTED, 0),
        stage=stage,
    )


def sent_line(tx: Transaction, outline: Outline, deliveries: Iterable[Delivery]) -> StudyLine:
    """A study on its way: as far as the archive that is furthest behind, and with the images that
    every one has which is to get them."""
    lines, ids = [], []
    for each in deliveries:
        lines.append(_delivered(outline, each, tx.deliveries.counts(each.id)))
        ids.append(each.id)
    last = min(lines, key=lambda line: (line.checked, line.received), default=study_line(outline))
    if len(ids) < 2:
        return last
    proves = all(each.verify_level != 1 for each in deliveries)
    return replace(
        last,
        images=tx.deliveries.everywhere(ids, *Answer),
        received=tx.deliveries.everywhere(ids, Answer.ACCEPTED, Answer.VERIFIED),
        checked=tx.deliveries.everywhere(ids, Answer.VERIFIED) if proves else 0,
    )


def _delivered(outline: Outline, delivery: Delivery, counts: dict[Answer, int]) -> StudyLine:
    line = study_line(outline)
    verified = counts.get(Answer.VERIFIED, 0)
    received = verified + counts.get(Answer.ACCEPTED, 0)
    checked = 0 if delivery.verify_level == 1 else verified  # its commitment names no patient
    refused, held = counts.get(Answer.REFUSED, 0), counts.get(Answer.HELD, 0)
    images = sum(counts.values())  # by rule an archive may get some series only
    return StudyLine(
        line.study_instance_uid,
        line.modality,
        line.description,
        line.date,
        line.institution,
        images,
        min(line.damaged, held),
        received,
        checked,
        refused,
        max(0, held - line.damaged),
        _stage(delivery, received, checked, images),
    )


def _stage(delivery: Delivery, received: int, checked: int, images: int) -> Stage:
    """In the order of truth: "checked" only where the whole study is proved, under its patient:
    at the verification levels 0 and 1 it stays "received"."""
    if delivery.state in PROVED and received == images:
        return Stage.CHECKED if checked == images else Stage.RECEIVED
    if delivery.state in PROVED:
        return Stage.PARTLY
    if delivery.state in STUCK or delivery.withheld:
        return Stage.PARTLY if received else Stage.STOPPED
    if delivery.state is DeliveryState.SENT:
        return Stage.RECEIVED
    return Stage.SENDING if received or delivery.attempts else Stage.WAITING


def case_lines(tx: Transaction, case: Case) -> tuple[StudyLine, ...]:
    """Every study of a case: as on the disc until it is released, then as delivered."""
    deliveries = tx.deliveries.of_case(case.id)
    released = case.state in (CaseState.RELEASED, CaseState.DONE)
    choices = tx.choices.of_case(case.id) if released else ()
    chosen = {c.study: NOT_SENT[c.standing] for c in choices if c.standing in NOT_SENT}
    lines = []
    for outline in tx.cases.outlines(case.id):
        uid = outline.study.study_instance_uid
        mine = [d for d in deliveries if d.study_instance_uid == uid]
        stage = Stage.HIM if case.state in HIM else Stage.WAITING
        if case.state in (CaseState.REJECTED, CaseState.FAILED):
            stage = Stage.STOPPED
        stage = chosen.get(outline.id, stage)
        lines.append(sent_line(tx, outline, mine) if mine else study_line(outline, stage))
    return tuple(lines)


def reason_codes(case: Case, cases_on_disc: int = 1) -> tuple[str, ...]:
    """Why a case waits, as codes for chips; the sentences are in `case.reasons`."""
    candidates = case.proposal.candidates if case.proposal else ()
    codes: list[str] = []
    if not candidates:
        codes.append("no-patient")
    else:
        codes += _differing(case.stated, candidates[0].comparison, candidates[0].local.identity)
    if len(candidates) > 1:
        codes.append("several-candidates")
    if cases_on_disc > 1:
        codes.append("two-patients")
    if case.resolution is not None:
        codes.append("changed")
    return tuple(codes) or ("to-confirm",)


def _differing(
    stated: PatientIdentity, comparison: Comparison, local: PatientIdentity
) -> list[str]:
    """What a clerk would see at a glance: the evidence's own levels, not a second comparison."""
    levels = {e.field: e.level for e in comparison.evidence}
    alike = {"exact", "missing", "same"}
    codes = []
    if not {levels.get("family", "exact"), levels.get("given", "exact")} <= alike:
        codes.append("name-differs")
    if levels.get("birth_date", "exact") not in alike:
        codes.append("birth-date-differs")
    if stated.sex and local.sex and stated.sex != local.sex:
        codes.append("sex-differs")
    return codes
