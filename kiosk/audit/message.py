"""One audit message and its XML (DICOM PS3.15 A.5.1, which took the schema over from RFC 3881)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from xml.etree import ElementTree as ET

SUCCESS, MINOR, SERIOUS, MAJOR = 0, 4, 8, 12
"""EventOutcomeIndicator: it went well, wrong in part, not at all; the program cannot go on."""

DCM = "DCM"


@dataclass(frozen=True, slots=True)
class Code:
    value: str
    meaning: str
    system: str = DCM


@dataclass(frozen=True, slots=True)
class Participant:
    """Who or what took part. Exactly one of a message asked for it (`requestor`)."""

    user: str
    role: Code | None = None
    requestor: bool = False
    alternative: str = ""
    address: str = ""  # host name or IP address
    medium: Code | None = None  # CID 405, of a Source Media


@dataclass(frozen=True, slots=True)
class Thing:
    """What it was about. `type` and `role` are PS3.15 Table A.5.1-1's: person 1 in role patient 1,
    system object 2 in role report 3, and so on."""

    id: str
    id_type: Code
    type: int
    role: int
    details: tuple[tuple[str, str], ...] = ()
    # (SOP Class UID, number of instances), and the accession numbers, of a study
    sop_classes: tuple[tuple[str, int], ...] = ()
    accessions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditMessage:
    event: Code
    action: str  # C R U D E
    outcome: int
    at: str  # ISO 8601 with a time zone
    participants: tuple[Participant, ...]
    things: tuple[Thing, ...] = ()
    type: Code | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Who writes the messages: the station, and the enterprise that it belongs to."""

    station: str
    site: str = ""


APPLICATION_SERVER = "4"  # AuditSourceTypeCode


def to_xml(message: AuditMessage, source: Source) -> bytes:
    """UTF-8, without a byte order mark or a declaration (ITI TF-2 3.20.4.1.2)."""
    root = ET.Element("AuditMessage")
    _event(root, message)
    for each in message.participants:
        _participant(root, each)
    own = {"AuditEnterpriseSiteID": source.site} if source.site else {}
    identified = ET.SubElement(
        root, "AuditSourceIdentification", own | {"AuditSourceID": source.station}
    )
    ET.SubElement(identified, "AuditSourceTypeCode", {"csd-code": APPLICATION_SERVER})
    for thing in message.things:
        _thing(root, thing)
    return ET.tostring(root, encoding="unicode").encode()


def _event(root: ET.Element, message: AuditMessage) -> None:
    told = {
        "EventActionCode": message.action,
        "EventDateTime": message.at,
        "EventOutcomeIndicator": str(message.outcome),
    }
    event = ET.SubElement(root, "EventIdentification", told)
    _code(event, "EventID", message.event)
    if message.type is not None:
        _code(event, "EventTypeCode", message.type)
    if message.description:
        ET.SubElement(event, "EventOutcomeDescription").text = _text(message.description)


def _participant(root: ET.Element, each: Participant) -> None:
    told = {"UserID": _text(each.user), "UserIsRequestor": str(each.requestor).lower()}
    if each.alternative:
        told["AlternativeUserID"] = _text(each.alternative)
    if each.address:
        kind = "2" if _is_address(each.address) else "1"
        told |= {"NetworkAccessPointID": each.address, "NetworkAccessPointTypeCode": kind}
    participant = ET.SubElement(root, "ActiveParticipant", told)
    if each.role is not None:
        _code(participant, "RoleIDCode", each.role)
    if each.medium is not None:
        _code(ET.SubElement(participant, "MediaIdentifier"), "MediaType", each.medium)


def _thing(root: ET.Element, thing: Thing) -> None:
    told = {
        "ParticipantObjectID": _text(thing.id),
        "ParticipantObjectTypeCode": str(thing.type),
        "ParticipantObjectTypeCodeRole": str(thing.role),
    }
    element = ET.SubElement(root, "ParticipantObjectIdentification", told)
    _code(element, "ParticipantObjectIDTypeCode", thing.id_type)
    # The schema wants a name or a query: the name says no more than the identifier does.
    ET.SubElement(element, "ParticipantObjectName").text = _text(thing.id)
    for type, value in thing.details:
        told = {"type": type, "value": _base64(value)}
        ET.SubElement(element, "ParticipantObjectDetail", told)
    if thing.sop_classes or thing.accessions:
        described = ET.SubElement(element, "ParticipantObjectDescription")
        for number in thing.accessions:
            ET.SubElement(described, "Accession", {"Number": _text(number)})
        for uid, count in thing.sop_classes:
            told = {"UID": _text(uid), "NumberOfInstances": str(count)}
            ET.SubElement(described, "SOPClass", told)


def _code(parent: ET.Element, name: str, code: Code) -> None:
    told = {
        "csd-code": code.value,
        "codeSystemName": code.system,
        "originalText": code.meaning,
    }
    ET.SubElement(parent, name, told)


def _is_address(host: str) -> bool:
    return host.replace(".", "").isdigit() or ":" in host


def _text(untrusted_text: str) -> str:
    """What XML 1.0 can hold: a disc's label or a UID may have anything in it."""
    return "".join(c if c.isprintable() else "�" for c in untrusted_text)


def _base64(value: str) -> str:
    return b64encode(value.encode()).decode()
