"""Linking two records of one person, and taking links and merges away again."""

from __future__ import annotations

from dataclasses import replace

from kiosk.model.registration import Applied, PatientFields, RegistrationEvent
from kiosk.store.roster.record import Record, keyed, number, same_name
from kiosk.store.roster.rules.outcome import DONE, ignored, odd
from kiosk.store.roster.rules.registering import without_others
from kiosk.store.roster.rules.targets import target_of
from kiosk.store.roster.sheet import Sheet
from kiosk.store.roster.update import created


def link(sheet: Sheet, event: RegistrationEvent) -> Applied:
    """A24: two records of one person stay two records."""
    a, b = (target_of(sheet, event, patient).key for patient in event.patients)
    if a == b:
        return ignored("Both identifiers are of one record.")
    for one, other in ((a, b), (b, a)):
        record = sheet.records[one]
        sheet.put(replace(record, linked=tuple(dict.fromkeys((*record.linked, other)))))
    return DONE


def unlink(sheet: Sheet, event: RegistrationEvent) -> Applied:
    """A37: takes a link away; for two merged numbers it is how sites undo a merge."""
    a, b = (_owner(sheet, patient) for patient in event.patients)
    if a is None or b is None:
        return ignored("One of the identifiers is not registered.")
    if a.key == b.key:
        return _split(sheet, event, a)
    if sheet.root(a).key == sheet.root(b).key:
        return _unmerge(sheet, a, b)
    return _without_link(sheet, sheet.root(a), sheet.root(b))


def _without_link(sheet: Sheet, a: Record, b: Record) -> Applied:
    families = [{r.key, *(c.key for c in sheet.below(r))} for r in (a, b)]
    linked = False
    for family, others in (families, families[::-1]):
        for key in sorted(family):
            record = sheet.records[key]
            kept = tuple(k for k in record.linked if k not in others)
            if kept != record.linked:
                linked = True
                sheet.put(replace(record, linked=kept))
    return DONE if linked else ignored("The records are not linked.")


def _owner(sheet: Sheet, patient: PatientFields) -> Record | None:
    owners = (sheet.owner(i) for i in keyed(patient.identifiers))
    return next((o for o in owners if o is not None), None)


def _unmerge(sheet: Sheet, a: Record, b: Record) -> Applied:
    """The one that was merged, directly or not, into the other is freed."""
    for upper, lower in ((a, b), (b, a)):
        if any(child.key == lower.key for child in sheet.below(upper)):
            sheet.put(replace(lower, merged_into=0, merged_at=""))
            return odd("unmerge-review-imports")
    return odd("unmerge-unclear")


def _split(sheet: Sheet, event: RegistrationEvent, record: Record) -> Applied:
    """A number that was merged before its record was known becomes a record of its own."""
    for patient in event.patients:
        gone = {number(i) for i in keyed(patient.identifiers)}
        left = tuple(p for p in record.prior if number(p[0]) not in gone)
        if left != record.prior:
            names = patient.names if isinstance(patient.names, tuple) else ()
            former = tuple(
                f for f in record.former if not any(same_name(f, name) for name in names)
            )
            kept = sheet.put(replace(record, prior=left, former=former))
            freed = without_others(sheet, replace(kept, key=0), patient)
            sheet.put(created(sheet.mint(), freed, event))
            return odd("unmerge-review-imports")
    return ignored("Both identifiers are of one record.")
