"""Two identities side by side: which fields agree, and which characters do not."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from kiosk.desk.snapshots import FieldLine, Mark, Outcome
from kiosk.model.matching import Evidence
from kiosk.model.patient import PatientIdentity

FIELDS = ("family", "given", "middle", "birth_date", "sex", "identifier")
CONTACT = ("address", "telephone")


def text_of(identity: PatientIdentity, field: str) -> str:
    """The field as raw text; the identifier with its issuer (`A99^ST MARY`)."""
    name = identity.name
    return {
        "family": name.family or name.ideographic,
        "given": name.given,
        "middle": name.middle,
        "birth_date": identity.birth_date,
        "sex": identity.sex,
        "identifier": str(identity.identifier),
        "address": identity.address,
        "telephone": identity.telephone,
    }[field]


def rows_for(identities: Iterable[PatientIdentity]) -> tuple[str, ...]:
    """The fields worth a row: the six always-shown ones without an all-empty middle name, and
    address or telephone where anybody states one."""
    known = tuple(identities)
    optional = {"middle", *CONTACT}
    return tuple(
        f
        for f in (*FIELDS, *CONTACT)
        if f not in optional or any(text_of(identity, f) for identity in known)
    )


def marks(disc: str, ours: str) -> tuple[tuple[Mark, ...], tuple[Mark, ...]]:
    """The runs of either text that the other does not have, letter case aside."""
    a, b = disc.lower(), ours.lower()
    if len(a) != len(disc) or len(b) != len(ours):  # a case mapping changed the positions
        a, b = disc, ours
    left: list[Mark] = []
    right: list[Mark] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag != "equal":
            left += [Mark(i1, i2 - i1)] if i2 > i1 else []
            right += [Mark(j1, j2 - j1)] if j2 > j1 else []
    return tuple(left), tuple(right)


def compare_field(
    field: str, disc: PatientIdentity, ours: PatientIdentity, evidence: Evidence | None = None
) -> FieldLine:
    """One row: the same, alike (at most a quarter of the characters differ, or one part of a
    date), or different."""
    a, b = text_of(disc, field), text_of(ours, field)
    if field == "identifier":
        return _identifier(disc, ours, a, b, evidence)
    if not a or not b:
        return FieldLine(field, a, b, Outcome.MISSING, evidence=evidence)
    if a.casefold() == b.casefold():
        return FieldLine(field, a, b, Outcome.SAME, evidence=evidence)
    left, right = _date_marks(a, b) if field == "birth_date" else marks(a, b)
    changed = max(sum(m.length for m in left), sum(m.length for m in right))
    alike = len(left) == 1 if field == "birth_date" else 4 * changed <= max(len(a), len(b))
    outcome = Outcome.SIMILAR if alike and field != "sex" else Outcome.DIFFERENT
    return FieldLine(field, a, b, outcome, left, right, evidence)


def _date_marks(a: str, b: str) -> tuple[tuple[Mark, ...], tuple[Mark, ...]]:
    """Year, month and day that differ: a date is read by its parts, not by its digits."""
    if len(a) != 8 or len(b) != 8:
        return marks(a, b)
    parts = tuple(Mark(i, j - i) for i, j in ((0, 4), (4, 6), (6, 8)) if a[i:j] != b[i:j])
    return parts, parts


def _identifier(
    disc: PatientIdentity, ours: PatientIdentity, a: str, b: str, evidence: Evidence | None
) -> FieldLine:
    """Another hospital's number differs by nature: it is no disagreement (PS3.3 C.7.1.1)."""
    mine, theirs = disc.identifier, ours.identifier
    if not mine.value or not theirs.value or not mine.issuer or mine.issuer != theirs.issuer:
        return FieldLine("identifier", a, b, Outcome.MISSING, evidence=evidence)
    if mine.value == theirs.value:
        return FieldLine("identifier", a, b, Outcome.SAME, evidence=evidence)
    left, right = marks(a, b)
    return FieldLine("identifier", a, b, Outcome.DIFFERENT, left, right, evidence)
