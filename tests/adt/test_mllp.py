"""Framing: whole messages come out, however their bytes come in."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from kiosk.adt import messages
from kiosk.adt.mllp import Connection, Cut, frames, wrap

payloads = st.binary(max_size=60).filter(lambda b: not {0x0B, 0x1C} & set(b))
noise = st.binary(max_size=8).filter(lambda b: 0x0B not in b)


@given(
    st.lists(st.tuples(noise, payloads), max_size=6), st.lists(st.integers(1, 20)), st.booleans()
)
def test_every_frame_comes_out_once_whatever_the_portions_and_the_noise_between(
    sent: list[tuple[bytes, bytes]], cuts: list[int], with_cr: bool
) -> None:
    wire = b"".join(n + b"\x0b" + p + (b"\x1c\r" if with_cr else b"\x1c") for n, p in sent)
    connection, got = Connection(), []
    while wire:
        size = cuts.pop() if cuts else 1
        got += connection.receive(wire[:size])
        wire = wire[size:]
    assert got == [p for _, p in sent]
    assert not connection.unfinished


def test_two_messages_in_one_segment_of_the_wire_are_two_frames() -> None:
    assert Connection().receive(wrap(b"MSH|1") + wrap(b"MSH|2")) == [b"MSH|1", b"MSH|2"]


def test_a_frame_without_its_last_cr_is_not_waited_for() -> None:
    assert Connection().receive(b"\x0bMSH|1\x1c") == [b"MSH|1"]


def test_a_message_begun_anew_inside_an_unfinished_frame_is_the_one_that_counts() -> None:
    assert Connection().receive(b"\x0bMSH|lost\r\x0bMSH|whole\r\x1c\r") == [b"MSH|whole\r"]


def test_a_vertical_tab_inside_a_text_does_not_end_the_message() -> None:
    assert Connection().receive(b"\x0bMSH|a\x0bb\x1c\r") == [b"MSH|a\x0bb"]


def test_a_frame_over_the_limit_is_cut_to_its_head_and_the_next_one_is_whole() -> None:
    connection = Connection(max_bytes=100)
    got = connection.receive(wrap(b"MSH|" + b"x" * 500) + wrap(b"MSH|ok"))
    assert isinstance(got[0], Cut)
    assert got[0].startswith(b"MSH|xx")
    assert got[1:] == [b"MSH|ok"]
    assert not isinstance(got[1], Cut)


def test_a_frame_that_never_ends_keeps_only_its_head_in_memory() -> None:
    connection = Connection(max_bytes=1000)
    for _ in range(1000):
        assert connection.receive(b"\x0b" + b"x" * 1000) == []
    assert connection.unfinished
    assert len(connection.receive(b"\x1c")[0]) <= 65_536


def test_frames_lists_the_complete_frames_of_a_recording() -> None:
    assert list(frames(b"noise" + wrap(b"A") + wrap(b"B") + b"\x0bC")) == [b"A", b"B"]


def of(data: bytes) -> list[bytes]:
    return list(messages(io.BytesIO(data)))


def test_a_file_of_one_message_is_that_message_whatever_its_line_ends() -> None:
    for end in (b"\r", b"\n", b"\r\n"):
        raw = end.join([b"MSH|^~\\&|A", b"PID|1", b""])
        assert [m.strip() for m in of(raw)] == [raw.strip()]


def test_a_batch_gives_its_messages_without_the_envelope() -> None:
    raw = b"FHS|^~\\&|X\rBHS|^~\\&|Y\rMSH|^~\\&|1\rPID|1\rMSH|^~\\&|2\rPID|2\rBTS|2\rFTS|1\r"
    assert [m.split(b"\r")[0] for m in of(raw)] == [b"MSH|^~\\&|1", b"MSH|^~\\&|2"]


def test_messages_set_apart_by_blank_lines_are_taken_one_by_one() -> None:
    raw = b"MSH|^~\\&|1\rPID|1\r\n\nMSH|^~\\&|2\rPID|2\r\n\n"
    assert [m[:10] for m in of(raw)] == [b"MSH|^~\\&|1", b"MSH|^~\\&|2"]


def test_a_file_of_frames_may_lack_its_last_end() -> None:
    assert of(wrap(b"MSH|1") + b"\x0bMSH|2") == [b"MSH|1", b"MSH|2"]


def test_what_is_no_message_comes_out_as_one_so_that_it_is_refused_and_counted() -> None:
    assert of(b"hello\rworld") == [b"hello\rworld"]
    assert of(b" \r\n") == []


def test_a_large_file_is_split_the_same_as_a_small_one() -> None:
    one = b"MSH|^~\\&|1\rPID|1||" + b"x" * 900 + b"\r"
    assert of(one * 3000) == [one] * 3000


@given(st.binary(max_size=200))
def test_any_bytes_can_be_split_into_messages(data: bytes) -> None:
    assert sum(map(len, of(data))) <= len(data)
