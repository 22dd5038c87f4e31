"""Late truth: what the feed changes after a case was matched, decided or even sent.

A case that waits is matched again when one of its possible patients changed; so is one that was
resolved or released and of which no archive has anything. Of one that is already out, or partly,
nothing more is sent and a person is asked; what is out is never moved.
"""

from __future__ import annotations

from kiosk import identity
from kiosk.engine.parts import Site
from kiosk.model.patient import LocalPatient, PatientStatus, PersonName
from kiosk.model.work import Case, CaseState
from kiosk.store import Transaction

MARK = "roster changes seen"
CHANGED = "registration changed"
CHANGED_AFTER_SENDING = "The registration of this patient changed after the scans were sent."

WITHHELD = (
    "The registration of this patient changed while these scans were on their way, so no more of "
    "them is sent. HIM recalls them, or leaves what was sent: then the rest goes out as the "
    "registration is now."
)


def revisit(site: Site) -> bool:
    """Takes the roster's changes since the last time; whether there were any."""
    with site.store.read() as tx:
        if not tx.roster.changes_since(tx.mark(site.station, MARK), 1)[1]:
            return False
    with site.store.begin() as tx:
        last, changed = tx.roster.changes_since(tx.mark(site.station, MARK))
        locals_ = [found for key in changed if (found := tx.roster.get(key))]
        _match_again(tx, locals_)
        _look_at_what_rests_on(tx, changed)
        tx.set_mark(site.station, MARK, last)
    return True


def _match_again(tx: Transaction, changed: list[LocalPatient]) -> None:
    waiting = tx.cases.in_state(CaseState.AWAITING)
    if not waiting:
        return
    touched: frozenset[str] = frozenset().union(*map(identity.keys_of, changed))
    keys = {local.key for local in changed}
    for case in waiting:
        if _candidates(case) & keys or identity.keys(case.stated) & touched:
            tx.cases.back_to_matching(case.id, "engine", CHANGED)


def _candidates(case: Case) -> set[str]:
    return {c.local.key for c in case.proposal.candidates} if case.proposal else set()


def _look_at_what_rests_on(tx: Transaction, keys: tuple[str, ...]) -> None:
    """Also what rests on a record that was merged into one of these."""
    found = set(keys)
    for key in keys:
        below = [key]
        while below:
            priors = {p.key for p in tx.roster.merged_from(below.pop())} - found
            found |= priors
            below += priors
    for case in tx.cases.resting_on(sorted(found)):
        if case.state is CaseState.RESOLVED:
            tx.cases.back_to_matching(case.id, "engine", CHANGED)
        else:
            look_again(tx, case)


def look_again(tx: Transaction, case: Case) -> bool:
    """Whether what was released rests on a record that is another by now. Then nothing more of it
    goes out under the old one."""
    sent = case.state in (CaseState.RELEASED, CaseState.DONE)
    if not sent or not differs(tx, case):
        return False
    if CHANGED_AFTER_SENDING in case.reasons:  # asked already; what was queued since waits, too
        return tx.withholding.withhold(case.id, WITHHELD)
    tx.changed_after_release(case, CHANGED, CHANGED_AFTER_SENDING, WITHHELD)
    return True


def differs(tx: Transaction, case: Case) -> bool:
    """Whether the hospital no longer says what was written, or what a person has since agreed to:
    another survivor, another name, birth date or number, one that was un-merged, or a record on
    hold. A new visit or telephone changes nothing that was written."""
    then = tx.recalls.rests_on(case.id)
    now = tx.roster.survivor(then.key) if then else None
    if then is None or now is None:
        return False
    if now.key != then.key or (
        now.status is not PatientStatus.ACTIVE and now.status != then.status
    ):
        return True
    if then.identity.identifier not in now.identity.identifiers or _named(then) != _named(now):
        return True
    return bool({*then.prior_identifiers} - {*now.prior_identifiers, *now.identity.identifiers})


def _named(local: LocalPatient) -> tuple[PersonName, str, str]:
    return local.identity.name, local.identity.birth_date, local.identity.sex
