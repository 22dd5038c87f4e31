"""A damaged medium that is read again: cleaned, in another drive, or with more patience.

It is a new intake that starts with what earlier ones have of the same medium, by its fingerprint;
only what is missing is read. What nobody decided yet of the earlier ones is withdrawn when the new
one is cataloged, so that each patient waits once.
"""

from __future__ import annotations

from collections.abc import Iterator

from kiosk.engine.parts import Site
from kiosk.model.work import CaseState, Intake
from kiosk.policy.sections import Limits
from kiosk.store import Transaction

UNDECIDED = (CaseState.OPEN, CaseState.AWAITING)


def start_from_earlier(site: Site, intake: Intake) -> None:
    """Puts what an earlier visit of the same damaged medium read into this intake's folder."""
    with site.store.read() as tx:
        earlier = next(damaged_before(tx, intake), None)
    if earlier is not None:
        site.vault.share(earlier.ticket, intake.ticket)


def damaged_before(tx: Transaction, intake: Intake) -> Iterator[Intake]:
    """This station's earlier intakes of the same medium that another visit may add to, newest
    first."""
    mark = intake.medium.fingerprint
    for earlier in tx.intakes.of_medium(mark) if mark else ():
        if earlier.id < intake.id and earlier.station == intake.station:
            report = tx.intakes.report(earlier.id)
            if report is not None and report.damaged:
                yield earlier


def limits_for(intake: Intake, limits: Limits) -> Limits:
    """With the patience that a person asked for."""
    if not intake.patience:
        return limits
    seconds = max(intake.patience, limits.patience_seconds)
    more = {"patience_seconds": seconds, "read_seconds": limits.read_seconds + seconds / 0.9}
    return limits.model_copy(update=more)


def withdraw_earlier(tx: Transaction, intake: Intake) -> None:
    """The questions that earlier visits raised and nobody answered: this one asks them anew."""
    for earlier in damaged_before(tx, intake):
        for case in tx.cases.of_intake(earlier.id):
            if case.state in UNDECIDED:
                tx.cases.withdraw(case.id, intake.ticket)
                tx.end_case(case.id)
