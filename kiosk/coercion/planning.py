"""Deciding what will be written: the table of STANDARDS 2.2 as values, once per study."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from functools import lru_cache

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from kiosk import __version__
from kiosk.model.content import StatedPatient, Study
from kiosk.model.delivery import Attribute, Change, CoercionRefused, ImportOrder, Plan
from kiosk.model.matching import Action, Resolution
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.policy import Policy

MANUFACTURER = "Kiosk"
ENTITY_TYPES = frozenset({"DNS", "EUI64", "ISO", "URI", "UUID", "X400", "X500"})  # (0040,0033)


def plan(
    stated: StatedPatient,
    study: Study,
    resolution: Resolution,
    policy: Policy,
    at: str,
    order: ImportOrder | None = None,
) -> Plan:
    """What will be written into every header of `study`, given who decided what about `stated`.

    `at` is ISO 8601 (UTC unless it says otherwise): the only clock there is. At IMPORT_ONLY the
    resolution's `local` is a number made for these scans alone; without one the stated identity
    stays as it is. Raises CoercionRefused where nothing may be
    sent at all, or an identifier cannot be written in DICOM as it is.
    """
    if resolution.action is Action.NOT_OURS:
        raise CoercionRefused("These scans were rejected as not ours. Nothing may be sent.")
    moment = _moment(at)
    attributes = [*_accession(order), *_request(order)]
    local = resolution.local
    if resolution.action is Action.LINK and (local is None or not local.identifier.value):
        raise CoercionRefused(
            "The decision names no local patient number. Decide again who this is."
        )
    if local is not None:
        attributes += _patient(local, policy)
    appended = (_contribution(policy, moment), _provenance(study, policy, moment))
    ordered = tuple(sorted(attributes, key=lambda a: a.tag))
    return Plan(
        study_instance_uid=study.study_instance_uid,
        attributes=ordered,
        appended=appended,
        keep_stated_id=local is not None,
        drop_private=policy.coercion.private_elements == "drop",
        changes=_foreseen(stated.identity, study, ordered, appended),
    )


def _moment(at: str) -> str:
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.strftime("%Y%m%d%H%M%S.%f%z")


def attribute(keyword: str, value: str = "") -> Attribute:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return Attribute(int(tag), dictionary_VR(tag), value)


def sequence(keyword: str, *items: tuple[Attribute, ...]) -> Attribute:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    ordered = tuple(tuple(sorted(item, key=lambda a: a.tag)) for item in items)
    return Attribute(int(tag), "SQ", items=ordered)


def _patient(local: PatientIdentity, policy: Policy) -> list[Attribute]:
    """The local identity. What the hospital does not know stays as the disc has it."""
    identifier = local.identifier
    issuer = identifier.issuer or policy.identity.local_issuer
    found = [
        attribute("PatientID", _exact(identifier.value, 64)),
        attribute("IssuerOfPatientID", _exact(issuer, 64)),
        sequence("IssuerOfPatientIDQualifiersSequence", *_qualifiers(identifier)),
    ]
    if local.name:
        found.append(attribute("PatientName", person_name(local.name)))
    if local.birth_date:
        found.append(attribute("PatientBirthDate", local.birth_date))
    if local.sex:
        found.append(attribute("PatientSex", local.sex))
    return found


def _qualifiers(identifier: Identifier) -> list[tuple[Attribute, ...]]:
    if not identifier.universal_id or identifier.universal_id_type not in ENTITY_TYPES:
        return []
    return [
        (
            attribute("UniversalEntityID", _exact(identifier.universal_id, 1024)),
            attribute("UniversalEntityIDType", identifier.universal_id_type),
        )
    ]


def _accession(order: ImportOrder | None) -> list[Attribute]:
    """A foreign accession number would collide with the local ones: it survives only in the
    Original Attributes Sequence."""
    number = order.accession_number if order else ""
    return [
        attribute("AccessionNumber", _exact(number, 16)),
        sequence("IssuerOfAccessionNumberSequence"),
    ]


def _request(order: ImportOrder | None) -> list[Attribute]:
    if order is None:
        return [sequence("RequestAttributesSequence")]
    stated = {
        "StudyInstanceUID": order.study_instance_uid,
        "RequestedProcedureID": _exact(order.requested_procedure_id, 16),
        "RequestedProcedureDescription": clip(order.requested_procedure_description, 64),
        "ScheduledProcedureStepID": _exact(order.scheduled_step_id, 16),
        "ScheduledProcedureStepDescription": clip(order.scheduled_step_description, 64),
    }
    item = tuple(attribute(keyword, value) for keyword, value in stated.items() if value)
    studies = [
        (attribute("ReferencedSOPClassUID", c), attribute("ReferencedSOPInstanceUID", i))
        for c, i in order.referenced_studies
    ]
    found = [
        sequence("RequestAttributesSequence", *([item] if item else [])),
        sequence("ReferencedStudySequence", *studies),
    ]
    codes = [code(c.value, c.scheme, c.meaning) for c in order.procedure_codes]
    return [*found, sequence("ProcedureCodeSequence", *codes)] if codes else found


def code(value: str, scheme: str, meaning: str) -> tuple[Attribute, ...]:
    return (
        attribute("CodeValue", _exact(value, 16)),
        attribute("CodingSchemeDesignator", _exact(scheme, 16)),
        attribute("CodeMeaning", clip(meaning, 64)),
    )


def _contribution(policy: Policy, moment: str) -> Attribute:
    """Who we are (PS3.3 C.12.1.1.5, CID 7005)."""
    item = [
        attribute("Manufacturer", MANUFACTURER),
        attribute("StationName", clip(policy.site.station, 16)),
        attribute("ManufacturerModelName", MANUFACTURER),
        attribute("SoftwareVersions", __version__),
        attribute("ContributionDateTime", moment),
        attribute("ContributionDescription", "Imported from portable media"),
        sequence(
            "PurposeOfReferenceCodeSequence",
            code("MEDIM", "DCM", "Portable Media Importer Equipment"),
        ),
    ]
    if policy.site.institution:
        item.append(attribute("InstitutionName", clip(policy.site.institution, 64)))
    return sequence("ContributingEquipmentSequence", tuple(item))


def _provenance(study: Study, policy: Policy, moment: str) -> Attribute:
    """The constant part of the new Original Attributes item (PS3.3 C.12.1.1.9)."""
    system = policy.coercion.modifying_system or f"{policy.site.name} {policy.site.station}"
    item = (
        attribute("SourceOfPreviousValues", clip(study.institution, 64)),
        attribute("AttributeModificationDateTime", moment),
        attribute("ModifyingSystem", clip(system, 64)),
        attribute("ReasonForTheAttributeModification", "COERCE"),
    )
    return sequence("OriginalAttributesSequence", item)


def person_name(name: PersonName) -> str:
    """PN text (PS3.5 6.2): 64 characters a group, the least important components given up
    first when a group is longer, and nothing that would end a component or a value early."""
    parts = [name.family, name.given, name.middle, name.prefix, name.suffix]
    parts = [clip(part, 64, forbidden="\\^=") for part in parts]
    for least in (3, 4, 2):  # prefix, suffix, middle
        if len("^".join(parts).rstrip("^")) > 64:
            parts[least] = ""
    alphabetic = "^".join(parts).rstrip("^")[:64].rstrip()
    groups = (alphabetic, *(clip(g, 64, "\\=") for g in (name.ideographic, name.phonetic)))
    return "=".join(groups).rstrip("=")


def clip(text: str, length: int, forbidden: str = "\\") -> str:
    """`text` without control characters and `forbidden` ones, at most `length` characters."""
    if text.isprintable() and not any(c in text for c in forbidden):
        return text[:length].strip()
    kept = (
        " " if c in forbidden or unicodedata.category(c) in ("Cc", "Cs", "Cn") else c for c in text
    )
    return "".join(kept)[:length].strip()


def _exact(text: str, length: int) -> str:
    """An identifier: as it is, or not at all. A number cut short is another patient's."""
    if clip(text, length) != text.strip():
        raise CoercionRefused(
            "An identifier is too long for DICOM or has a character that DICOM forbids. "
            "The scans cannot be filed under it; correct it where it was registered."
        )
    return text.strip()


