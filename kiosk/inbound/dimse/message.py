"""DIMSE command sets as bytes (PS3.7 6.3, 9.3.1, 9.3.5). What a peer sent is untrusted here."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

C_STORE_RQ, C_ECHO_RQ, N_EVENT_REPORT_RQ, RESPONSE = 0x0001, 0x0030, 0x0100, 0x8000
NO_DATA_SET = 0x0101
MAX_COMMAND = 65_536


class Element(IntEnum):
    """Element numbers of group 0000 (PS3.7 E.1)."""

    AFFECTED_SOP_CLASS_UID = 0x0002
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_RESPONDED_TO = 0x0120
    DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    AFFECTED_SOP_INSTANCE_UID = 0x1000
    EVENT_TYPE_ID = 0x1002


class Status(IntEnum):
    """What a C-STORE is answered with (PS3.4 B.2.3, PS3.7 C), and a report (PS3.7 10.1.1)."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    OUT_OF_RESOURCES = 0xA700
    INVALID_INSTANCE = 0x0117
    CLASS_DISAGREES = 0xA900


class Malformed(ValueError):
    """The peer's bytes are no command set or fragment that the Standard allows."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command set from the peer, values as sent."""

    untrusted: Mapping[int, bytes]

    def number(self, element: Element) -> int:
        """A US value, -1 when absent or not two bytes long."""
        value = self.untrusted.get(element, b"")
        return int(struct.unpack("<H", value)[0]) if len(value) == 2 else -1

    def uid(self, element: Element) -> str:
        return self.untrusted.get(element, b"")[:66].decode("latin-1").strip("\0 ")


def decode(untrusted: bytes) -> Request:
    """Raises Malformed."""
    values: dict[int, bytes] = {}
    at = 0
    while at < len(untrusted):
        if at + 8 > len(untrusted):
            raise Malformed("a command element is cut off")
        group, number, length = struct.unpack_from("<HHI", untrusted, at)
        at += 8
        if group != 0 or at + length > len(untrusted):
            raise Malformed("a command element does not fit its command set")
        values[number] = untrusted[at : at + length]
        at += length
    return Request(values)


def response(context_id: int, request: Request, status: Status) -> bytes:
    """The P-DATA-TF of an answer: one fragment, no data set (PS3.8 9.3.5, E.2)."""
    command = request.number(Element.COMMAND_FIELD)
    values: dict[Element, int | bytes] = {
        Element.AFFECTED_SOP_CLASS_UID: request.untrusted.get(Element.AFFECTED_SOP_CLASS_UID, b""),
        Element.COMMAND_FIELD: command | RESPONSE,
        Element.MESSAGE_ID_RESPONDED_TO: max(0, request.number(Element.MESSAGE_ID)),
        Element.DATA_SET_TYPE: NO_DATA_SET,
        Element.STATUS: status,
    }
    repeated = {
        C_STORE_RQ: (Element.AFFECTED_SOP_INSTANCE_UID,),
        N_EVENT_REPORT_RQ: (Element.AFFECTED_SOP_INSTANCE_UID, Element.EVENT_TYPE_ID),
    }
    for element in repeated.get(command, ()):
        values[element] = request.untrusted.get(element, b"")
    body = b"".join(_element(number, values[number]) for number in sorted(values))
    data = struct.pack("<HHIL", 0, 0, 4, len(body)) + body
    return struct.pack(">BxIIBB", 4, len(data) + 6, len(data) + 2, context_id, 0x03) + data


def _element(number: int, value: int | bytes) -> bytes:
    raw = struct.pack("<H", value) if isinstance(value, int) else value
    return struct.pack("<HHI", 0, number, len(raw)) + raw
