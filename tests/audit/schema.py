"""The schema of PS3.15 A.5.1, as far as it can be said of one message: the order of the elements,
what each must have, and the values that are allowed. Written from the standard's text."""

from __future__ import annotations

from datetime import datetime
from xml.etree import ElementTree as ET

REQUESTORS = {"true", "false"}
CODE = {"csd-code", "codeSystemName", "originalText"}
ORDER = (
    "EventIdentification",
    "ActiveParticipant",
    "AuditSourceIdentification",
    "ParticipantObjectIdentification",
)
OBJECT_ORDER = (
    "ParticipantObjectIDTypeCode",
    "ParticipantObjectName",
    "ParticipantObjectQuery",
    "ParticipantObjectDetail",
    "ParticipantObjectDescription",
)


def validated(xml: bytes) -> ET.Element:
    """The message, if it holds to the schema; AssertionError says where it does not."""
    root = ET.fromstring(xml)
    assert root.tag == "AuditMessage"
    assert not root.attrib
    names = [child.tag for child in root]
    assert names == sorted(names, key=ORDER.index)
    (event,) = root.findall("EventIdentification")
    assert event.attrib["EventActionCode"] in set("CRUDE")
    assert event.attrib["EventOutcomeIndicator"] in {"0", "4", "8", "12"}
    assert datetime.fromisoformat(event.attrib["EventDateTime"]).tzinfo is not None
    assert next(child.tag for child in event) == "EventID"
    assert _codes(event, "EventID") == 1
    assert _codes(event, "EventTypeCode") <= 1
    _participants(root.findall("ActiveParticipant"))
    (source,) = root.findall("AuditSourceIdentification")
    assert source.attrib["AuditSourceID"]
    assert set(source.attrib) <= {"AuditSourceID", "AuditEnterpriseSiteID"}
    for thing in root.findall("ParticipantObjectIdentification"):
        _thing(thing)
    return root


def _participants(found: list[ET.Element]) -> None:
    assert sum(p.attrib["UserIsRequestor"] == "true" for p in found) == 1
    for each in found:
        assert each.attrib["UserID"]
        assert each.attrib["UserIsRequestor"] in REQUESTORS
        assert ("NetworkAccessPointID" in each.attrib) == (
            "NetworkAccessPointTypeCode" in each.attrib
        )
        assert each.attrib.get("NetworkAccessPointTypeCode", "1") in set("12345")
        _codes(each, "RoleIDCode")
        media = each.findall("MediaIdentifier")
        role = each.find("RoleIDCode")
        assert bool(media) == (role is not None and role.attrib["csd-code"] == "110155")
        for medium in media:
            assert _codes(medium, "MediaType") == 1


def _thing(thing: ET.Element) -> None:
    assert thing.attrib["ParticipantObjectID"]
    assert thing.attrib["ParticipantObjectTypeCode"] in set("1234")
    assert 1 <= int(thing.attrib["ParticipantObjectTypeCodeRole"]) <= 24
    names = [child.tag for child in thing]
    assert names == sorted(names, key=OBJECT_ORDER.index)
    assert _codes(thing, "ParticipantObjectIDTypeCode") == 1
    assert len(thing.findall("ParticipantObjectName")) == 1
    for described in thing.findall("ParticipantObjectDescription"):
        for child in described:
            wanted = {"Accession": {"Number"}, "SOPClass": {"UID", "NumberOfInstances"}}
            assert set(child.attrib) == wanted[child.tag]


def _codes(parent: ET.Element, name: str) -> int:
    found = parent.findall(name)
    for code in found:
        assert set(code.attrib) == CODE
        assert code.attrib["csd-code"]
    return len(found)
