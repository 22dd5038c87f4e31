"""ORU^R01 over MLLP (IHE RAD-28's shape): the study as an observation whose value points at it.

OBX-2 is RP (a reference pointer): the Study Instance UID, which the EHR's viewer opens by.
"""

from __future__ import annotations

import socket
import ssl
from datetime import datetime

from kiosk.model.patient import Identifier, PersonName
from kiosk.notify.notice import Away, Notice, Refused, Topic
from kiosk.policy.receivers import Receiver

_START, _END = b"\x0b", b"\x1c\r"
_MAX_ANSWER = 1 << 20
# OBX-11 and OBR-25: final, preliminary, and "record coming over is a correction / deletes".
_STATUS = {Topic.AVAILABLE: "F", Topic.HELD: "P", Topic.RECALLED: "D"}
_ORDER_STATUS = {Topic.AVAILABLE: "F", Topic.HELD: "P", Topic.RECALLED: "X"}
_ESCAPES = {
    "\\": "\\E\\",
    "|": "\\F\\",
    "^": "\\S\\",
    "&": "\\T\\",
    "~": "\\R\\",
    "\r": " ",
    "\n": " ",
}


def tell(receiver: Receiver, notice: Notice) -> None:
    answer = _exchange(receiver, message(receiver, notice))
    _judge(answer, notice.id)


def message(receiver: Receiver, notice: Notice) -> bytes:
    """In UTF-8, said in MSH-18; the control id is the notice's, the same when it is sent again."""
    at = _dtm(notice.at)
    pointer = (notice.study_instance_uid, "KIOSK", "Application", "DICOM")
    segments = [
        _header(receiver, notice, at),
        _segment("PID", {1: "1", 3: _patient_ids(notice), 5: _names(notice), **_person(notice)}),
        _segment("OBR", _order(notice, at)),
        _observation(1, "RP", ("STUDY", "Study"), _components(*pointer), notice, at),
        _observation(2, "ST", ("SAID", "What happened"), _text(notice.sentence), notice, at),
    ]
    return ("\r".join(segments) + "\r").encode()


def _header(receiver: Receiver, notice: Notice, at: str) -> str:
    """MSH-1 is the separator itself, so its fields are counted from 2."""
    fields = {
        2: "KIOSK",
        3: _text(notice.site),
        4: _text(receiver.application),
        5: _text(receiver.facility),
        6: at,
        8: "ORU^R01^ORU_R01",
        9: _text(notice.id),
        10: "P",
        11: "2.5.1",
        17: "UNICODE UTF-8",
    }
    return _segment("MSH", {1: "^~\\&", **fields})


def _person(notice: Notice) -> dict[int, str]:
    return {7: _text(notice.patient.birth_date), 8: _text(notice.patient.sex)}


def _order(notice: Notice, at: str) -> dict[int, str]:
    """OBR-3 the study, OBR-18 its accession number (as IHE RAD has it), OBR-25 how final it is."""
    return {
        1: "1",
        3: _components(notice.study_instance_uid, "KIOSK"),
        4: _components("OUTSIDE", "Outside images", "L"),
        7: _text(notice.study_date),
        18: _text(notice.accession_number),
        22: at,
        24: "RAD",
        25: _ORDER_STATUS[notice.topic],
    }


def _observation(
    number: int, type: str, what: tuple[str, str], value: str, notice: Notice, at: str
) -> str:
    fields = {1: str(number), 2: type, 3: _components(*what, "L"), 5: value}
    return _segment("OBX", {**fields, 11: _STATUS[notice.topic], 14: at})


def _segment(name: str, fields: dict[int, str]) -> str:
    """Its fields by their number in the standard, from 1."""
    return "|".join([name, *(fields.get(n, "") for n in range(1, max(fields) + 1))])


def _exchange(receiver: Receiver, told: bytes) -> bytes:
    try:
        address = (receiver.host, receiver.port)
        with socket.create_connection(address, receiver.answer_seconds) as raw:
            if receiver.tls is None:
                return _asked(raw, told)
            with _context(receiver).wrap_socket(raw, server_hostname=receiver.host) as connection:
                return _asked(connection, told)
    except (OSError, ValueError) as e:
        raise Away(_said(e)) from e


def _asked(connection: socket.socket, told: bytes) -> bytes:
    connection.sendall(_START + told + _END)
    answer = b""
    while _END[:1] not in answer:
        data = connection.recv(65_536)
        if not data or len(answer) > _MAX_ANSWER:
            raise Away("it closed the connection without an acknowledgement")
        answer += data
    return answer.partition(_END[:1])[0].rpartition(_START)[2]


def _judge(untrusted_answer: bytes, id: str) -> None:
    """MSA-1 and MSA-2 of the acknowledgement (HL7 2.5.1 2.15.8)."""
    for segment in untrusted_answer.decode("latin-1").replace("\n", "\r").split("\r"):
        fields = segment.split("|")
        if fields[0] == "MSA" and len(fields) > 2:
            if fields[2] != id:
                raise Away("it acknowledged another message")
            if fields[1] in ("AA", "CA"):
                return
            if fields[1] in ("AE", "CE"):
                raise Refused("it answered AE: it cannot use the message")
            raise Away(f"it answered {fields[1][:2]}")
    raise Away("its answer is no acknowledgement")


def _context(receiver: Receiver) -> ssl.SSLContext:
    assert receiver.tls is not None
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(receiver.tls.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if receiver.tls.certificate is not None:
        context.load_cert_chain(receiver.tls.certificate, receiver.tls.key)
    return context


def _said(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'closed').replace('_', ' ').lower()}"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return getattr(error, "strerror", None) or "connection lost"


def _dtm(at: str) -> str:
    return datetime.fromisoformat(at).strftime("%Y%m%d%H%M%S%z")


def _patient_ids(notice: Notice) -> str:
    return "~".join(_cx(each) for each in notice.patient.identifiers)


def _cx(identifier: Identifier) -> str:
    authority = identifier.issuer
    if identifier.universal_id:
        kind = identifier.universal_id_type
        authority = "&".join(map(_text, (identifier.issuer, identifier.universal_id, kind)))
    else:
        authority = _text(authority)
    return f"{_text(identifier.value)}^^^{authority}^{_text(identifier.type or 'MR')}"


def _names(notice: Notice) -> str:
    return "~".join(_xpn(each) for each in notice.patient.names[:1])


def _xpn(name: PersonName) -> str:
    parts = (name.family, name.given, name.middle, name.suffix, name.prefix)
    return _components(*parts).rstrip("^")


def _components(*texts: str) -> str:
    return "^".join(map(_text, texts))


def _text(text: str) -> str:
    return "".join(_ESCAPES.get(c, c) for c in text)
