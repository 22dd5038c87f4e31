"""Where a case's scans will go, by the policy's rules, for each patient they may be decided for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date

from kiosk.desk.snapshots import Goes
from kiosk.model.patient import LocalPatient
from kiosk.model.work import Case
from kiosk.policy import Policy
from kiosk.store import Outline, Transaction


def going(
    tx: Transaction, policy: Policy, case: Case, candidates: Iterable[LocalPatient], today: date
) -> tuple[tuple[str, tuple[Goes, ...]], ...]:
    """By the local record's key; "" for scans of nobody registered here."""
    outlines = tx.cases.outlines(case.id)
    nobody = ("", _goes(policy, outlines, None, today))
    return (nobody, *((c.key, _goes(policy, outlines, c, today)) for c in candidates))


def _goes(
    policy: Policy, outlines: Iterable[Outline], patient: LocalPatient | None, today: date
) -> tuple[Goes, ...]:
    ways: Counter[tuple[str, str]] = Counter()
    total = 0
    for outline in outlines:
        images = outline.sizes
        total += sum(images)
        for route in policy.routes_of(outline.study, patient, today):
            ways[route.destination, route.because] += sum(images[n] for n in route.series)
    return tuple(Goes(name, because, n, total) for (name, because), n in ways.items())
