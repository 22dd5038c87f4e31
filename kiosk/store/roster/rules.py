"""What a registration event does to the records: IHE ITI-30 and HL7 v2 chapter 3.

Anything odd is acknowledged, raised as an exception for HIM, and never guessed at: a record is
found by its numbers alone, never by resemblance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kiosk.model.patient import Identifier, Visit
from kiosk.model.registration import (
    Applied,
    Disposition,
    Effect,
    PatientFields,
    RegistrationEvent,
)
from kiosk.store.roster.record import Record, keyed, number, same_name
from kiosk.store.roster.sheet import Refused, Sheet, older
from kiosk.store.roster.update import (
    created,
    is_overlay,
    updated,
    with_alias,
    with_visit,
)

_DONE = Applied(Disposition.APPLIED)


def apply(sheet: Sheet, event: RegistrationEvent) -> Applied:
    """Moves the sheet's records as the event says; a refused event moves nothing, save that a
    possible overlay leaves its record held."""
    sheet.mark()
    if not event.patients:
        return _ignored("Nothing in this event is kept by the roster.")
    try:
        if event.effect in _PAIR_RULES:
            outcome = _PAIR_RULES[event.effect](sheet, event)
        else:
            rule = _RULES[event.effect]
            outcome = _whole([rule(sheet, event, patient) for patient in event.patients])
    except Refused as e:
        sheet.undo()
        return e.applied
    touched = sheet.touched()
    return replace(outcome, touched=touched) if touched else outcome


def _ignored(reason: str) -> Applied:
    return Applied(Disposition.IGNORED, reason=reason)


def _odd(exception: str) -> Applied:
    return Applied(Disposition.APPLIED, exception=exception)


def _whole(parts: list[Applied]) -> Applied:
    """What is to be said of a message in several parts: the worst of them."""
    return max(
        parts,
        key=lambda a: (
            a.disposition is Disposition.REJECTED,
            bool(a.exception),
            a.disposition is Disposition.APPLIED,
        ),
    )


# -- registering -----------------------------------------------------------------------------


def _register(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    record = sheet.find(patient.identifiers)
    if record is None:
        sheet.put(created(sheet.mint(), patient, event))
        return _DONE
    if not record.uses(keyed(patient.identifiers)):
        return _for_merged(sheet, event, patient)
    if older(event.recorded_at, record.updated_at):
        return _late(sheet, record, patient)
    if event.effect is Effect.VISIT:
        sheet.put(_with_unknown(sheet, with_visit(record, patient.visit), patient))
        return _DONE
    if is_overlay(record, patient):
        return _hold(sheet, record)
    own = _without_others(sheet, record, patient)
    sheet.put(updated(record, own, event))
    return _DONE


def _without_others(sheet: Sheet, record: Record, patient: PatientFields) -> PatientFields:
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
        return _ignored("A newer message about this patient was applied before.")
    sheet.put(told)
    return _DONE


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
    return _odd("update-for-merged-id")


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


def _remove(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    record = sheet.find(patient.identifiers)
    if record is None:
        return _ignored("The person to remove is not registered.")
    if not record.uses(keyed(patient.identifiers)):
        return _odd("update-for-merged-id")
    if older(event.recorded_at, record.updated_at):
        return _ignored("A newer message about this patient was applied before.")
    at = event.recorded_at or record.updated_at
    sheet.put(replace(record, inactive=True, last_event=_name(event), updated_at=at))
    return _DONE


def _name(event: RegistrationEvent) -> str:
    return f"{event.trigger} {event.control_id}"


# -- merging and renaming --------------------------------------------------------------------


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


def _merge(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    pairs = _pairs(patient)
    target = sheet.find(patient.identifiers)
    reversed_ = target is not None and not target.uses(keyed(patient.identifiers))
    into = (target or sheet.put(created(sheet.mint(), patient, event))).key
    outcomes = [_merge_one(sheet, event, patient, prior, into) for prior, _ in pairs]
    return _whole([*outcomes, *([_odd("merge-target-was-merged")] if reversed_ else [])])


def _merge_one(
    sheet: Sheet, event: RegistrationEvent, patient: PatientFields, prior: Identifier, into: int
) -> Applied:
    target, source = sheet.records[into], sheet.owner(prior)
    if source is None:
        aliased = with_alias(target, patient.prior_names)
        sheet.put(replace(aliased, prior=(*aliased.prior, (prior, event.recorded_at))))
        return _DONE
    if source.key == target.key:
        return _retire(sheet, event, patient, prior, target)
    if sheet.root(source).key == target.key:
        return _ignored("The identifiers are merged already.")
    if source.merged_into or not source.uses([prior]):
        return _odd("merge-source-was-merged")
    sheet.merge(replace(source, last_event=_name(event)), target, event.recorded_at)
    return _DONE


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
        return _ignored("The identifiers are merged already.")
    if record.uses(keyed(patient.identifiers)):
        sheet.put(_without(record, prior, event.recorded_at))
    return _DONE


def _without(record: Record, gone: Identifier, at: str) -> Record:
    kept = tuple(i for i in record.identifiers if number(i) != number(gone))
    return replace(record, identifiers=kept, prior=(*record.prior, (gone, at)))


def _change(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    pairs = _pairs(patient)
    return _whole([_change_one(sheet, event, patient, old, new) for old, new in pairs])


def _change_one(
    sheet: Sheet,
    event: RegistrationEvent,
    patient: PatientFields,
    old: Identifier,
    new: Identifier,
) -> Applied:
    source, taken = sheet.owner(old), sheet.owner(new)
    if source is None:
        return _merge_one(sheet, event, patient, old, _target(sheet, event, patient).key)
    if taken is not None and sheet.root(taken).key != sheet.root(source).key:
        reason = "The new identifier belongs to another patient."
        raise Refused("new-id-in-use", 205, "PID^1^3", reason)
    if taken is not None:
        return _retire(sheet, event, patient, old, sheet.root(source))
    renamed = _without(source, old, event.recorded_at) if source.uses([old]) else source
    sheet.put(replace(renamed, identifiers=(new, *renamed.identifiers), last_event=_name(event)))
    odd = source.merged_into or not source.uses([old])
    return _odd("update-for-merged-id") if odd else _DONE


def _target(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Record:
    found = sheet.find(patient.identifiers)
    return found or sheet.put(created(sheet.mint(), patient, event))


def _move_number(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    """A43: the number in MRG-1 was given to the wrong patient."""
    target = _target(sheet, event, replace(patient, prior=()))
    return _whole([_move_one(sheet, event, moved, target.key) for moved in keyed(patient.prior)])


def _move_one(sheet: Sheet, event: RegistrationEvent, moved: Identifier, to: int) -> Applied:
    target, source = sheet.records[to], sheet.owner(moved)
    if source is not None and sheet.root(source).key == target.key:
        return _ignored("The identifier is this patient's already.")
    if source is not None and (source.merged_into or not source.uses([moved])):
        return _odd("merge-source-was-merged")
    if source is not None:
        left = tuple(i for i in source.identifiers if number(i) != number(moved))
        if not left:
            sheet.merge(source, target, event.recorded_at)
            return _odd("identifier-moved")
        sheet.put(replace(source, identifiers=left, last_event=_name(event)))
    sheet.put(replace(target, identifiers=(*target.identifiers, moved)))
    return _odd("identifier-moved") if source is not None else _DONE


def _move_visit(sheet: Sheet, event: RegistrationEvent, patient: PatientFields) -> Applied:
    """A42, A45, A50: the visit MRG-5 is PV1-19 from now on, and this patient's."""
    old = patient.prior_visit or (patient.visit.number if patient.visit else "")
    if not old:
        return _ignored("The event names no visit.")
    target = _target(sheet, event, replace(patient, prior=()))
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
    return _DONE


