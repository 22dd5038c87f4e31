"""Journal lines become audit messages as PS3.15 A.5.3 has them."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.audit import AUDITED, SILENT, Source, Subject, Transfer, messages, to_xml
from kiosk.model.content import Instance, Series, Study
from kiosk.model.medium import Medium, MediumKind
from kiosk.model.patient import Identifier
from kiosk.model.work import DeliveryState, Event, IntakeState
from tests.audit.schema import validated

ROOT = Path(__file__).parents[2] / "kiosk"
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
AT = "2026-11-24T10:00:00.123+00:00"
DISC = Medium(MediumKind.OPTICAL, "/dev/sr0", "DOE JANE", fileset_id="SET1", fingerprint="sha256:f")


def images(sop_class: str, count: int) -> Series:
    explicit = "1.2.840.10008.1.2.1"
    each = (Instance(f"1.9.{n}", sop_class, explicit, n, "IM", 1, "") for n in range(count))
    return Series("1.2.3.4", instances=tuple(each))


STUDY = Study("1.2.3", accession_number="A1", series=(images(CT, 3), images(MR, 2)))


def subject(kind: str, **more: object) -> Subject:
    actor = str(more.pop("actor", "engine"))
    data = more.pop("data", {})
    assert isinstance(data, dict)
    given = {
        "medium": DISC,
        "operator": "clerk",
        "patients": (Identifier("0012", "HOSP"),),
        "studies": (STUDY,),
        "transfer": Transfer("PACS", "10.0.0.5", "ARCHIVE"),
    }
    event = Event(kind, 1, 2, 3, actor, data, id=9, at=AT)
    return Subject(event, "kiosk-1", "KIOSK", **(given | more))  # type: ignore[arg-type]


def xml_of(told: Subject) -> list[ET.Element]:
    source = Source("kiosk-1", "Test Hospital")
    return [validated(to_xml(message, source)) for message in messages(told)]


def code(element: ET.Element, path: str) -> str:
    found = element.find(path)
    assert found is not None
    return found.attrib["csd-code"]


@pytest.mark.parametrize("kind", sorted(AUDITED))
def test_every_message_holds_to_the_schema(kind: str) -> None:
    assert xml_of(subject(kind)), "it has no message"
    assert xml_of(subject(kind, medium=None, patients=(), studies=(), transfer=None, operator=""))


def test_a_disc_is_an_import_from_its_medium_about_every_patient_on_it() -> None:
    patients = (Identifier("1", "HOSP"), Identifier("77"), Identifier("1", "HOSP"))
    (message,) = xml_of(subject("intake.cataloged", patients=patients))
    event = message.find("EventIdentification")
    assert event is not None
    assert code(event, "EventID") == "110107"
    assert (event.get("EventActionCode"), event.get("EventOutcomeIndicator")) == ("C", "0")
    us, clerk, medium = message.findall("ActiveParticipant")
    assert code(us, "RoleIDCode") == "110152"
    assert (clerk.get("UserID"), clerk.get("UserIsRequestor")) == ("clerk", "true")
    assert code(medium, "RoleIDCode") == "110155"
    assert code(medium, "MediaIdentifier/MediaType") == "110032"
    things = message.findall("ParticipantObjectIdentification")
    assert [t.get("ParticipantObjectID") for t in things] == ["1.2.3", "1^^^HOSP", "77"]
    described = things[0].find("ParticipantObjectDescription")
    assert described is not None
    assert [dict(child.attrib) for child in described] == [
        {"Number": "A1"},
        {"UID": CT, "NumberOfInstances": "3"},
        {"UID": MR, "NumberOfInstances": "2"},
    ]


def test_the_disc_s_label_stays_out_of_it() -> None:
    """It may be the patient's name, and the fingerprint names the medium better."""
    (message,) = xml_of(subject("intake.cataloged"))
    assert "DOE" not in ET.tostring(message, encoding="unicode")


@pytest.mark.parametrize(
    ("medium", "type"),
    [
        (Medium(MediumKind.OPTICAL, "", bytes=4_700_000_000), "110033"),
        (Medium(MediumKind.USB, ""), "110030"),
        (Medium(MediumKind.ZIP, ""), "110037"),
    ],
)
def test_the_kind_of_medium_is_told(medium: Medium, type: str) -> None:
    (message,) = xml_of(subject("intake.cataloged", medium=medium))
    assert code(message, "ActiveParticipant/MediaIdentifier/MediaType") == type


def test_what_was_sent_to_us_has_a_source_and_no_medium() -> None:
    sent = Medium(MediumKind.NETWORK, "", label="CLINIC")
    (message,) = xml_of(subject("intake.cataloged", medium=sent, operator="(sent here)"))
    us, sender = message.findall("ActiveParticipant")
    assert us.get("UserIsRequestor") == "true"
    assert (code(sender, "RoleIDCode"), sender.get("UserID")) == ("110153", "CLINIC")


def test_a_disc_that_was_read_in_part_has_two_messages() -> None:
    """A.5.2: success and failure are never one message."""
    outcomes = [
        m.find("EventIdentification").get("EventOutcomeIndicator")  # type: ignore[union-attr]
        for m in xml_of(subject("intake.cataloged", hurt=2))
    ]
    assert outcomes == ["0", "4"]


