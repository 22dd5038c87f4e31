"""What forbids an automatic link, whatever the probability: named for the person who must look."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk.identity.likeness import known_date
from kiosk.identity.names import parse, words
from kiosk.model.matching import Comparison, Evidence
from kiosk.model.patient import LocalPatient, PatientIdentity, PatientStatus

_STATUS = {
    PatientStatus.HELD: "the local record is held: it may mix two patients",
    PatientStatus.MERGED: "the local record was merged into another",
    PatientStatus.INACTIVE: "the local record was removed from use",
    PatientStatus.TEST: "the local record is a test patient",
}
_CLEARLY_DIFFERENT = ("two-parts", "same-year", "different")


def veto(stated: PatientIdentity, local: LocalPatient, evidence: Sequence[Evidence]) -> str:
    """The first reason that forbids linking these two without a person; "" when there is none."""
    level = {e.field: e.level for e in evidence}
    rules = (
        (local.status in _STATUS, _STATUS.get(local.status, "")),
        (not usable(stated), "the disc names nobody: anonymous, an alias or a test"),
        (not usable(local.identity), "the local record is a temporary registration"),
        (level["birth_date"] in _CLEARLY_DIFFERENT, "birth dates differ"),
        (level["suffix"] == "conflict", "suffixes differ: father and son?"),
        (_one_of_several(stated, local, level), "newborn of a multiple birth"),
        (_nameless(stated, local, level), "no full name to compare"),
        (level.get("given") == "different", _given_words(level)),
        (level["identifier"] == "contradicts", "the disc carries our number of another patient"),
    )
    return next((reason for holds, reason in rules if holds), "")


def usable(identity: PatientIdentity) -> bool:
    """Whether an identity names a person. JOHN DOE is somebody once a birth date is known."""
    named = [n for n in identity.names if not parse(n).placeholder]
    if not named:
        return False
    doe = "DOE" in words(f"{named[0].family} {named[0].given}")
    return bool(known_date(identity.birth_date)) or not doe


def _nameless(stated: PatientIdentity, local: LocalPatient, level: dict[str, str]) -> bool:
    """A family name alone is enough only where neither side has a given name."""
    if level.get("name") == "ideographic":
        return False
    single = not any(r.given for i in (stated, local.identity) for r in parse(i.name).readings)
    return level["family"] == "missing" or (level.get("given") == "missing" and not single)


def _one_of_several(stated: PatientIdentity, local: LocalPatient, level: dict[str, str]) -> bool:
    """A baby without a name of its own that has a twin, as the record or the letter in it says."""
    letters = {parse(i.name).newborn for i in (stated, local.identity)} - {"", "-"}
    return level.get("given") == "newborn" and (local.multiple_birth or bool(letters))


def _given_words(level: dict[str, str]) -> str:
    if level["birth_date"] == "exact" and level.get("family") == "exact":
        return "given names differ with the same family name and birth date: twins?"
    return "given names differ"


def ceiling(comparison: Comparison, verifying: bool, duplicates: int) -> str:
    """What forbids the link in this task; `duplicates` counts the record's open duplicates. A pick
    by the front desk makes up for a name that changed or is missing, never for a rival's chance."""
    level = {e.field: e.level for e in comparison.evidence}
    if level["identifier"] == "ours":
        return ""
    if level["birth_date"] == "missing":
        alone = verifying and _unique(level, duplicates) and level["suffix"] != "one-sided"
        return "" if alone else "no birth date to compare"
    if not verifying:
        return _identify_ceiling(level)
    if level["birth_date"] != "exact" and not (
        _unique(level, duplicates) or level.get("middle") in ("exact", "initial")
    ):
        return "birth date differs and others here have this name"
    if level.get("family") == "different" and not _same_but_family(level):
        return "family names differ"
    return ""


def _identify_ceiling(level: dict[str, str]) -> str:
    if level.get("given") == "newborn":
        return "temporary name of a newborn"
    corroborated = "same" in (level["address"], level["telephone"])
    if level.get("family") == "different" and not corroborated:
        return "family names differ"
    return ""


def _unique(level: dict[str, str], duplicates: int) -> bool:
    """Whether no other person here has the full name."""
    bearers = int(level.get("name", "count-0").removeprefix("count-") or 0)
    return 0 < bearers <= 1 + duplicates


def _same_but_family(level: dict[str, str]) -> bool:
    given = level.get("given") in ("exact", "nickname", "one-edit")
    return given and level["birth_date"] == "exact" and level["sex"] != "conflict"