# -- linking ---------------------------------------------------------------------------------


def _link(sheet: Sheet, event: RegistrationEvent) -> Applied:
    """A24: two records of one person stay two records."""
    a, b = (_target(sheet, event, patient).key for patient in event.patients)
    if a == b:
        return _ignored("Both identifiers are of one record.")
    for one, other in ((a, b), (b, a)):
        record = sheet.records[one]
        sheet.put(replace(record, linked=tuple(dict.fromkeys((*record.linked, other)))))
    return _DONE


def _unlink(sheet: Sheet, event: RegistrationEvent) -> Applied:
    """A37: takes a link away; for two merged numbers it is how sites undo a merge."""
    a, b = (_owner(sheet, patient) for patient in event.patients)
    if a is None or b is None:
        return _ignored("One of the identifiers is not registered.")
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
    return _DONE if linked else _ignored("The records are not linked.")


def _owner(sheet: Sheet, patient: PatientFields) -> Record | None:
    owners = (sheet.owner(i) for i in keyed(patient.identifiers))
    return next((o for o in owners if o is not None), None)


def _unmerge(sheet: Sheet, a: Record, b: Record) -> Applied:
    """The one that was merged, directly or not, into the other is freed."""
    for upper, lower in ((a, b), (b, a)):
        if any(child.key == lower.key for child in sheet.below(upper)):
            sheet.put(replace(lower, merged_into=0, merged_at=""))
            return _odd("unmerge-review-imports")
    return _odd("unmerge-unclear")


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
            freed = _without_others(sheet, replace(kept, key=0), patient)
            sheet.put(created(sheet.mint(), freed, event))
            return _odd("unmerge-review-imports")
    return _ignored("Both identifiers are of one record.")


_RULES: dict[Effect, Callable[[Sheet, RegistrationEvent, PatientFields], Applied]] = {
    Effect.UPSERT: _register,
    Effect.VISIT: _register,
    Effect.REMOVE: _remove,
    Effect.MERGE: _merge,
    Effect.CHANGE_ID: _change,
    Effect.MOVE_ID: _move_number,
    Effect.MOVE_VISIT: _move_visit,
}
_PAIR_RULES: dict[Effect, Callable[[Sheet, RegistrationEvent], Applied]] = {
    Effect.LINK: _link,
    Effect.UNLINK: _unlink,
}
