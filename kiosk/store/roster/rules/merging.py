"""Merging, renaming, and moving numbers and visits."""

from __future__ import annotations

from dataclasses import replace

from kiosk.model.patient import Identifier, Visit
from kiosk.model.registration import Applied, PatientFields, RegistrationEvent
from kiosk.store.roster.record import Record, keyed, number
from kiosk.store.roster.rules import accounts
from kiosk.store.roster.rules.outcome import DONE, event_name, ignored, odd, whole
from kiosk.store.roster.rules.targets import target_of
from kiosk.store.roster.sheet import Refused, Sheet
from kiosk.store.roster.update import created, with_alias, with_visit


def _pairs(patient: PatientFields) -> list[tuple[Identifier, Identifier]]:
    """Prior and new number, by authority. Raises Refused when none share one."""
    new = {i.issuer: i for i in reversed(keyed(patient.identifiers))}
    pairs = [(old, new[old.issuer]) for old in patient.prior if old.issuer in new]
    if not pairs:
        reason = "The prior and the new identifier are of different authorities."
        raise Refused("cross-authority-merge", 204, "MRG^1^1^4", reason)
    if any(number(old) == number(to) for old, to in pairs):
        reason = "The prior and the new identifier are the same."
        raise Refused("self-merge", 205, "MRG^1^1", reason)
    return pairs


def merge(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    pairs = _pairs(patient)
    target = sheet.find(patient.identifiers)
    reversed_ = target is not None and not target.uses(keyed(patient.identifiers))
    into = (target or sheet.put(created(sheet.mint(), patient, event))).key
    outcomes = [_merge_one(sheet, event, patient, prior, into) for prior, _ in pairs]
    if event.trigger == "A36" and patient.account and patient.prior_account:
        accounts.merge(sheet, event, replace(patient, prior=()))
    return whole([*outcomes, *([odd("merge-target-was-merged")] if reversed_ else [])])


def _merge_one(
    sheet: Sheet, event: RegistrationEvent, patient: PatientFields, prior: Identifier, into: int
) -> Applied:
    target, source = sheet.records[into], sheet.owner(prior)
    if source is None:
        aliased = with_alias(target, patient.prior_names)
        sheet.put(replace(aliased, prior=(*aliased.prior, (prior, event.recorded_at))))
        return DONE
    if source.key == target.key:
        return _retire(sheet, event, patient, prior, target)
    if sheet.root(source).key == target.key:
        return ignored("The identifiers are merged already.")
    if source.merged_into or not source.uses([prior]):
        return odd("merge-source-was-merged")
    sheet.merge(replace(source, last_event=event_name(event)), target, event.recorded_at)
    return DONE


def _retire(
    sheet: Sheet,
    event: RegistrationEvent,
    patient: PatientFields,
    prior: Identifier,
    record: Record,
) -> Applied:
    """Both numbers are the record's own already: the prior one is given up, unless the new one is
    itself a given-up one (a merge in reverse)."""
    if not record.uses([prior]):
        return ignored("The identifiers are merged already.")
    if record.uses(keyed(patient.identifiers)):
        sheet.put(_without(record, prior, event.recorded_at))
    return DONE


def _without(record: Record, gone: Identifier, at: str) -> Record:
    kept = tuple(i for i in record.identifiers if number(i) != number(gone))
    return replace(record, identifiers=kept, prior=(*record.prior, (gone, at)))


def change(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    pairs = _pairs(patient)
    return whole([_change_one(sheet, event, patient, old, new) for old, new in pairs])


def _change_one(
    sheet: Sheet,
    event: RegistrationEvent,
    patient: PatientFields,
    old: Identifier,
    new: Identifier,
) -> Applied:
    source, taken = sheet.owner(old), sheet.owner(new)
    if source is None:
        return _merge_one(sheet, event, patient, old, target_of(sheet, event, patient).key)
    if taken is not None and sheet.root(taken).key != sheet.root(source).key:
        reason = "The new identifier belongs to another patient."
        raise Refused("new-id-in-use", 205, "PID^1^3", reason)
    if taken is not None:
        return _retire(sheet, event, patient, old, sheet.root(source))
    renamed = _without(source, old, event.recorded_at) if source.uses([old]) else source
    sheet.put(
        replace(renamed, identifiers=(new, *renamed.identifiers), last_event=event_name(event))
    )
    merged = source.merged_into or not source.uses([old])
    return odd("update-for-merged-id") if merged else DONE


def move_number(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    """A43: the number in MRG-1 was given to the wrong patient."""
    target = target_of(sheet, event, replace(patient, prior=()))
    return whole([_move_one(sheet, event, moved, target.key) for moved in keyed(patient.prior)])


def _move_one(sheet: Sheet, event: RegistrationEvent, moved: Identifier, to: int) -> Applied:
    target, source = sheet.records[to], sheet.owner(moved)
    if source is not None and sheet.root(source).key == target.key:
        return ignored("The identifier is this patient's already.")
    if source is not None and (source.merged_into or not source.uses([moved])):
        return odd("merge-source-was-merged")
    if source is not None:
        left = tuple(i for i in source.identifiers if number(i) != number(moved))
        if not left:
            sheet.merge(source, target, event.recorded_at)
            return odd("identifier-moved")
        sheet.put(replace(source, identifiers=left, last_event=event_name(event)))
    sheet.put(replace(target, identifiers=(*target.identifiers, moved)))
    return odd("identifier-moved") if source is not None else DONE


def move_visit(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    """A42, A45, A50: the visit MRG-5 is PV1-19 from now on, and this patient's."""
    old = patient.prior_visit or (patient.visit.number if patient.visit else "")
    if not old:
        return ignored("The event names no visit.")
    target = target_of(sheet, event, replace(patient, prior=()))
    owners = [o for i in patient.prior if (o := sheet.owner(i))]
    visit = Visit(old)
    for holder in (target, *owners):
        for found in [v for v in holder.visits if v.number == old]:
            visit = found
            kept = tuple(v for v in sheet.records[holder.key].visits if v.number != old)
            sheet.put(replace(sheet.records[holder.key], visits=kept))
    new = patient.visit.number if patient.visit else old
    target = with_visit(sheet.records[target.key], replace(visit, number=new))
    sheet.put(with_visit(target, patient.visit))
    return DONE
