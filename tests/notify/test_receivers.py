"""Each kind of receiver is told by its own protocol, and only what it said it took counts."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from fhir.resources.R4B.imagingstudy import ImagingStudy
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.notify import Away, Notice, Refused, Topic, fhir, hl7, tell, webhook
from kiosk.policy import Receiver
from kiosk.policy.sections import Tls
from tests.peers import LOOPBACK, free_port
from tests.peers.certificates import Authority
from tests.peers.web import Handler, web

PATIENT = PatientIdentity(
    (Identifier("0012", "HOSP", "MR"), Identifier("9", "NHS", "NI", "2.16.840.1", "ISO")),
    (PersonName("O|Hara", "Zoë", "Q", suffix="Jr"),),
    "19620314",
    "F",
)
NOTICE = Notice(
    "K17-1.2.3",
    Topic.AVAILABLE,
    "2026-11-24T10:00:00.123+00:00",
    "MAPLE-27",
    PATIENT,
    "1.2.3",
    "20260102",
    "CT CHEST",
    "A7",
    ("CT", "SR"),
    2,
    500,
    500,
    "St. Elsewhere",
    ("PACS",),
    site="Test Hospital",
    station="kiosk-1",
)


# -- HL7 -----------------------------------------------------------------------------------------


class Ehr:
    """Another system's HL7 listener. `answers` are MSA-1 codes in turn, "" hangs up, "other"
    acknowledges a message that was never sent; the last one stays."""

    def __init__(self, context: ssl.SSLContext | None, *answers: str) -> None:
        self.answers = list(answers)
        self.messages: list[str] = []
        self._context = context
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            try:
                with self._wrapped(raw) as connection:
                    self._answer(connection)
            except OSError:
                raw.close()

    def _wrapped(self, raw: socket.socket) -> socket.socket:
        return self._context.wrap_socket(raw, server_side=True) if self._context else raw

    def _answer(self, connection: socket.socket) -> None:
        data = b""
        while b"\x1c" not in data:
            more = connection.recv(65_536)
            if not more:
                return
            data += more
        message = data.partition(b"\x1c")[0].lstrip(b"\x0b").decode()
        self.messages.append(message)
        code = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if code:
            control = "other" if code == "other" else message.split("|")[9]
            said = f"MSH|^~\\&|EHR||KIOSK||20261124||ACK|1|P|2.5.1\rMSA|{code}|{control}\r"
            connection.sendall(b"\x0b" + said.encode() + b"\x1c\r")


@contextmanager
def ehr(*answers: str, context: ssl.SSLContext | None = None) -> Iterator[Ehr]:
    running = Ehr(context, *answers)
    try:
        yield running
    finally:
        running.close()


def hl7_to(port: int, **more: Any) -> Receiver:
    return Receiver(name="EHR", kind="hl7", host=LOOPBACK, port=port, **more)


def test_an_ehr_gets_an_oru_that_another_parser_reads() -> None:
    with ehr("AA") as running:
        tell(hl7_to(running.port), NOTICE)
    (text,) = running.messages
    message = parse_message(text, find_groups=False)
    assert message.msh.msh_9.to_er7() == "ORU^R01^ORU_R01"
    assert message.msh.msh_10.to_er7() == "K17-1.2.3"
    assert message.msh.msh_18.to_er7() == "UNICODE UTF-8"
    assert [each.to_er7() for each in message.pid.pid_3] == [
        "0012^^^HOSP^MR",
        "9^^^NHS&2.16.840.1&ISO^NI",
    ]
    assert message.pid.pid_5.to_er7() == "O\\F\\Hara^Zoë^Q^Jr"
    assert (message.pid.pid_7.to_er7(), message.pid.pid_8.to_er7()) == ("19620314", "F")
    assert message.obr.obr_3.to_er7() == "1.2.3^KIOSK"
    assert message.obr.obr_18.to_er7() == "A7"
    assert (message.obr.obr_24.to_er7(), message.obr.obr_25.to_er7()) == ("RAD", "F")
    pointer, said = message.obx
    assert (pointer.obx_2.to_er7(), pointer.obx_11.to_er7()) == ("RP", "F")
    assert pointer.obx_5.to_er7() == "1.2.3^KIOSK^Application^DICOM"
    assert said.obx_5.to_er7() == "Scans from St. Elsewhere are in the archive."


def test_what_was_recalled_is_said_to_be_deleted() -> None:
    text = hl7.message(hl7_to(1), replace(NOTICE, topic=Topic.RECALLED)).decode()
    message = parse_message(text, find_groups=False)
    assert message.obr.obr_25.to_er7() == "X"
    assert {obx.obx_11.to_er7() for obx in message.obx} == {"D"}


@pytest.mark.parametrize(
    ("answer", "raised"),
    [("AE", Refused), ("CE", Refused), ("AR", Away), ("", Away), ("other", Away)],
)
def test_only_its_own_acknowledgement_counts(answer: str, raised: type[Exception]) -> None:
    with ehr(answer) as running, pytest.raises(raised):
        tell(hl7_to(running.port), NOTICE)


def test_an_ehr_that_is_not_there_is_away() -> None:
    with pytest.raises(Away, match="refused"):
        tell(hl7_to(free_port()), NOTICE)


def test_over_tls_both_sides_show_who_they_are(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    theirs, ours = authority.issue("ehr"), authority.issue("kiosk")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(theirs.certificate, theirs.key)
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    with ehr("AA", context=context) as running:
        tls = Tls(ca=authority.ca, certificate=ours.certificate, key=ours.key)
        tell(hl7_to(running.port, tls=tls), NOTICE)
        with pytest.raises(Away):
            tell(hl7_to(running.port, tls=Tls(ca=authority.ca)), NOTICE)
    assert len(running.messages) == 1


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_the_segments(name: str, institution: str) -> None:
    patient = replace(PATIENT, names=(PersonName(name),))
    told = replace(NOTICE, patient=patient, institution=institution)
    text = hl7.message(hl7_to(1), told).decode()
    assert [line[:3] for line in text.split("\r")] == ["MSH", "PID", "OBR", "OBX", "OBX", ""]
    assert {line.count("|") for line in text.split("\r") if line[:3] == "OBX"} == {14}


# -- FHIR and webhooks -----------------------------------------------------------------------------


def answering(status: int) -> Callable[[Handler], None]:
    return lambda handler: handler.answer(status)


def fhir_at(url: str) -> Receiver:
    return Receiver(name="FHIR", kind="fhir", url=url)


@pytest.mark.parametrize("topic", list(Topic))
def test_a_fhir_server_gets_a_valid_imaging_study(topic: Topic) -> None:
    with web(answering(201)) as server:
        tell(fhir_at(server.url), replace(NOTICE, topic=topic))
    ((method, path, body),) = server.requests
    assert method == "PUT"
    assert path.endswith("/ImagingStudy?identifier=urn%3Adicom%3Auid%7Curn%3Aoid%3A1.2.3")
    study = ImagingStudy.model_validate_json(body)
    assert study.identifier[0].value == "urn:oid:1.2.3"
    assert study.subject.identifier.value == "0012"
    assert [each.code for each in study.modality] == ["CT", "SR"]
    assert (study.numberOfSeries, study.numberOfInstances) == (2, 500)
    assert str(study.started) == "2026-01-02"
    statuses = {"available": "available", "held": "registered", "recalled": "entered-in-error"}
    assert study.status == statuses[topic.value]


def test_a_study_of_which_little_is_known_is_valid_too() -> None:
    bare = Notice("K1", Topic.HELD, NOTICE.at, "T", PatientIdentity((Identifier("1"),)), "1.2")
    assert ImagingStudy.model_validate(fhir.imaging_study(replace(bare, study_date="2026")))


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        *((status, Refused) for status in (400, 404, 422)),
        *((status, Away) for status in (302, 401, 429, 500, 503)),
    ],
)
def test_what_an_http_status_means(status: int, raised: type[Exception]) -> None:
    with web(answering(status)) as server, pytest.raises(raised, match=str(status)):
        tell(fhir_at(server.url), NOTICE)


def test_a_webhook_is_signed_and_names_no_person(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("open sesame\n")
    headers: dict[str, str] = {}

    def respond(handler: Handler) -> None:
        headers.update(handler.headers.items())
        handler.answer(204)

    with web(respond) as server:
        tell(Receiver(name="HOOK", kind="webhook", url=server.url, secret_file=key), NOTICE)
    ((_, _, body),) = server.requests
    stamp = headers["X-Kiosk-Timestamp"]
    expected = webhook.signature("open sesame", stamp, body)
    assert headers["X-Kiosk-Signature"] == f"sha256={expected}"
    assert webhook.signature("open sesame", str(int(stamp) + 1), body) != expected
    document = json.loads(body)
    assert (document["topic"], document["images"], document["ticket"]) == (
        "available",
        500,
        "MAPLE-27",
    )
    assert document["patient"] == {"value": "0012", "issuer": "HOSP"}
    assert "Hara" not in body.decode()


# -- mail ----------------------------------------------------------------------------------------


class Sink:
    """A mailbox; `code` answers every recipient."""

    def __init__(self, code: str = "250 OK") -> None:
        self.code = code
        self.mails: list[str] = []

    async def handle_RCPT(
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.code

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content.decode())
        return "250 OK"


@contextmanager
def smtp(sink: Sink, **settings: Any) -> Iterator[int]:
    controller = Controller(sink, hostname=LOOPBACK, port=free_port(), **settings)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
        asyncio.set_event_loop(None)


def mail_to(port: int, **more: Any) -> Receiver:
    return Receiver(
        name="TRIAGE",
        kind="mail",
        host=LOOPBACK,
        port=port,
        sender="kiosk@hospital.example",
        recipients=("triage@hospital.example",),
        **more,
    )


def test_a_mail_has_the_ticket_and_nothing_of_the_patient() -> None:
    sink = Sink()
    with smtp(sink) as port:
        tell(mail_to(port), NOTICE)
    (mail,) = sink.mails
    assert "Subject: Outside scans have arrived (MAPLE-27)" in mail
    assert "Message-ID: <K17-1.2.3@hospital.example>" in mail
    for secret in ("Hara", "Zo", "0012", "1962", "1.2.3\n", "A7", "CHEST", "Elsewhere"):
        assert secret not in mail


@pytest.mark.parametrize(("code", "raised"), [("550 no", Refused), ("451 later", Away)])
def test_a_mail_server_that_says_no(code: str, raised: type[Exception]) -> None:
    with smtp(Sink(code)) as port, pytest.raises(raised):
        tell(mail_to(port), NOTICE)


def test_a_password_goes_over_tls_only(tmp_path: Path, expected_logs: Callable[..., None]) -> None:
    expected_logs("mail.log: Session.login_data is deprecated")  # the sink's own
    authority = Authority(tmp_path)
    own = authority.issue("mail")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    password = tmp_path / "password"
    password.write_text("sesame")

    def who(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> Any:
        right = isinstance(data, LoginPassword) and data.password == b"sesame"
        return AuthResult(success=right, handled=right)

    sink = Sink()
    told = {"tls_context": context, "authenticator": who, "auth_required": True}
    with smtp(sink, **told) as port:
        named = {"username": "kiosk", "password_file": password}
        tell(mail_to(port, tls=Tls(ca=authority.ca), **named), NOTICE)
        with pytest.raises(Away, match="without tls"):
            tell(mail_to(port, **named), NOTICE)
        password.write_text("wrong")
        with pytest.raises(Refused):
            tell(mail_to(port, tls=Tls(ca=authority.ca), **named), NOTICE)
    assert len(sink.mails) == 1


# -- the policy ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "hl7"}, "without host"),
        ({"kind": "webhook", "url": "https://x"}, "without secret_file"),
        ({"kind": "hl7", "host": "ehr.example.org"}, "needs tls"),
        ({"kind": "fhir", "url": "http://fhir.example.org"}, "https URL"),
        ({"kind": "mail", "host": "m", "sender": "a@b"}, "without recipients"),
    ],
)
def test_a_receiver_that_cannot_work_is_no_configuration(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        Receiver(name="X", **settings)
