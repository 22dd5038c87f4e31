"""Which rule an event is applied by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kiosk.model.registration import Applied, Effect, PatientFields, RegistrationEvent
from kiosk.store.roster.rules import accounts, linking, merging, registering
from kiosk.store.roster.rules.outcome import ignored, whole
from kiosk.store.roster.sheet import Refused, Sheet

_RULES: dict[Effect, Callable[[Sheet, RegistrationEvent, PatientFields], Applied]] = {
    Effect.UPSERT: registering.register,
    Effect.VISIT: registering.register,
    Effect.REMOVE: registering.remove,
    Effect.MERGE: merging.merge,
    Effect.CHANGE_ID: merging.change,
    Effect.MOVE_ID: merging.move_number,
    Effect.MOVE_VISIT: merging.move_visit,
    Effect.MERGE_ACCOUNT: accounts.merge,
    Effect.MOVE_ACCOUNT: accounts.move,
}
_PAIR_RULES: dict[Effect, Callable[[Sheet, RegistrationEvent], Applied]] = {
    Effect.LINK: linking.link,
    Effect.UNLINK: linking.unlink,
}


def apply(sheet: Sheet, event: RegistrationEvent) -> Applied:
    """Moves the sheet's records as the event says; a refused event moves nothing, save that a
    possible overlay leaves its record held."""
    sheet.mark()
    if not event.patients:
        return ignored("Nothing in this event is kept by the roster.")
    try:
        if event.effect in _PAIR_RULES:
            outcome = _PAIR_RULES[event.effect](sheet, event)
        else:
            rule = _RULES[event.effect]
            outcome = whole([rule(sheet, event, patient) for patient in event.patients])
    except Refused as e:
        sheet.undo()
        return e.applied
    touched = sheet.touched()
    return replace(outcome, touched=touched) if touched else outcome
