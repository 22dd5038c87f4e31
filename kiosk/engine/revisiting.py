"""Late truth: what the feed changes after a case was matched, decided or even sent.

A case that waits is matched again when one of its possible patients changed; so is one that was
resolved and not yet released. One that is already sent is flagged for a person, never moved.
"""

from __future__ import annotations

from kiosk import identity
from kiosk.engine.parts import Site
from kiosk.model.patient import LocalPatient
from kiosk.model.work import Case, CaseState
from kiosk.store import Transaction

MARK = "roster changes seen"
CHANGED = "registration changed"
CHANGED_AFTER_SENDING = "The registration of this patient changed after the scans were sent."


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
    for case in tx.cases.resting_on(keys):
        if case.state is CaseState.RESOLVED:
            tx.cases.back_to_matching(case.id, "engine", CHANGED)
        elif case.state in (CaseState.RELEASED, CaseState.DONE) and _differs(tx, case):
            tx.cases.flag(case.id, CHANGED_AFTER_SENDING)


def _differs(tx: Transaction, case: Case) -> bool:
    """Whether the archive now holds what the hospital no longer says: another survivor, another
    name, birth date or number. A new visit or telephone changes nothing that was written."""
    written = case.resolution.local if case.resolution else None
    record = tx.roster.get(case.resolution.local_key) if case.resolution else None
    if written is None or record is None or CHANGED_AFTER_SENDING in case.reasons:
        return False
    if record.merged_into:
        return True
    now = record.identity
    same = (now.name, now.birth_date, now.sex) == (written.name, written.birth_date, written.sex)
    return not (same and written.identifier in now.identifiers)
