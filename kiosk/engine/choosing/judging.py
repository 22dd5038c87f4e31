"""Which studies are wanted: the policy is asked when a case is matched, and again before it is
released, for the patient may be another one by then."""

from __future__ import annotations

from kiosk.engine.parts import Site
from kiosk.model.matching import Resolution
from kiosk.model.relevance.choice import Judged, Relevance
from kiosk.model.work import SENT_HERE, Case
from kiosk.store import Transaction


def judge(tx: Transaction, site: Site, case: Case, resolution: Resolution | None) -> None:
    """Writes the policy's word on each study, and whether the front desk is to choose."""
    key = resolution.local_key if resolution else ""
    patient = tx.roster.get(key) if key else None
    outlines = tx.cases.outlines(case.id)
    studies = [outline.study for outline in outlines]
    words = site.policy.judge(studies, patient, site.now().date())
    judged = {outline.id: word for outline, word in zip(outlines, words, strict=True)}
    tx.choices.judge(case.id, judged, _ask(tx, site, case, words), site.policy.hash)


def _ask(tx: Transaction, site: Site, case: Case, words: tuple[Judged, ...]) -> bool:
    """What was sent to us has nobody who stands before a screen."""
    ask = site.policy.relevance.ask
    if ask == "never" or tx.intakes.get(case.intake).operator == SENT_HERE:
        return False
    several = len(tx.cases.of_intake(case.intake)) > 1
    plain = all(word.relevance is Relevance.SUGGESTED for word in words)
    return ask == "always" or several or not plain


def expire(site: Site) -> bool:
    """What was on hold for too long is left out; whether there was any."""
    with site.store.read() as tx:
        if not tx.choices.overdue():
            return False
    with site.store.begin() as tx:
        for each in tx.choices.expire():
            tx.pictures.drop(each.study)
            tx.end_case(each.case)
    return True
