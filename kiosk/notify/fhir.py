"""FHIR R4: the study as an ImagingStudy, by conditional update on its UID, so that telling it
twice leaves one (R4 http.html#cond-update, imagingstudy.html)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import quote

from kiosk.model.patient import Identifier
from kiosk.notify import web
from kiosk.notify.notice import Notice, Topic
from kiosk.policy.receivers import Receiver

_UID = "urn:dicom:uid"
_MODALITY = "http://dicom.nema.org/resources/ontology/DCM"
_STATUS = {
    Topic.AVAILABLE: "available",
    Topic.HELD: "registered",
    Topic.RECALLED: "entered-in-error",
}


def tell(receiver: Receiver, notice: Notice) -> None:
    uid = quote(f"{_UID}|urn:oid:{notice.study_instance_uid}", safe="")
    url = f"{receiver.url.rstrip('/')}/ImagingStudy?identifier={uid}"
    body = json.dumps(imaging_study(notice), ensure_ascii=False).encode()
    web.send(receiver, "PUT", url, body, {"Content-Type": "application/fhir+json"})


def imaging_study(notice: Notice) -> dict[str, Any]:
    """The resource. Its subject is named by the local patient number, as the EHR knows it."""
    resource: dict[str, Any] = {
        "resourceType": "ImagingStudy",
        "identifier": _identifiers(notice),
        "status": _STATUS[notice.topic],
        "subject": {"type": "Patient", "identifier": _identifier(notice.patient.identifier)},
        "numberOfSeries": notice.series,
        "numberOfInstances": notice.images,
        "note": [{"text": notice.sentence, "time": notice.at}],
    }
    if notice.modalities:
        resource["modality"] = [{"system": _MODALITY, "code": each} for each in notice.modalities]
    if started := _date(notice.study_date):
        resource["started"] = started
    if notice.description:
        resource["description"] = notice.description
    return resource


def _identifiers(notice: Notice) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"system": _UID, "value": f"urn:oid:{notice.study_instance_uid}"}
    ]
    if notice.accession_number:
        kind = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}
        found.append({"type": {"coding": [kind]}, "value": notice.accession_number})
    return found


def _identifier(identifier: Identifier) -> dict[str, Any]:
    if identifier.universal_id_type == "ISO":
        return {"system": f"urn:oid:{identifier.universal_id}", "value": identifier.value}
    value: dict[str, Any] = {"value": identifier.value}
    if identifier.issuer:
        value["assigner"] = {"display": identifier.issuer}
    return value


def _date(study_date: str) -> str:
    try:
        return datetime.strptime(study_date, "%Y%m%d").date().isoformat()  # noqa: DTZ007
    except ValueError:
        return ""
