"""A demonstration registration system: HL7 v2.5.1 ADT over a real MLLP connection.

It registers a morning's patients, among them the two whose discs the demonstration inserts, and
waits for the acknowledgment of each message before it sends the next (HL7 v2 2.9.2).
"""

from __future__ import annotations

import argparse
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

AUTHORITY = "HOSP"  # our assigning authority (CX-4)
START, END = b"\x0b", b"\x1c\r"
ANSWER_SECONDS = 30.0
ANSWER_BYTES = 65_536


@dataclass(frozen=True)
class Registered:
    """A patient as the hospital's registration knows them. `birth_date` is `YYYYMMDD`."""

    number: str
    family: str
    given: str
    birth_date: str
    sex: str
    middle: str = ""
    address: str = ""
    telephone: str = ""


# Registered under a temporary number at the door, merged into the old record a minute later: who
# shows the wristband with the temporary number is found under the survivor.
ARCHIBALD = Registered(
    "0040021", "MARLOWE", "ARCHIBALD", "19480229", "M", address="4 HILL RD^^ASHBY"
)
ARCHIBALD_AT_THE_DOOR = replace(ARCHIBALD, number="T900017", address="")
# Two men of one name, and one that stands for anybody: the disc states no birth date, so only a
# person can tell whose it is.
PETER = Registered("0051377", "DOE", "PETER", "19531204", "M", telephone="555-0143")
PETER_NAMESAKE = Registered("0068802", "DOE", "PETER", "19870716", "M", middle="ALAN")
OTHERS = (
    Registered("0012345", "MARTINEZ", "LUCIA", "19720310", "F"),
    Registered("0012346", "OKAFOR", "CHIDI", "19890722", "M"),
    Registered("0012347", "NGUYEN", "THI HOA", "19640118", "F"),
    Registered("0012348", "SCHNEIDER", "JÜRGEN", "19510905", "M"),
)


@dataclass(frozen=True)
class Message:
    trigger: str
    control_id: str
    text: str  # segments that end in CR


@dataclass(frozen=True)
class Acknowledged:
    """The answer to one message: MSA-1 (AA, AE, AR), and the receiver's words."""

    trigger: str
    control_id: str
    code: str
    said: str = ""


class NoAnswer(ConnectionError):
    """The connection ended, or answered something that acknowledges nothing."""


def morning(now: datetime) -> tuple[Message, ...]:
    """A morning's messages, oldest first, the last one a second before `now`: registrations (A04),
    a corrected misspelling (A08), and a merge (A40) whose survivor is Archibald's old record."""
    misspelt = replace(ARCHIBALD, given="ARCHBALD")
    people = [
        *(("A04", who, "") for who in OTHERS),
        ("A04", misspelt, ""),
        ("A08", ARCHIBALD, ""),
        ("A04", PETER, ""),
        ("A04", PETER_NAMESAKE, ""),
        ("A04", ARCHIBALD_AT_THE_DOOR, ""),
        ("A40", ARCHIBALD, ARCHIBALD_AT_THE_DOOR.number),
    ]
    first = now - timedelta(seconds=len(people))
    return tuple(
        _message(trigger, who, prior, first + timedelta(seconds=n), n)
        for n, (trigger, who, prior) in enumerate(people)
    )


def _message(trigger: str, who: Registered, prior: str, at: datetime, number: int) -> Message:
    when = at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
    control_id = f"DEMO{at:%y%m%d%H%M%S}{number:03d}"
    structure = {"A04": "ADT_A01", "A08": "ADT_A01", "A40": "ADT_A39"}[trigger]
    segments = [
        rf"MSH|^~\&|DEMOREG|{AUTHORITY}|KIOSK|{AUTHORITY}|{when}||ADT^{trigger}^{structure}"
        f"|{control_id}|P|2.5.1||||||UNICODE UTF-8",
        f"EVN|{trigger}|{when}",
        f"PID|1||{who.number}^^^{AUTHORITY}^MR||{who.family}^{who.given}^{who.middle}^^^^L||"
        f"{who.birth_date}|{who.sex}|||{who.address}||{who.telephone}",
        f"MRG|{prior}^^^{AUTHORITY}^MR" if prior else "PV1|1|O|RADIOLOGY",
    ]
    return Message(trigger, control_id, "".join(s + "\r" for s in segments))


def send(host: str, port: int, messages: Iterable[Message]) -> tuple[Acknowledged, ...]:
    """Sends the messages over one connection. Raises OSError when nobody listens, NoAnswer when
    an acknowledgment does not come or is not for the message that was sent."""
    with socket.create_connection((host, port), timeout=ANSWER_SECONDS) as connection:
        done = []
        for message in messages:
            connection.sendall(START + message.text.encode() + END)
            done.append(_acknowledged(message, _frame(connection)))
        return tuple(done)


def _frame(connection: socket.socket) -> str:
    """The content of the next MLLP frame; it is the only one, since one message is out."""
    data = b""
    while not data.endswith(END):
        chunk = connection.recv(4096)
        if not chunk or len(data) > ANSWER_BYTES:
            raise NoAnswer("the receiver closed the connection, or never ended its answer")
        data += chunk
    return data[data.find(START) + 1 : -len(END)].decode("utf-8", "replace")


def _acknowledged(message: Message, answer: str) -> Acknowledged:
    fields = next((s.split("|") for s in answer.split("\r") if s.startswith("MSA|")), [])
    if len(fields) < 3 or fields[2] != message.control_id:
        raise NoAnswer("the receiver's answer does not acknowledge the message sent")
    return Acknowledged(
        message.trigger, message.control_id, fields[1], fields[3] if len(fields) > 3 else ""
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    for answer in send(given.host, given.port, morning(datetime.now(UTC))):
        print(json.dumps({"trigger": answer.trigger, "ack": answer.code, "said": answer.said}))


if __name__ == "__main__":
    main()
