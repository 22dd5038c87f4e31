"""Whom an event is about, registered by it where nobody has the number yet."""

from __future__ import annotations

from kiosk.model.registration import PatientFields, RegistrationEvent
from kiosk.store.roster.record import Record
from kiosk.store.roster.sheet import Sheet
from kiosk.store.roster.update import created


def target_of(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Record:
    found = sheet.find(patient.identifiers)
    return found or sheet.put(created(sheet.mint(), patient, event))
