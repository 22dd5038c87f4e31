"""Command sets and fragments as bytes: what we write can be read by others, and what others write
never makes us raise anything but Malformed (PS3.7 6.3, PS3.8 9.3.5, E)."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dsutils import decode
from pynetdicom.pdu import P_DATA_TF

from kiosk.delivery.dimse.message import (
    MAX_COMMAND,
    MAX_IDENTIFIER,
    Assembly,
    Command,
    Element,
    Malformed,
    decode_command,
    encode_command,
    fragments,
    payload,
)

REQUEST = {
    Element.AFFECTED_SOP_CLASS_UID: "1.2.840.10008.5.1.4.1.1.2",
    Element.COMMAND_FIELD: Command.C_STORE_RQ,
    Element.MESSAGE_ID: 65_535,
    Element.PRIORITY: 0,
    Element.DATA_SET_TYPE: 1,
    Element.AFFECTED_SOP_INSTANCE_UID: "1.2.3",
}


def test_a_command_set_is_read_by_pynetdicom_as_it_was_meant() -> None:
    command = decode(BytesIO(encode_command(REQUEST)), True, True)
    assert command.AffectedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert command.CommandField == 1
    assert command.MessageID == 65_535
    assert command.AffectedSOPInstanceUID == "1.2.3"
    assert command.CommandGroupLength == len(encode_command(REQUEST)) - 12
    assert [element.tag for element in command] == sorted(element.tag for element in command)


@given(st.binary(min_size=1, max_size=5000), st.integers(7, 3000), st.booleans())
def test_fragments_are_p_data_that_pynetdicom_puts_together_again(
    data: bytes, max_length: int, command: bool
) -> None:
    size = max(2, payload(max_length))
    wire = b"".join(fragments(3, memoryview(data), size, command=command))
    values, at = [], 0
    while at < len(wire):
        length = struct.unpack_from(">I", wire, at + 2)[0]
        assert length <= max(max_length, 8)
        pdu = P_DATA_TF()
        pdu.decode(wire[at : at + 6 + length])
        values += pdu.to_primitive().presentation_data_value_list
        at += 6 + length
    assert b"".join(value[1:] for _, value in values) == data
    assert {context for context, _ in values} == {3}
    kinds = [value[0] for _, value in values]
    assert kinds == [int(command)] * (len(values) - 1) + [int(command) | 2]


@given(st.binary(min_size=1, max_size=2000), st.integers(2, 500), st.integers(2, 500))
def test_a_message_cut_anyhow_is_put_together_again(data: bytes, size: int, small: int) -> None:
    assembly = Assembly()
    command = memoryview(encode_command(REQUEST))
    buffers = fragments(5, command, small, command=True) + fragments(5, memoryview(data), size)
    messages = [assembly.add(pdv) for pdv in pdvs(b"".join(buffers))]
    assert messages[:-1] == [None] * (len(messages) - 1)
    assert messages[-1] is not None
    assert messages[-1].untrusted_data == data
    assert messages[-1].number(Element.MESSAGE_ID) == 65_535
    assert messages[-1].text(Element.AFFECTED_SOP_INSTANCE_UID) == "1.2.3"


def pdvs(wire: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(wire):
        length = struct.unpack_from(">I", wire, at + 2)[0]
        found.append(wire[at + 6 : at + 6 + length])
        at += 6 + length
    return found


@given(st.binary(max_size=300))
def test_no_bytes_as_a_command_raise_anything_but_malformed(untrusted: bytes) -> None:
    try:
        decode_command(untrusted)
    except Malformed:
        pass


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_no_bytes_as_fragments_raise_anything_but_malformed(untrusted: list[bytes]) -> None:
    assembly = Assembly()
    try:
        for pdu in untrusted:
            assembly.add(pdu)
    except Malformed:
        pass


def piece(control: int, value: bytes, context_id: int = 1) -> bytes:
    return struct.pack(">IBB", len(value) + 2, context_id, control) + value


ANSWER = encode_command(
    {Element.COMMAND_FIELD: Command.C_FIND_RSP, Element.DATA_SET_TYPE: 1, Element.STATUS: 0xFF00}
)


@pytest.mark.parametrize(
    "pdus",
    [
        [b""],
        [b"\0\0\0"],
        [piece(3, ANSWER[:-1])],
        [piece(2, b"data set first")],
        [piece(3, ANSWER), piece(3, ANSWER)],
        [piece(3, ANSWER), piece(2, b"data", context_id=3)],
        [piece(3, ANSWER) + piece(2, b"data") + piece(2, b"more")],
        [struct.pack(">IBB", 1, 1, 3)],
        [struct.pack(">IBB", 2**32 - 1, 1, 3) + b"x"],
    ],
)
def test_what_the_standard_does_not_allow_is_malformed(pdus: list[bytes]) -> None:
    with pytest.raises(Malformed):
        add_all(pdus)


def add_all(pdus: list[bytes]) -> None:
    assembly = Assembly()
    for pdu in pdus:
        assembly.add(pdu)


@pytest.mark.parametrize(("control", "limit"), [(1, MAX_COMMAND), (0, MAX_IDENTIFIER)])
def test_a_message_without_end_is_cut_off(control: int, limit: int) -> None:
    first = [piece(3, ANSWER)] if control == 0 else []
    with pytest.raises(Malformed):
        add_all([*first, *[piece(control, bytes(60_000))] * (limit // 60_000 + 2)])
