"""Telling the manager of performed procedure steps how an import stands. Nothing waits for it."""

from __future__ import annotations

from dataclasses import replace

from kiosk import delivery
from kiosk.engine.delivering.backing_off import later
from kiosk.engine.parts import Settlement, Site
from kiosk.model.content import Study
from kiosk.model.delivery import IMPORTED, Answer, Code, PerformedStep, StepStatus
from kiosk.model.medium import Medium, MediumKind
from kiosk.model.work import Case
from kiosk.store import Lease, StepRow, Transaction

REFUSED = "REFUSED"
CD_BYTES = 950_000_000  # the largest CD there is; more is a DVD
TAKEN = (Answer.ACCEPTED, Answer.VERIFIED)


def tell(site: Site, work: StepRow) -> Settlement:
    """The next word on a step: that it began, then how it ended."""
    settings = site.policy.procedure_step
    begins = not work.told
    with site.store.read() as tx:
        step = _step(tx, site, work, begins)
    calling = settings.calling_ae_title or site.policy.site.ae_title
    answer = delivery.report_step(settings.peer, calling, step)

    def settle(tx: Transaction, held: Lease) -> None:
        if not answer.problem:
            tx.steps.told(held, step.status.value)
        elif answer.retry:
            tx.steps.wait(held, later(site, held.tries), answer.problem)
        else:
            tx.steps.told(held, REFUSED, answer.problem)

    return settle


def _step(tx: Transaction, site: Site, work: StepRow, begins: bool) -> PerformedStep:
    case = tx.cases.get(work.case)
    study = tx.cases.study(work.study)
    decided = case.resolution
    return PerformedStep(
        work.sop_instance_uid,
        f"IMP{work.id}",
        StepStatus.IN_PROGRESS if begins else work.wanted,
        (decided.local if decided else None) or case.stated,
        study if begins else _imported(tx, case, study),
        _performed(tx.intakes.get(case.intake).medium),
        site.station,
        work.begun_at,
        work.ended_at,
    )


def _imported(tx: Transaction, case: Case, study: Study) -> Study:
    """The study with those of its instances that some archive took."""
    taken = {
        instance.file
        for each in tx.deliveries.of_case(case.id)
        if each.study_instance_uid == study.study_instance_uid
        for instance, _ in tx.deliveries.results(each.id, *TAKEN)
    }
    series = tuple(
        replace(s, instances=tuple(i for i in s.instances if i.file in taken)) for s in study.series
    )
    return replace(study, series=series)


def _performed(medium: Medium) -> Code:
    if medium.kind not in (MediumKind.OPTICAL, MediumKind.IMAGE):
        return IMPORTED["other"]
    return IMPORTED["cd" if medium.bytes <= CD_BYTES else "dvd"]
