"""What K6 and D3 show, from rows."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime

from kiosk.desk.roles import Operator, Role
from kiosk.desk.snapshots import (
    Chip,
    ChoiceGroup,
    Choose,
    Header,
    Message,
    Mood,
    Notice,
    SeriesLine,
    StudyChoice,
    TriageRow,
    TriageSnapshot,
    ViewSnapshot,
    say,
)
from kiosk.desk.views import verdict
from kiosk.desk.views.rows import study_line
from kiosk.model.content import InstanceStatus, Ledger, Series
from kiosk.model.relevance.choice import WAITING, Choice, Relevance, Standing, Triage
from kiosk.model.relevance.picture import Picture
from kiosk.model.work import Case, CaseState, Intake
from kiosk.policy import Policy
from kiosk.store import Outline, Transaction

MAY_SEE = {
    Triage.RADIOLOGIST: frozenset({Role.RADIOLOGIST}),
    Triage.NURSE: frozenset({Role.NURSE, Role.RADIOLOGIST}),
}
NO_IMAGES = frozenset({"SR", "DOC", "PR", "KO", "AU", "ECG", "HD", "EPS", "RESP", "PLAN"})
CHIPS = {Relevance.OLDER: Chip.OLDER, Relevance.DISCARD: Chip.UNWANTED}


def blocked(found: Choice, operator: Operator) -> Message | None:
    """Why this operator cannot decide the study now."""
    if found.standing not in (Standing.TRIAGE, Standing.HELD):
        return say("KX-441")
    asked = found.judged.triage
    may_see = MAY_SEE.get(asked)
    if may_see is not None and operator.role not in may_see:
        return say("KX-444", who=say(f"triage.{asked.value}"))
    return None


# -- K6 ----------------------------------------------------------------------------------------


def choose(tx: Transaction, intake: Intake, cases: tuple[Case, ...]) -> Choose | None:
    """None where nothing is to be chosen."""
    cases = tuple(case for case in cases if case.state is not CaseState.REJECTED)
    if not any(tx.choices.is_open(case.id) for case in cases):
        return None
    groups = tuple(_group(tx, case, len(cases) > 1) for case in cases)
    lines = tuple(each.line for group in groups for each in group.studies)
    ledger = tx.intakes.ledger(intake.id) or Ledger()
    buckets = tuple((f.name, getattr(ledger, f.name)) for f in fields(Ledger)[2:])
    notices = (
        *_several(tx, intake, cases),
        *verdict.changed(tx, intake, cases, len(lines)),
        *verdict.damage(tx, intake, lines, ledger),
    )
    return Choose(
        intake.ticket,
        intake.id,
        groups,
        tuple(bucket for bucket in buckets if bucket[1]),
        ledger.files,
        notices,
        verdict.drive_of(tx, intake),
    )


def _several(tx: Transaction, intake: Intake, cases: tuple[Case, ...]) -> tuple[Notice, ...]:
    if len(cases) < 2:
        return ()
    chosen = tx.roster.resolve(intake.picked) if intake.picked else None
    if chosen is None:
        return (Notice(Mood.STOP, say("verdict.several-people", n=len(cases))),)
    name = chosen.identity.name
    return (Notice(Mood.STOP, say("KX-131", n=len(cases), name=name)),)


def _group(tx: Transaction, case: Case, several: bool) -> ChoiceGroup:
    known = {each.study: each for each in tx.choices.of_case(case.id)}
    small, keys = _by_study(tx, case.id), _keys(case)
    rows = tuple(
        _study(tx, outline, known[outline.id], small.get(outline.id), keys, several)
        for outline in tx.cases.outlines(case.id)
        if outline.id in known
    )
    return ChoiceGroup(case.stated, rows)


def _keys(case: Case) -> tuple[str, ...]:
    """The record under which it may be in an archive already: the decided, else the likeliest."""
    if case.resolution is not None:
        return (case.resolution.local_key,)
    candidates = case.proposal.candidates if case.proposal else ()
    return tuple(each.local.key for each in candidates[:1])


def _study(
    tx: Transaction,
    outline: Outline,
    found: Choice,
    picture: Picture | None,
    keys: tuple[str, ...],
    several: bool,
) -> StudyChoice:
    chip = CHIPS.get(found.judged.relevance, Chip.SUGGESTED)
    if tx.choices.here(outline.id, keys):
        chip = Chip.HERE
    elif chip is Chip.SUGGESTED and _no_image(outline):
        chip = Chip.REPORT
    suggested = chip in (Chip.SUGGESTED, Chip.REPORT)
    return StudyChoice(
        outline.id,
        study_line(outline),
        chip,
        suggested and not several,
        chip not in (Chip.HERE, Chip.UNWANTED),
        found.judged.triage,
        picture,
    )


def _no_image(outline: Outline) -> bool:
    return all(series.modality in NO_IMAGES for series in outline.study.series)


def _by_study(tx: Transaction, case_id: int) -> dict[int, Picture]:
    """A small picture for each study: of its first series that has one."""
    small = tx.pictures.small(case_id)
    found: dict[int, Picture] = {}
    for study, series in tx.pictures.series_of(case_id):
        if series in small and (study not in found or found[study].problem):
            found[study] = small[series]
    return found


def pictures_of(tx: Transaction, case: Case) -> tuple[tuple[str, Picture], ...]:
    """D2: by Study Instance UID."""
    by_row = _by_study(tx, case.id)
    return tuple(
        (outline.study.study_instance_uid, by_row[outline.id])
        for outline in tx.cases.outlines(case.id)
        if outline.id in by_row
    )


# -- D3 ----------------------------------------------------------------------------------------


def queue(tx: Transaction, header: Header, operator: Operator) -> TriageSnapshot:
    asked = tx.choices.standing(*WAITING)
    waiting = tuple(_row(tx, c, operator) for c in asked if _is_ours(tx, c))
    out = tx.choices.standing(Standing.LEFT, Standing.DISCARDED, limit=200, newest=True)
    left = tuple(_row(tx, c, operator) for c in out if _is_ours(tx, c) and _is_here(tx, c))
    return TriageSnapshot(header, waiting, left)


def _is_ours(tx: Transaction, found: Choice) -> bool:
    """Of scans that are not ours, or that were read again, nothing is to be decided here."""
    return tx.cases.get(found.case).state is not CaseState.REJECTED


def _is_here(tx: Transaction, found: Choice) -> bool:
    return not tx.intakes.is_purged(tx.cases.get(found.case).intake)


def _row(tx: Transaction, found: Choice, operator: Operator) -> TriageRow:
    case = tx.cases.get(found.case)
    intake = tx.intakes.get(case.intake)
    return TriageRow(
        found.study,
        case.id,
        intake.ticket,
        case.stated,
        study_line(tx.cases.outline(found.study)),
        found.standing,
        found.judged.triage,
        found.at,
        found.judged.because,
        found.by,
        found.reason,
        intake.station,
        blocked(found, operator) is None,
        case.resolution is not None,
        _by_study(tx, case.id).get(found.study),
    )


def view(
    tx: Transaction,
    header: Header,
    operator: Operator,
    found: Choice,
    policy: Policy,
    now: datetime,
) -> ViewSnapshot:
    row = _row(tx, found, operator)
    small = tx.pictures.small(found.case)
    mine = [series for study, series in tx.pictures.series_of(found.case) if study == found.study]
    others = (c for c in tx.choices.of_case(found.case) if c.study != found.study)
    case = tx.cases.get(found.case)
    outline = tx.cases.outline(found.study)
    key = case.resolution.local_key if case.resolution else ""
    patient = tx.roster.get(key) if key else None
    routes = policy.routes_of(outline.study, patient, now.date())
    stopped = any(each.problem == "stopped" for each in small.values())
    elsewhere = tuple(d.name for d in policy.destination) if policy.relevance.override else ()
    return ViewSnapshot(
        header,
        row,
        tuple(_series(tx, series, small.get(series)) for series in mine),
        tuple(_row(tx, each, operator) for each in others),
        tuple(f"{route.destination} ({route.because})" for route in routes),
        elsewhere,
        _facts(outline),
        (Notice(Mood.CARE, say("KX-445")),) if stopped else (),
        blocked(found, operator),
    )


def _series(tx: Transaction, series: int, picture: Picture | None) -> SeriesLine:
    found: Series = tx.pictures.series(series)
    return SeriesLine(
        series,
        found.modality,
        found.description,
        sum(max(1, min(each.frames, 100_000)) for each in found.instances),
        sum(each.status is not InstanceStatus.OK for each in found.instances),
        picture,
    )


def _facts(outline: Outline) -> tuple[tuple[str, str], ...]:
    """Safe attributes of the study: what it is, not whose."""
    study = outline.study
    first = study.series[0] if study.series else Series("")
    pairs = (
        ("modality", first.modality),
        ("body-part", first.body_part),
        ("institution", study.institution),
        ("study-id", study.study_id),
        ("series", str(len(study.series))),
        ("images", str(sum(outline.counts.values()))),
    )
    return tuple((name, value) for name, value in pairs if value)