def _foreseen(
    was: PatientIdentity,
    study: Study,
    attributes: tuple[Attribute, ...],
    appended: tuple[Attribute, ...],
) -> tuple[Change, ...]:
    """The plan in words, as far as the catalog knows what the headers have."""
    known = {
        "PatientName": was.name.to_dicom(),
        "PatientID": was.identifier.value,
        "IssuerOfPatientID": was.identifier.issuer,
        "PatientBirthDate": was.birth_date,
        "PatientSex": was.sex,
        "AccessionNumber": study.accession_number,
    }
    rows = []
    for a in attributes:
        before, after = known.get(keyword_for_tag(a.tag), ""), describe(a)
        if before != after:
            rows.append(change(a.tag, before, after))
    rows += [change(a.tag, "", "one item more") for a in appended]
    return tuple(sorted(rows, key=lambda row: row.tag))


def change(tag: int, was: str, now: str) -> Change:
    return Change(*_names(tag), was, now)


@lru_cache(maxsize=1024)
def _names(tag: int) -> tuple[str, str]:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})", keyword_for_tag(tag)


def describe(a: Attribute) -> str:
    """An attribute's value for people: the values of a sequence's items in one line."""
    if a.vr != "SQ":
        return a.value
    return "; ".join(", ".join(filter(None, map(describe, item))) for item in a.items)
