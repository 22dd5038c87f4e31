"""Accounts (PID-18): merged, renamed and moved between patients, whose records stay as they are.

A35, A41 and A49 give MRG-3 up for PID-18, A44 takes MRG-3 from the patient MRG-1 to PID-3 (HL7 v2
chapter 3.3.35 to 3.3.49). An account that was given up still leads to its patient.
"""

from __future__ import annotations

from dataclasses import replace

from kiosk.model.patient import Identifier
from kiosk.model.registration import Applied, Disposition, PatientFields, RegistrationEvent
from kiosk.store.roster.record import Record, number
from kiosk.store.roster.rules.outcome import ignored
from kiosk.store.roster.rules.targets import target_of
from kiosk.store.roster.sheet import Refused, Sheet

_MERGED = "An account was merged into another; no patient was."
_RENAMED = "The number of an account was changed; no patient was."
_MOVED = "An account was moved to another patient; no patient was merged."


def merge(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    """The prior account is given up for the new one; both are this patient's. Done twice, it has
    no effect; of an account that nobody has is kept that it was given up."""
    old, new = patient.prior_account, patient.account
    if old is None or new is None:
        return ignored("The event names no account.")
    if number(old) == number(new):
        raise Refused("self-merge", 205, "MRG^1^3", "The prior and the new account are the same.")
    target = _whose(sheet, event, patient)
    if target is None:
        return ignored("Nobody has the account.")
    for account, where in ((new, "PID^1^18"), (old, "MRG^1^3")):
        if any(sheet.root(r).key != target.key for r in sheet.holders(account)):
            reason = "The account belongs to another patient."
            raise Refused("account-of-another-patient", 205, where, reason)
    for holder in sheet.holders(old) or [target]:
        sheet.put(replace(holder, accounts=_given_up(holder, old, event.recorded_at)))
    target = sheet.records[target.key]
    if not sheet.holders(new):
        sheet.put(replace(target, accounts=(*target.accounts, (new, ""))))
    return Applied(Disposition.APPLIED, reason=_RENAMED if event.trigger == "A49" else _MERGED)


def _whose(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Record | None:
    """The patient of PID-3; without one the one who has the accounts."""
    if patient.identifiers:
        return target_of(sheet, event, patient)
    told = [a for a in (patient.account, patient.prior_account) if a]
    return next((sheet.root(r) for a in told for r in sheet.holders(a)), None)


def move(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    """The account goes to this patient; the one who had it has it no more."""
    account = patient.prior_account or patient.account
    if account is None:
        return ignored("The event names no account.")
    target = target_of(sheet, event, replace(patient, prior=()))
    holders = sheet.holders(account)
    if any(sheet.root(h).key == target.key for h in holders):
        return ignored("The account is this patient's already.")
    for holder in holders:
        sheet.put(replace(holder, accounts=_without(holder, account)))
    given = [(account, "")]
    if patient.account and number(patient.account) != number(account):
        given = [(account, event.recorded_at), (patient.account, "")]
    target = sheet.records[target.key]
    sheet.put(replace(target, accounts=(*target.accounts, *given)))
    return Applied(Disposition.APPLIED, reason=_MOVED)


def _without(record: Record, account: Identifier) -> tuple[tuple[Identifier, str], ...]:
    return tuple(a for a in record.accounts if number(a[0]) != number(account))


def _given_up(record: Record, account: Identifier, at: str) -> tuple[tuple[Identifier, str], ...]:
    """Since when it was given up first: a repeated message changes nothing."""
    since = next((s for a, s in record.accounts if number(a) == number(account) and s), at)
    return (*_without(record, account), (account, since or "unknown"))
