"""What forbids an automatic link, whatever the probability: named for the person who must look."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk.identity.likeness import known_date
from kiosk.identity.naming import parse, words
from kiosk.model.matching import Comparison, Evidence
from kiosk.model.patient import LocalPatient, PatientIdentity, PatientStatus

_STATUS = {
    PatientStatus.HELD: "the local record is held: it may mix two patients",
    PatientStatus.MERGED: "the local record was merged into another",
    PatientStatus.INACTIVE: "the local record was removed from use",
    PatientStatus.TEST: "the local record is a test patient",
}
_RARE_BITS = 4.0  # so much rarer than names usually are
_CLEARLY_DIFFERENT = ("two-parts", "same-year", "different")


def veto(stated: PatientIdentity, local: LocalPatient, evidence: Sequence[Evidence]) -> str:
    """The first reason that forbids linking these two without a person; "" when there is none."""
    level = {e.field: e.level for e in evidence}
    return (
        _STATUS.get(local.status)
        or (not usable(stated) and "the disc names nobody: anonymous, an alias or a test")
        or (not usable(local.identity) and "the local record is a temporary registration")
        or (level["birth_date"] in _CLEARLY_DIFFERENT and "birth dates differ")
        or (level["suffix"] == "conflict" and "suffixes differ: father and son?")
        or (_one_of_several(stated, local, level) and "newborn of a multiple birth")
        or (_nameless(stated, local, level) and "no full name to compare")
        or (level.get("given") == "different" and _given_words(level))
        or (_brother_and_sister(level) and "sex and given name differ: brother and sister?")
        or (level.get("middle") == "conflict" and "middle names differ: a namesake?")
        or (
            level["identifier"] == "contradicts"
            and "the disc carries our number of another patient"
        )
        or (local.source and f"only {local.source} knows this patient, our registration does not")
        or ""
    )


def usable(identity: PatientIdentity) -> bool:
    """Whether an identity names a person. JOHN DOE is somebody once a birth date is known."""
    named = [n for n in identity.names if not parse(n).placeholder]
    if named and not known_date(identity.birth_date):
        return "DOE" not in words(f"{named[0].family} {named[0].given}")
    return bool(named)


def _nameless(stated: PatientIdentity, local: LocalPatient, level: dict[str, str]) -> bool:
    """A family name alone is enough only where neither side has a given name."""
    if level.get("name") == "ideographic":
        return False
    if level["family"] == "missing":
        return True
    return level["given"] == "missing" and any(
        reading.given for i in (stated, local.identity) for reading in parse(i.name).readings
    )


def _one_of_several(stated: PatientIdentity, local: LocalPatient, level: dict[str, str]) -> bool:
    """A baby without a name of its own that has a twin, as the record or the letter in it says."""
    if level.get("given") != "newborn":
        return False
    letters = {parse(i.name).newborn for i in (stated, local.identity)} - {"", "-"}
    return local.multiple_birth or bool(letters)


def _brother_and_sister(level: dict[str, str]) -> bool:
    """ANGELO and ANGELICA: alike names of twins, where a wrong sex alone is a slip."""
    return level["sex"] == "conflict" and level.get("given") not in ("exact", None)


def _given_words(level: dict[str, str]) -> str:
    if level["birth_date"] == "exact" and level.get("family") == "exact":
        return "given names differ with the same family name and birth date: twins?"
    return "given names differ"


def ceiling(comparison: Comparison, verifying: bool) -> str:
    """What forbids the link in this task. A pick by the front desk makes up for a name that changed
    or is missing, never for a rival's chance."""
    level = {e.field: e.level for e in comparison.evidence}
    if level["identifier"] == "ours":
        return ""
    if level["birth_date"] == "missing":
        believed = _believed(comparison, level)
        return "" if believed else "no birth date to compare"
    if level.get("family") == "different" and not _same_but_family(level):
        return "family names differ"
    return (_crossed(level) or _common(level)) if verifying else ""


def _crossed(level: dict[str, str]) -> str:
    """PAUL R and ROBERT P: a pick may have hit his twin, and two initials are soon alike."""
    crossed = level.get("given") == "crossed-initials"
    return "only initials say that the given names are one person's" if crossed else ""


def _common(level: dict[str, str]) -> str:
    """A pick is made by name: what differs besides must not leave others of that name."""
    if _unique(level) or level.get("middle") in ("exact", "initial"):
        return ""
    if level["birth_date"] != "exact":
        return "birth date differs and others here have this name"
    return "sex differs and others here have this name" if level["sex"] == "conflict" else ""


def _believed(comparison: Comparison, level: dict[str, str]) -> bool:
    """Without a birth date the whole name must agree, be nobody else's and no father's and son's,
    and be rare or come with the same middle name: a pick may have hit a namesake, and a namesake
    who is not registered here may have brought the disc."""
    whole = level.get("family") in ("exact", "part") and level.get("given") == "exact"
    if not (whole and _unique(level)) or level["suffix"] == "one-sided" or "namesake" in level:
        return False
    rarity = sum(e.weight for e in comparison.evidence if e.field in ("family_name", "name"))
    return rarity >= _RARE_BITS or level["middle"] in ("exact", "initial")


def _unique(level: dict[str, str]) -> bool:
    """Whether no other person here has the full name."""
    return level.get("name", "") in ("count-0", "count-1")


def _same_but_family(level: dict[str, str]) -> bool:
    given = level.get("given") in ("exact", "nickname", "one-edit")
    return given and level["birth_date"] == "exact" and level["sex"] != "conflict"
