"""From what a source names to a candidate that can be linked to."""

from __future__ import annotations

from dataclasses import fields, replace

from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName
from kiosk.policy.sources import Source

_LONGEST = 250


def named(
    source: Source,
    identity: PatientIdentity,
    issuer: str,
    former: tuple[PersonName, ...] = (),
    deceased: bool = False,
) -> LocalPatient | None:
    """The candidate, our own number first; None for one without a number that this hospital gave
    (`issuer`, where it is configured): scans could not be filed under it."""
    numbers = tuple(filter(_names_a_record, identity.identifiers))
    ours = tuple(i for i in numbers if issuer in ("", i.issuer, i.universal_id))
    if not ours or not identity.names:
        return None
    first = replace(ours[0], issuer=issuer or ours[0].issuer or ours[0].universal_id)
    others = tuple(i for i in numbers if i != ours[0])
    return LocalPatient(
        key=f"?{first}",
        identity=replace(
            identity, identifiers=(first, *others), names=tuple(map(_clipped, identity.names))
        ),
        former_names=tuple(map(_clipped, former[:10])),
        deceased=deceased,
        source=source.name,
    )


def _clipped(name: PersonName) -> PersonName:
    return PersonName(*(getattr(name, each.name)[:_LONGEST] for each in fields(name)))


def _names_a_record(identifier: Identifier) -> bool:
    """A number of sane length and characters, and somebody who gave it."""
    value = identifier.value
    sane = 0 < len(value) <= _LONGEST and "^" not in value
    return sane and bool(identifier.issuer or identifier.universal_id)
