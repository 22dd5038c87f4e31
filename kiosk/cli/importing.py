"""`kiosk import`: the whole path of one medium, and a report of what became of every image."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kiosk import sandbox
from kiosk.cli.context import Context, fail, say
from kiosk.cli.inspecting import code_of_failure, exceeds, falls_short
from kiosk.engine import AlreadyRunning, Engine, Site, alone, reach
from kiosk.model.content import Finding
from kiosk.model.delivery import Answer
from kiosk.model.matching import Recommendation
from kiosk.model.medium import Medium, kind_at
from kiosk.model.patient import Identifier
from kiosk.model.plain import to_plain
from kiosk.model.relevance.choice import WAITING
from kiosk.model.work import Case, CaseState, Delivery, DeliveryState, Intake, IntakeState
from kiosk.store import Transaction

UNANSWERED_TRIES = 3  # an archive that is silent so often is reported; the scans wait in the vault
UNSHOWN_TRIES = 4  # archives index late: longer than that is no lateness
UNFINISHED = "Not finished in the time given. The rest goes on when the engine runs."
POLL_SECONDS = 0.25
FINAL = {IntakeState.CLOSED, IntakeState.REJECTED, IntakeState.FAILED, IntakeState.ABORTED}


def receive(
    context: Context,
    location: Path,
    operator: str,
    picked: Identifier | None,
    patience: float = 0.0,
) -> Intake:
    """A new intake for the medium, which goes on where an earlier one of the same damaged medium
    stopped. Ends the program where there is none to read."""
    if picked is not None and not picked.issuer:
        picked = Identifier(picked.value, context.policy.identity.local_issuer)
    if not context.policy.destination:
        fail("No destination is configured: add a [[destination]] to the configuration.", code=2)
    site = Site(context.store, context.vault, context.policy, context.store.now)
    there = Medium(kind_at(location), str(location.absolute()))
    try:
        medium = reach(
            site.mounts, there, lambda at: at.named(site.identify(at.path, site.policy.limits))
        )
    except sandbox.JobFailed as e:
        fail(e.finding.detail, code_of_failure(e.finding))
    with context.store.begin() as tx:
        tx.destinations.wake(context.policy.site.station)  # somebody stands here and waits for them
        return tx.intakes.create(medium, context.policy.site.station, operator, picked, patience)


def drive(context: Context, intake: Intake, wait: float | None) -> str:
    """Works (or waits for the engine that runs) until the intake has ended, waits for a person,
    or `wait` seconds have passed. Gives back why it stopped: "" or a sentence."""
    deadline = None if wait is None else time.monotonic() + wait
    told = False
    while True:
        try:
            return _alone_until_settled(context, intake, deadline)
        except AlreadyRunning:
            if not told:
                say("An engine or another import of this kiosk is running: it does the work.")
            told = True
        # It may end before this intake does: then the work is ours.
        settled, why = _settled(context, intake.id)
        if settled:
            return why
        if deadline is not None and time.monotonic() > deadline:
            return UNFINISHED
        time.sleep(POLL_SECONDS)


def _alone_until_settled(context: Context, intake: Intake, deadline: float | None) -> str:
    with alone(context.state):
        engine = Engine(Site(context.store, context.vault, context.policy, context.store.now))
        engine.recover()
        return _until_settled(context, intake, deadline, engine.run_once)


def _until_settled(
    context: Context, intake: Intake, deadline: float | None, work: Callable[[], bool]
) -> str:
    while True:
        worked = work()
        settled, why = _settled(context, intake.id)
        if settled:
            return why
        if deadline is not None and time.monotonic() > deadline:
            return UNFINISHED
        if not worked:
            time.sleep(POLL_SECONDS)


def _settled(context: Context, intake_id: int) -> tuple[bool, str]:
    with context.store.read() as tx:
        intake = tx.intakes.get(intake_id)
        if intake.state in FINAL:
            return True, ""
        if intake.state is not IntakeState.CATALOGED:
            return False, ""
        cases = tx.cases.of_intake(intake_id)
        if any(_works_on(tx, case) for case in cases):
            return False, ""
        open_ones = [
            d
            for c in cases
            for d in tx.deliveries.of_case(c.id)
            if d.state in (DeliveryState.QUEUED, DeliveryState.SENT)
        ]
        silent = {d.destination: d for d in open_ones if _is_silent(tx, context, d)}
    if open_ones and len(silent) < len({d.destination for d in open_ones}):
        return False, ""
    return True, " ".join(_silence(d) for d in silent.values())


def _works_on(tx: Transaction, case: Case) -> bool:
    """Whether the engine goes on with it by itself: where somebody is to choose, it waits."""
    if case.state is CaseState.RESOLVED:
        return not tx.choices.is_open(case.id)
    return case.state is CaseState.OPEN


def _is_silent(tx: Transaction, context: Context, delivery: Delivery) -> bool:
    """Whether nothing is to be waited for: people paused the archive, or it does not answer and
    this delivery has seen so itself. What failed before this medium came is not its failure."""
    state = tx.destinations.get(context.policy.site.station, delivery.destination)
    if state.paused:
        return True
    if delivery.state is DeliveryState.SENT:
        return bool(delivery.problem) and delivery.tries > UNSHOWN_TRIES
    return delivery.attempts > 0 and state.failures >= UNANSWERED_TRIES


def _silence(delivery: Delivery) -> str:
    if not delivery.problem:
        return (
            f"The archive {delivery.destination} is paused. The scans are safe here, and will be "
            f"sent after `kiosk destination resume {delivery.destination}`."
        )
    return (
        f"The archive {delivery.destination} is not answering ({delivery.problem}) "
        "The scans are safe here and will be sent when it is back and `kiosk engine` runs."
    )


def report(context: Context, intake_id: int) -> dict[str, Any]:
    """The report of CLI.md: per case and study what was delivered and verified."""
    with context.store.read() as tx:
        intake = tx.intakes.get(intake_id)
        cases = tx.cases.of_intake(intake_id)
        ledger = tx.intakes.ledger(intake_id)
        return {
            "intake": intake.ticket,
            "state": _state(intake, tx, cases),
            "cases": [_case(tx, case) for case in cases],
            "ledger": to_plain(ledger) or {},
            "reports": [
                {"path": a.path, "kind": a.kind, "study_instance_uid": a.study, "left_out": a.why}
                for a in tx.intakes.attachments(intake_id)
            ],
            "findings": to_plain(_findings(intake, tx.intakes.findings(intake_id))),
        }


def _findings(intake: Intake, found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """With why nothing of it is imported, where that is so."""
    if intake.failure is None or intake.failure in found:
        return found
    return (*found, intake.failure)


def _state(intake: Intake, tx: Transaction, cases: tuple[Case, ...]) -> str:
    if intake.state in (IntakeState.REJECTED, IntakeState.FAILED):
        failure = intake.failure
        return "REFUSED" if failure is None or code_of_failure(failure) != 5 else "EMPTY"
    if _asks_a_person(tx, cases):
        return "AWAITING"
    whole = intake.state is IntakeState.CLOSED and not _left_out(tx, cases)
    return "CLOSED" if whole else "PARTIAL"


def _asks_a_person(tx: Transaction, cases: tuple[Case, ...]) -> bool:
    """Whether somebody is to say whose scans they are, to choose among them, or to look at them."""
    if any(case.state is CaseState.AWAITING for case in cases):
        return True
    return any(c.standing in WAITING for case in cases for c in tx.choices.of_case(case.id))


def _left_out(tx: Transaction, cases: tuple[Case, ...]) -> int:
    counts = [tx.deliveries.counts(d.id) for c in cases for d in tx.deliveries.of_case(c.id)]
    return sum(c.get(Answer.HELD, 0) + c.get(Answer.REFUSED, 0) for c in counts)


def _case(tx: Transaction, case: Case) -> dict[str, Any]:
    proposal, resolution = case.proposal, case.resolution
    decision = proposal.recommendation if proposal else Recommendation.REVIEW
    local = resolution.local.identifier if resolution and resolution.local else None
    return {
        "case": str(case.id),
        "on_disc": {
            "patient_id": case.stated.identifier.value,
            "name": case.stated.name.to_dicom(),
            "birth_date": case.stated.birth_date,
            "sex": case.stated.sex,
        },
        "decision": decision.value,
        "why": list(case.reasons or (proposal.why if proposal else ())),
        "local": {"value": local.value, "issuer": local.issuer} if local else None,
        "studies": [_study(tx, case, row) for row, _ in tx.cases.studies(case.id)],
    }


def _study(tx: Transaction, case: Case, row: int) -> dict[str, Any]:
    study = tx.cases.study(row)
    uid = study.study_instance_uid
    deliveries = [d for d in tx.deliveries.of_case(case.id) if d.study_instance_uid == uid]
    counts = [tx.deliveries.counts(d.id) for d in deliveries]

    def everywhere(*answers: Answer) -> int:
        """An image is delivered when every archive that is to get it has it."""
        return tx.deliveries.everywhere([d.id for d in deliveries], *answers)

    def most(answer: Answer) -> int:
        return max((c.get(answer, 0) for c in counts), default=0)

    return {
        "study_instance_uid": uid,
        "instances": len(study.instances),
        "delivered": everywhere(Answer.ACCEPTED, Answer.VERIFIED),
        "verified": everywhere(Answer.VERIFIED),
        "refused": most(Answer.REFUSED),
        "held": most(Answer.HELD),
        "destinations": [
            {"name": d.destination, "state": d.state.value, "verify_level": d.verify_level}
            for d in deliveries
        ],
    }


def exit_code(context: Context, intake_id: int, stopped: str) -> int:
    """The contract's code for how the import stands."""
    with context.store.read() as tx:
        intake = tx.intakes.get(intake_id)
        cases = tx.cases.of_intake(intake_id)
        ledger = tx.intakes.ledger(intake_id)
        left_out = _left_out(tx, cases)
        findings = tx.intakes.findings(intake_id)
        asks = _asks_a_person(tx, cases)
    unsafe = exceeds(findings)
    if intake.failure is not None:
        return code_of_failure(intake.failure)
    if stopped:
        return 1
    if asks:
        return 3
    if unsafe:
        return 6
    if intake.state is not IntakeState.CLOSED or left_out:
        return 4
    hurt = ledger and ledger.damaged + ledger.unsupported + ledger.unreadable + ledger.refused
    return 4 if hurt or falls_short(findings) else 0


def words(report: dict[str, Any]) -> list[str]:
    """The report for a person at a terminal."""
    lines = [f"{report['intake']}: {report['state']}"]
    for case in report["cases"]:
        local = case["local"]
        whom = f"{local['value']} ({local['issuer']})" if local else "nobody yet"
        lines.append(f"  {case['on_disc']['name']}: {case['decision']}, filed under {whom}")
        lines += [f"    because {why}" for why in case["why"]]
        for study in case["studies"]:
            lines.append(
                f"    study: {study['instances']} images, {study['delivered']} delivered, "
                f"{study['verified']} verified, {study['refused']} refused, {study['held']} held"
            )
    lines += [f"  {f['severity']}: {f['detail'] or f['code']}" for f in report["findings"]]
    return lines
