"""Deciding what will be written: the table of STANDARDS 2.2 as values, once per study."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from kiosk import __version__
from kiosk.coercion.foreseeing import foreseen
from kiosk.coercion.wording import attribute, clip, code, exact, person_name, sequence
from kiosk.model.content import Said, StatedPatient, Study
from kiosk.model.delivery import Attribute, Code, CoercionRefused, ImportOrder, Plan
from kiosk.model.matching import Action, Resolution
from kiosk.model.patient import Identifier, PatientIdentity, Visit
from kiosk.policy import Policy

MANUFACTURER = "Kiosk"
REPLACED = ("invalid", "rejected")  # the other new UIDs are for single files
ENTITY_TYPES = frozenset({"DNS", "EUI64", "ISO", "URI", "UUID", "X400", "X500"})  # (0040,0033)


def plan(
    stated: StatedPatient,
    study: Study,
    resolution: Resolution,
    policy: Policy,
    at: str,
    order: ImportOrder | None = None,
    reason: str = "COERCE",
) -> Plan:
    """What will be written into every header of `study`, given who decided what about `stated`.

    `at` is ISO 8601 (UTC unless it says otherwise): the only clock there is. At IMPORT_ONLY the
    resolution's `local` is a number made for these scans alone; without one the stated identity
    stays as it is. `reason` is CORRECT where an earlier import is put right (PS3.3 C.12.1.1.9).
    Raises CoercionRefused where nothing may be sent at all, or an identifier cannot be written in
    DICOM as it is.
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
    appended = (_contribution(policy, moment), _provenance(study, policy, moment, reason))
    ordered = tuple(sorted(attributes, key=lambda a: a.tag))
    made = Plan(
        study_instance_uid=study.study_instance_uid,
        attributes=ordered,
        appended=appended,
        keep_stated_id=local is not None,
        drop_private=policy.coercion.private_elements != "keep",
        private_creators=_kept_creators(policy),
        uids=tuple((u.was, u.now) for u in study.uids if u.why in REPLACED),
        mend=bool(study.mended or study.uids),
    )
    known = study if study.said else replace(study, said=_cataloged(stated.identity, study))
    return replace(made, changes=foreseen(made, known))


def _kept_creators(policy: Policy) -> tuple[str, ...]:
    listed = policy.coercion.private_elements == "listed"
    return policy.coercion.private_creators if listed else ()


def _cataloged(stated: PatientIdentity, study: Study) -> tuple[Said, ...]:
    """What the catalog knows of headers that were not surveyed."""
    known = {
        "PatientName": stated.name.to_dicom(),
        "PatientID": stated.identifier.value,
        "IssuerOfPatientID": stated.identifier.issuer,
        "PatientBirthDate": stated.birth_date,
        "PatientSex": stated.sex,
        "AccessionNumber": study.accession_number,
    }
    count = max(1, len(study.instances))
    return tuple(Said(attribute(k).tag, text, count) for k, text in known.items())


def for_writing(local: PatientIdentity, policy: Policy) -> PatientIdentity:
    """The record as the archive shall have it: our own authority's number first."""
    issuer = policy.identity.local_issuer
    ours = sorted(local.identifiers, key=lambda i: i.issuer != issuer)
    return replace(local, identifiers=tuple(ours))


def unregistered(stated: PatientIdentity, otherwise: str, policy: Policy) -> PatientIdentity:
    """The disc's own patient under a number made for it, the same one on every disc: a foreign
    number without its issuer would look like one of ours, and the scans would land on a stranger.
    `otherwise` makes the number where too little is stated to say that the next disc's stranger is
    this one."""
    parts = [str(stated.identifier), stated.name.to_dicom().upper(), stated.birth_date, stated.sex]
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    known = stated.name and stated.birth_date
    number = f"X{base64.b32encode(digest).decode()[:12] if known else otherwise}"
    issuer = policy.coercion.import_only_issuer
    return replace(stated, identifiers=(Identifier(number, issuer),))


def import_order(visits: Iterable[Visit], policy: Policy) -> ImportOrder | None:
    """The patient's only open order for an import of outside scans; None when there is none, or
    several, among which nobody has chosen."""
    wanted = policy.coercion.import_procedures
    found = [
        (visit, visit.order)
        for visit in visits
        if visit.order is not None
        and visit.order.procedure[0] in wanted
        and visit.status not in ("finished", "cancelled")
    ]
    if len(found) != 1:
        return None
    visit, order = found[0]
    code, meaning, scheme = order.procedure
    return ImportOrder(
        order.accession_number or visit.number,
        order.study_instance_uid,
        order.requested_procedure_id,
        meaning,
        order.scheduled_step_id,
        procedure_codes=(Code(code, scheme, meaning or code),) if scheme else (),
    )


def _moment(at: str) -> str:
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.strftime("%Y%m%d%H%M%S.%f%z")


def _patient(local: PatientIdentity, policy: Policy) -> list[Attribute]:
    """The local identity. What the hospital does not know stays as the disc has it."""
    identifier = local.identifier
    issuer = identifier.issuer or policy.identity.local_issuer
    found = [
        attribute("PatientID", exact(identifier.value, 64)),
        attribute("IssuerOfPatientID", exact(issuer, 64)),
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
            attribute("UniversalEntityID", exact(identifier.universal_id, 1024)),
            attribute("UniversalEntityIDType", identifier.universal_id_type),
        )
    ]


def _accession(order: ImportOrder | None) -> list[Attribute]:
    """A foreign accession number would collide with the local ones: it survives only in the
    Original Attributes Sequence."""
    number = order.accession_number if order else ""
    return [
        attribute("AccessionNumber", exact(number, 16)),
        sequence("IssuerOfAccessionNumberSequence"),
    ]


def _request(order: ImportOrder | None) -> list[Attribute]:
    if order is None:
        return [sequence("RequestAttributesSequence")]
    stated = {
        "StudyInstanceUID": order.study_instance_uid,
        "RequestedProcedureID": exact(order.requested_procedure_id, 16),
        "RequestedProcedureDescription": clip(order.requested_procedure_description, 64),
        "ScheduledProcedureStepID": exact(order.scheduled_step_id, 16),
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


def _provenance(study: Study, policy: Policy, moment: str, reason: str) -> Attribute:
    """The constant part of the new Original Attributes item (PS3.3 C.12.1.1.9)."""
    system = policy.coercion.modifying_system or f"{policy.site.name} {policy.site.station}"
    item = (
        attribute("SourceOfPreviousValues", clip(study.institution, 64)),
        attribute("AttributeModificationDateTime", moment),
        attribute("ModifyingSystem", clip(system, 64)),
        attribute("ReasonForTheAttributeModification", reason),
    )
    return sequence("OriginalAttributesSequence", item)