def test_a_delivery_is_told_before_and_after_about_one_patient() -> None:
    before = xml_of(subject("delivery.attempt"))
    after = xml_of(subject("delivery.sent", patients=(Identifier("1"), Identifier("2"))))
    refused = xml_of(subject("delivery.held", data={"problem": "refused-a900"}))
    assert [code(m[0], "EventIdentification/EventID") for m in (before, after, refused)] == [
        "110102",
        "110104",
        "110104",
    ]
    numbers = [
        t.get("ParticipantObjectID")
        for t in after[0].findall("ParticipantObjectIdentification")
        if t.get("ParticipantObjectTypeCode") == "1"
    ]
    assert numbers == ["1"]
    there = after[0].findall("ActiveParticipant")[-1]
    assert there.get("NetworkAccessPointID") == "10.0.0.5"
    assert there.get("NetworkAccessPointTypeCode") == "2"
    assert refused[0].findtext("EventIdentification/EventOutcomeDescription") == "refused-a900"


def test_who_decided_is_the_one_who_asked() -> None:
    (message,) = xml_of(subject("case.decided", actor="him.lead"))
    (requestor,) = [
        p for p in message.findall("ActiveParticipant") if p.get("UserIsRequestor") == "true"
    ]
    assert requestor.get("UserID") == "him.lead"
    assert code(message, "EventIdentification/EventID") == "110103"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=30), st.text(max_size=30))
def test_no_text_of_a_disc_breaks_the_xml(uid: str, number: str, label: str) -> None:
    study = Study(uid or "1", accession_number=label)
    told = subject("intake.cataloged", studies=(study,), patients=(Identifier(number or "1"),))
    assert xml_of(told)


NOT_KINDS = {
    "adt.enabled",
    "person.id",
    "intake.id",
    "intake.station",
    "delivery.id",
    "engine.lock",
} | {"engine.log"}
UNITS = (
    *("adt", "audit", "policy", "source", "intake", "case", "delivery", "withdrawal"),
    *("notice", "decision", "destination", "drive", "engine", "access", "person"),
)
KIND = re.compile(rf"({'|'.join(UNITS)})\.[a-z-]+")


def test_of_every_kind_of_line_somebody_has_decided_what_it_proves() -> None:
    """Whatever the code may write into the journal stands in one of the two tables."""
    written = {f"intake.{state.value.lower()}" for state in IntakeState}
    for unit in ("delivery", "withdrawal"):
        written |= {f"{unit}.{state.value.lower()}" for state in DeliveryState}
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0]
        if room in ("store", "engine", "desk", "cli"):
            for node in ast.walk(ast.parse(path.read_text())):
                value = node.value if isinstance(node, ast.Constant) else None
                if isinstance(value, str) and KIND.fullmatch(value):
                    written.add(value)
    never = {"intake.aborted", "withdrawal.queued", "withdrawal.notified", "withdrawal.failed"}
    undecided = written - NOT_KINDS - never - set(AUDITED) - SILENT
    assert not undecided
    assert not set(AUDITED) & SILENT


@pytest.mark.parametrize(
    ("kind", "type", "outcome"),
    [
        ("access.signed-in", "110122", "0"),
        ("access.resumed", "110122", "0"),
        ("access.taken-over", "110122", "0"),
        ("access.refused", "110122", "4"),
        ("access.locked-out", "110122", "8"),
        ("access.signed-out", "110123", "0"),
    ],
)
def test_signing_in_and_out_is_user_authentication(kind: str, type: str, outcome: str) -> None:
    """A.5.3.12: who, where, and that it did not work."""
    told = Event(kind, actor="anna", data={"code": "not-right", "station": "kiosk-1"}, id=9, at=AT)
    (message,) = xml_of(Subject(told, "kiosk-1", "KIOSK"))
    assert code(message, "EventIdentification/EventID") == "110114"
    assert code(message, "EventIdentification/EventTypeCode") == type
    event = message.find("EventIdentification")
    assert event is not None
    assert event.get("EventOutcomeIndicator") == outcome
    people = {p.get("UserID"): p.get("UserIsRequestor") for p in message.iter("ActiveParticipant")}
    assert people == {"kiosk-1": "false", "anna": "true"}


@pytest.mark.parametrize(
    ("kind", "type"),
    [
        ("access.emergency", "110127"),
        ("access.emergency-ended", "110138"),
        ("person.role", "110136"),
        ("person.secret", "110137"),
    ],
)
def test_emergency_access_and_changes_of_people_are_security_alerts(kind: str, type: str) -> None:
    data = {"person": "anna", "role": "him", "reason": "trauma"}
    told = Event(kind, actor="ina", data=dict(data), id=9, at=AT)
    (message,) = xml_of(Subject(told, "kiosk-1", "KIOSK"))
    assert code(message, "EventIdentification/EventID") == "110113"
    assert code(message, "EventIdentification/EventTypeCode") == type
    (thing,) = message.findall("ParticipantObjectIdentification")
    assert thing.get("ParticipantObjectID") == ("anna" if "person" in kind else "kiosk-1")
