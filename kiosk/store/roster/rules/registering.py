"""Registering, updating and removing a patient."""

from __future__ import annotations

from dataclasses import replace

from kiosk.model.patient import Identifier
from kiosk.model.registration import (
    Applied,
    Disposition,
    Effect,
    PatientFields,
    RegistrationEvent,
)
from kiosk.store.roster.record import Record, keyed, number
from kiosk.store.roster.rules.outcome import DONE, event_name, ignored, odd
from kiosk.store.roster.sheet import Sheet, older
from kiosk.store.roster.update import (
    created,
    is_overlay,
    updated,
    with_account,
    with_alias,
    with_visit,
)


def register(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    record = sheet.find(patient.identifiers)
    if record is None:
        sheet.put(created(sheet.mint(), patient, event))
        return DONE
    if not record.uses(keyed(patient.identifiers)):
        return _for_merged(sheet, event, patient)
    if older(event.recorded_at, record.updated_at):
        return _late(sheet, record, patient)
    if event.effect is Effect.VISIT:
        told = with_account(with_visit(record, patient.visit), patient.account)
        sheet.put(_with_unknown(sheet, told, patient))
        return DONE
    if is_overlay(record, patient):
        return _hold(sheet, record)
    own = without_others(sheet, record, patient)
    sheet.put(updated(record, own, event))
    return DONE


def without_others(sheet: Sheet, record: Record, patient: PatientFields) -> PatientFields:
    """The fields without numbers that this record gave up, which are not revived, and those that
    another has: one merged into this, which gets them back when it is un-merged."""
    gone = {number(i) for i, _ in record.prior}
    mine = tuple(
        i
        for i in patient.identifiers
        if (sheet.owner(i) or record).key == record.key and number(i) not in gone
    )
    return patient if len(mine) == len(patient.identifiers) else replace(patient, identifiers=mine)


def _late(sheet: Sheet, record: Record, patient: PatientFields) -> Applied:
    """An older message: it may tell of a visit or a number that is not known yet, and of nothing
    else."""
    told = _with_unknown(sheet, record, patient)
    if patient.visit and all(v.number != patient.visit.number for v in record.visits):
        told = with_visit(told, patient.visit)
    if told == record:
        return ignored("A newer message about this patient was applied before.")
    sheet.put(told)
    return DONE


def _with_unknown(sheet: Sheet, record: Record, patient: PatientFields) -> Record:
    """The record with those of the numbers that nobody has yet."""
    more = tuple(i for i in keyed(patient.identifiers) if sheet.owner(i) is None)
    return replace(record, identifiers=(*record.identifiers, *more)) if more else record


def _for_merged(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    """An update for a number that was merged or changed. The survivor is not overwritten; what was
    recorded before the merge still tells a name that the patient is known by."""
    owner, since = _given_up(sheet, keyed(patient.identifiers))
    if older(event.recorded_at, since) and isinstance(patient.names, tuple):
        owner = with_alias(owner, patient.names)
    sheet.put(_with_unknown(sheet, owner, patient))
    return odd("update-for-merged-id")


def _given_up(sheet: Sheet, identifiers: tuple[Identifier, ...]) -> tuple[Record, str]:
    """The record that carried the first known of these numbers, and when it was given up."""
    identifier, owner = next((i, o) for i in identifiers if (o := sheet.owner(i)) is not None)
    since = {number(i): at for i, at in owner.prior}
    return owner, since.get(number(identifier), owner.merged_at)


def _hold(sheet: Sheet, record: Record) -> Applied:
    sheet.put(replace(record, held=True))
    return Applied(
        Disposition.REJECTED,
        "AE",
        206,
        "PID^1^5",
        "Name and birth date change together: possibly another person under this number. "
        "The record is held until it is reviewed.",
        exception="possible-overlay",
    )


def remove(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    record = sheet.find(patient.identifiers)
    if record is None:
        return ignored("The person to remove is not registered.")
    if not record.uses(keyed(patient.identifiers)):
        return odd("update-for-merged-id")
    if older(event.recorded_at, record.updated_at):
        return ignored("A newer message about this patient was applied before.")
    at = event.recorded_at or record.updated_at
    sheet.put(replace(record, inactive=True, last_event=event_name(event), updated_at=at))
    return DONE
