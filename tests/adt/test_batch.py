"""A batch in one frame is as many messages, and is answered as one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk.adt import ack, batch_answer, is_batch, members
from kiosk.adt.mllp import Cut, frames
from kiosk.model.registration import Applied, Disposition
from tests.adt.messages import hl7

ONE, TWO = hl7(control="1"), hl7(control="2")
BATCH = b"BHS|^~\\&|ADT|MERCY|KIOSK|HOME|2026|||note|B77\r" + ONE + TWO + b"BTS|2\r"
DONE = Applied(Disposition.APPLIED)


def answered(batch: bytes) -> list[list[bytes]]:
    """The lines of the one answer, split at the field separator."""
    acks = [ack(m, DONE) for m in members(batch)]
    (frame,) = frames(batch_answer(batch, acks))
    return [line.split(b"|") for line in frame.split(b"\r") if line]


def test_a_batch_is_its_messages_and_a_message_is_itself() -> None:
    assert members(BATCH) == [ONE, TWO]
    assert members(b"FHS|^~\\&|ADT\r" + BATCH + b"FTS|1\r") == [ONE, TWO]
    assert members(ONE) == [ONE]


def test_each_message_is_acknowledged_inside_one_batch_in_their_order() -> None:
    """Sender and receiver have changed sides, and BHS-12 says which batch is answered."""
    lines = answered(BATCH)
    assert [line[0] for line in lines] == [b"BHS", b"MSH", b"MSA", b"MSH", b"MSA", b"BTS"]
    assert lines[0][2:6] == [b"KIOSK", b"HOME", b"ADT", b"MERCY"]
    assert lines[0][11] == b"B77"
    assert [line[1:3] for line in lines if line[0] == b"MSA"] == [[b"AA", b"1"], [b"AA", b"2"]]
    assert lines[-1] == [b"BTS", b"2"]


def test_an_empty_batch_is_answered_by_an_empty_one() -> None:
    assert [line[0] for line in answered(b"BHS|^~\\&|ADT\rBTS|0\r")] == [b"BHS", b"BTS"]


def test_a_batch_over_the_limit_is_answered_as_one_message() -> None:
    """Its end is not there: what it held is not known."""
    cut = Cut(BATCH)
    assert not is_batch(cut)
    assert members(cut) == [cut]


@given(st.lists(st.integers(1, 999), max_size=20), st.sampled_from([b"\r", b"\n", b"\r\n"]))
def test_no_message_of_a_batch_is_lost(numbers: list[int], end: bytes) -> None:
    """Whatever ends its lines."""
    messages = b"".join(hl7(control=str(n)) for n in numbers)
    found = members((b"BHS|^~\\&|A\r" + messages + b"BTS\r").replace(b"\r", end))
    assert [m.split(b"|")[9] for m in found] == [str(n).encode() for n in numbers]


@given(st.binary(max_size=300))
def test_hostile_batches_get_an_answer_of_one_frame(untrusted: bytes) -> None:
    batch = b"BHS" + untrusted.replace(b"\x1c", b"").replace(b"\x0b", b"")
    assert len(list(frames(batch_answer(batch, [ack(m, DONE) for m in members(batch)])))) == 1
