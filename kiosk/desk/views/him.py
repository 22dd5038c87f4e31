"""What HIM sees: the worklist in the order of due, and one case against its candidates."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from kiosk.desk import seconding
from kiosk.desk.choosing.views import pictures_of
from kiosk.desk.roles import Operator
from kiosk.desk.snapshots import (
    CandidateColumn,
    CompareSnapshot,
    FieldLine,
    Header,
    Message,
    Mood,
    Notice,
    WorklistRow,
    WorklistSnapshot,
    say,
)
from kiosk.desk.views import memory
from kiosk.desk.views.differences import compare_field, rows_for, text_of
from kiosk.desk.views.rows import case_lines, reason_codes
from kiosk.desk.views.whereabouts import LATELY, going, sent_case, sent_rows
from kiosk.desk.writing import Writing
from kiosk.model.matching import Candidate, Proposal
from kiosk.model.patient import LocalPatient, PatientIdentity
from kiosk.model.work import Case, CaseState
from kiosk.policy import Policy
from kiosk.store import Transaction

WITHIN = timedelta(hours=4)  # a case without an appointment is due that long after it came
BEFORE_CLINIC = timedelta(minutes=15)


def worklist(
    tx: Transaction, header: Header, now: datetime, max_age: timedelta
) -> WorklistSnapshot:
    cases = tx.cases.in_state(CaseState.AWAITING)
    rows = sorted((_row(tx, case, now) for case in cases), key=lambda r: (r.due_at, r.created_at))
    rows += sent_rows(tx, tx.recalls.flagged(), "changed-after-sending")
    rows += sent_rows(tx, tx.recalls.stuck(), "recalled")
    counts = Counter(code for row in rows for code in row.reasons)
    return WorklistSnapshot(
        header,
        tuple(rows),
        tuple(counts.most_common(6)),
        (
            *feed_notices(tx.roster.last_message_at(), now, max_age),
            *source_notices(tx, header.station),
        ),
        tx.journal.last_at("case.decided"),
        sent_rows(tx, tx.recalls.sent(LATELY), "sent"),
    )


def feed_notices(last: str, now: datetime, max_age: timedelta) -> tuple[Notice, ...]:
    """A list of patients that is old or not there is said: new patients may be missing."""
    if not last:
        return (Notice(Mood.CARE, say("KX-504")),)
    age = now - datetime.fromisoformat(last)
    if age <= max_age:
        return ()
    return (Notice(Mood.CARE, say("KX-502", n=int(age.total_seconds() // 3600))),)


def source_notices(tx: Transaction, station: str) -> tuple[Notice, ...]:
    """Another register that does not answer is said: whom only it knows is not found."""
    return tuple(
        Notice(
            Mood.NOTE,
            say("KX-505", name=each.name, since=datetime.fromisoformat(each.failing_since)),
        )
        for each in tx.sources.failing(station)
    )


def _row(tx: Transaction, case: Case, now: datetime) -> WorklistRow:
    intake = tx.intakes.get(case.intake)
    studies = case_lines(tx, case)
    candidates = case.proposal.candidates if case.proposal else ()
    appointment, due = due_of(case, now)
    chosen = tx.roster.resolve(case.picked) if case.picked else None
    return WorklistRow(
        case.id,
        intake.ticket,
        case.stated,
        (
            *(("second-person",) if seconding.first_of(tx, case.id) else ()),
            *reason_codes(case, len(tx.cases.of_intake(case.intake))),
        ),
        due.isoformat(timespec="seconds"),
        int((due - now).total_seconds() // 60),
        appointment,
        chosen.identity if chosen else None,
        candidates[0].local.identity.name.to_dicom() if candidates else "",
        len(candidates),
        len(studies),
        sum(s.images for s in studies),
        intake.station,
        case.owner,
        case.created_at,
    )


def due_of(case: Case, now: datetime) -> tuple[str, datetime]:
    """The earliest coming appointment among the candidates ("" for none), and when the decision is
    due: 15 minutes before it or four hours after it came, whichever is earlier."""
    due = datetime.fromisoformat(case.created_at) + WITHIN
    candidates = case.proposal.candidates if case.proposal else ()
    starts = [
        start
        for candidate in candidates
        for visit in candidate.local.visits
        if visit.status not in ("finished", "cancelled")
        and (start := moment_of(visit.starts_at, now)) is not None
        and start >= now
    ]
    if not starts:
        return "", due
    first = min(starts)
    return first.isoformat(timespec="seconds"), min(due, first - BEFORE_CLINIC)


def moment_of(dtm: str, now: datetime) -> datetime | None:
    """An HL7 DTM as an instant; without an offset it is local time. None when it is no time."""
    digits, sign, offset = dtm.partition("+") if "+" in dtm else dtm.partition("-")
    try:
        plain = datetime.strptime(digits[:12], "%Y%m%d%H%M")  # noqa: DTZ007 - the zone comes next
        if not sign:
            return plain.astimezone()
        return datetime.strptime(f"{digits[:12]}{sign}{offset}", "%Y%m%d%H%M%z")
    except ValueError:
        return None


def compare(
    tx: Transaction, case: Case, header: Header, policy: Policy, now: datetime, operator: Operator
) -> CompareSnapshot:
    intake = tx.intakes.get(case.intake)
    candidates = case.proposal.candidates if case.proposal else ()
    current = tuple(tx.roster.get(c.local.key) or c.local for c in candidates)
    shown = rows_for((case.stated, *(local.identity for local in current)))
    findings = Counter(f.code for f in tx.intakes.findings(intake.id))
    before = tx.decisions.about(case.stated)
    chosen = memory.chosen_before(before)
    listed = sorted(zip(candidates, current, strict=True), key=lambda c: c[1].key not in chosen)
    shown_keys = {local.key for local in current}
    writing = Writing.of(tx, case, policy, now)
    return CompareSnapshot(
        header,
        case.id,
        intake.ticket,
        case.stated,
        case.variants,
        tuple((field, text_of(case.stated, field)) for field in shown),
        tuple(
            replace(
                _column(number, candidate, local, case.stated, shown, writing),
                earlier=memory.of_record(before, local.key, operator),
            )
            for number, (candidate, local) in enumerate(listed, 1)
        ),
        case.proposal.nobody if case.proposal else 0.0,
        reason_codes(case, len(tx.cases.of_intake(case.intake))),
        case.reasons,
        int((due_of(case, now)[1] - now).total_seconds() // 60),
        case_lines(tx, case),
        tuple(findings.most_common(8)),
        case.owner,
        intake.station,
        case.created_at,
        (
            *seconding.waiting(tx, case),
            *_moved_notices(case.proposal, current),
            *source_notices(tx, header.station),
        ),
        blocked(case, header.operator),
        earlier=memory.of_others(tx, before, shown_keys, operator),
        import_only=writing.import_only(),
        pictures=pictures_of(tx, case),
        reports=tx.intakes.attachments(intake.id, case.id),
        goes=going(tx, policy, case, current, now.date()),
        sent=sent_case(tx, policy, case),
    )


def _column(
    number: int,
    candidate: Candidate,
    local: LocalPatient,
    stated: PatientIdentity,
    shown: tuple[str, ...],
    writing: Writing,
) -> CandidateColumn:
    by_field = {e.field: e for e in candidate.comparison.evidence}
    fields: tuple[FieldLine, ...] = tuple(
        compare_field(field, stated, local.identity, by_field.get(field)) for field in shown
    )
    others = tuple(
        e
        for e in candidate.comparison.evidence
        if e.field == "source" or (e.field not in shown and abs(e.weight) > 0.05)
    )
    return CandidateColumn(
        number,
        local,
        candidate.probability,
        candidate.comparison.weight,
        candidate.comparison.capped_by,
        fields,
        writing.linked(local),
        others,
    )


def _moved_notices(
    proposal: Proposal | None, current: tuple[LocalPatient, ...]
) -> tuple[Notice, ...]:
    """A registration that changed while the case waited is said before anybody decides."""
    if proposal is None or all(
        c.local == now for c, now in zip(proposal.candidates, current, strict=True)
    ):
        return ()
    return (Notice(Mood.CARE, say("KX-430")),)


def blocked(case: Case, operator: str) -> Message | None:
    """Why this operator cannot decide the case now."""
    if case.state is not CaseState.AWAITING:
        return say("KX-421")
    if case.owner and case.owner != operator:
        return say("KX-420", owner=case.owner)
    return None
