"""Senders that lie, stop in the middle or never stop: each costs its own connection and no more,
and nothing of theirs is counted (RELIABILITY, fault matrix 81)."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian

from kiosk import inbound
from kiosk.delivery.dimse.negotiation import Proposed, encode_request
from kiosk.inbound.dimse.message import Malformed, decode
from kiosk.inbound.dimse.negotiation import accept, read_request
from kiosk.policy.sections import Limits, Tls
from tests.inbound.senders import CT, Sender, Station, c_store, data_set, memory, uid_of
from tests.peers.certificates import Authority

ABORT, INVALID, UNEXPECTED = 7, 6, 2
DATA = data_set(CT.read_bytes())


@pytest.fixture(autouse=True)
def _aborts_are_logged(expected_logs: Callable[..., None]) -> None:
    expected_logs("Association from .* aborted", "refused: too many", "TLS failed")


def still_works(here: inbound.Receiver, station: Station) -> None:
    """Another sender is served, and what it sends is all that arrives."""
    with Sender(here.port) as sender:
        assert sender.store(uid_of(CT), DATA) == 0
        assert sender.release() == 6
    assert station.files().keys() == {uid_of(CT)}


def aborted(sender: Sender, reason: int = INVALID) -> bool:
    return sender.pdu() == (ABORT, bytes((0, 0, 2, reason)))


@pytest.mark.parametrize("kind", [1, 4])
def test_a_pdu_of_four_gigabytes_is_refused_by_its_header(tmp_path: Path, kind: int) -> None:
    station = Station()
    with inbound.listen(c_store(), "KIOSK", Limits(), tmp_path, station) as here:
        before = memory()
        with Sender(here.port, associate=kind == 4) as sender:
            sender.send(struct.pack(">BxI", kind, 0xFFFFFFFF))
            assert aborted(sender)
        assert memory() - before < 16 << 20
        still_works(here, station)


def test_who_says_nothing_is_cut_off_and_holds_up_nobody(tmp_path: Path) -> None:
    """Before the association, in the middle of a PDU, and between two instances."""
    station = Station()
    quick = c_store(idle_seconds=0.3)
    with (
        inbound.listen(quick, "KIOSK", Limits(), tmp_path, station) as here,
        Sender(here.port, associate=False) as silent,
        Sender(here.port, associate=False) as unfinished,
        Sender(here.port) as idle,
    ):
        unfinished.send(struct.pack(">BxI", 1, 200) + b"\0\1")
        assert all(aborted(sender) for sender in (silent, unfinished, idle))
        still_works(here, station)


def test_a_silent_tls_client_is_cut_off_and_holds_up_nobody(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours = authority.issue("receiver")
    tls = Tls(ca=authority.ca, certificate=ours.certificate, key=ours.key)
    quick = c_store(idle_seconds=0.3, tls=tls)
    with (
        inbound.listen(quick, "KIOSK", Limits(), tmp_path / "in", Station()) as here,
        Sender(here.port, associate=False) as silent,
    ):
        assert silent.pdu() == (0, b"")


def test_half_an_instance_is_none(tmp_path: Path) -> None:
    """Aborted, hung up on, or left silent: nothing of it stays, and no session comes of it."""
    station = Station()
    quick = c_store(idle_seconds=0.3)
    with inbound.listen(quick, "KIOSK", Limits(), tmp_path, station) as here:
        for end in ("abort", "close", "silence"):
            with Sender(here.port) as sender:
                sender.order("1.2.3")
                sender.data(DATA[:20000], last=False)
                if end == "abort":
                    sender.send(struct.pack(">BxI4x", ABORT, 4))
                    assert sender.pdu() == (0, b"")
                elif end == "silence":
                    assert aborted(sender)
        still_works(here, station)
    assert not list(tmp_path.rglob("*.part"))


def test_an_instance_without_end_is_cut_at_the_limit(tmp_path: Path) -> None:
    station = Station()
    limits = Limits(file_bytes=100_000)
    with inbound.listen(c_store(), "KIOSK", limits, tmp_path, station) as here:
        with Sender(here.port) as sender:
            sender.order("1.2.3")
            for _ in range(2):
                sender.data(bytes(64_000), last=False)
            assert aborted(sender)
        still_works(here, station)


def test_an_instance_that_takes_for_ever_is_cut_at_its_deadline(tmp_path: Path) -> None:
    """Each PDU comes in time; the instance does not."""
    station = Station()
    never = c_store(instance_seconds=0.0)
    with (
        inbound.listen(never, "KIOSK", Limits(), tmp_path, station) as here,
        Sender(here.port) as sender,
    ):
        sender.order("1.2.3")
        sender.data(b"\0\0", last=False)
        assert aborted(sender)


def test_a_large_instance_costs_no_memory(tmp_path: Path) -> None:
    station = Station()
    with inbound.listen(c_store(), "KIOSK", Limits(), tmp_path, station) as here:
        block = bytes(1 << 20)
        with Sender(here.port) as sender:
            sender.order("1.2.3")
            sender.data(block, last=False, size=16384)
            before = memory()
            for _ in range(100):
                sender.data(block, last=False, size=16384)
            sender.data(b"\0\0")
            assert sender.status() == 0
            assert memory() - before < 16 << 20
        (medium,) = station.sessions()
        assert medium.bytes > 100 << 20


def test_connections_past_the_cap_are_closed_at_once(tmp_path: Path) -> None:
    few = c_store(associations=2)
    with inbound.listen(few, "KIOSK", Limits(), tmp_path, Station()) as here:
        crowd = [Sender(here.port, associate=False) for _ in range(30)]
        assert [sender.pdu() for sender in crowd[3:]] == [(0, b"")] * 27
        for sender in crowd:
            sender.socket.close()


def test_who_holds_all_the_connections_it_may_leaves_room_for_another(tmp_path: Path) -> None:
    """From one address come three of four at most: a scan from elsewhere still arrives."""
    station = Station()
    few = c_store(associations=2)
    with inbound.listen(few, "KIOSK", Limits(), tmp_path, station) as here:
        crowd = [Sender(here.port, associate=False) for _ in range(10)]
        assert crowd[-1].pdu() == (0, b"")
        with Sender(here.port, source="127.0.0.2") as honest:
            assert honest.store(uid_of(CT), DATA) == 0
            assert honest.release() == 6
        assert station.files().keys() == {uid_of(CT)}
        for sender in crowd:
            sender.socket.close()


def garble(sender: Sender, how: str) -> None:
    fragment = struct.pack(">BxI", 4, 8) + struct.pack(">IBB", 100, 3, 2) + b"\0\0"
    if how == "empty":
        sender.send(struct.pack(">BxI", 4, 0))
    elif how == "fragment too long":
        sender.send(fragment)
    elif how == "no such context":
        sender.data(b"\0\0", context=7)
    elif how == "data before a command":
        sender.data(b"\0\0")
    elif how == "command in the data":
        sender.order("1.2.3")
        sender.order("1.2.4")
    elif how == "context changed":
        sender.order("1.2.3")
        sender.data(b"\0\0", context=1)
    elif how == "torn command":
        sender.send(struct.pack(">BxIIBB", 4, 9, 5, 3, 3) + b"\0\0\0")
    elif how == "endless command":
        for _ in range(5):
            sender.send(struct.pack(">BxIIBB", 4, 16006, 16002, 3, 1) + bytes(16000))


@pytest.mark.parametrize(
    "how",
    [
        "empty",
        "fragment too long",
        "no such context",
        "data before a command",
        "command in the data",
        "context changed",
        "torn command",
        "endless command",
    ],
)
def test_what_is_no_message_ends_the_association(tmp_path: Path, how: str) -> None:
    station = Station()
    with inbound.listen(c_store(), "KIOSK", Limits(), tmp_path, station) as here:
        with Sender(here.port) as sender:
            garble(sender, how)
            assert aborted(sender)
        still_works(here, station)


@pytest.mark.parametrize("kind", [1, 2, 3, 6, 9, 0x47])
def test_what_does_not_belong_here_ends_the_association(tmp_path: Path, kind: int) -> None:
    station = Station()
    with inbound.listen(c_store(), "KIOSK", Limits(), tmp_path, station) as here:
        with Sender(here.port) as sender:
            sender.send(struct.pack(">BxI4x", kind, 4))
            assert aborted(sender, UNEXPECTED)
        with Sender(here.port, associate=False) as browser:
            browser.send(b"GET / HTTP/1.1\r\n\r\n")
            assert browser.pdu()[0] == ABORT
        still_works(here, station)


def test_a_receiver_that_is_told_to_end_waits_for_nobody(tmp_path: Path) -> None:
    station = Station()
    receiver = inbound.listen(c_store(), "KIOSK", Limits(), tmp_path, station)
    port = receiver.port
    with Sender(port) as sender, Sender(port, associate=False):
        sender.order("1.2.3")
        receiver.close()
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", port), 1.0)


REQUEST = encode_request([Proposed("1.2.3", (ExplicitVRLittleEndian,))], "KIOSK", "X", 16384)[6:]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(st.binary(max_size=300), st.integers(0, len(REQUEST)), st.integers(0, 40))
def test_no_request_does_anything_else_than_be_read_or_refused(
    noise: bytes, at: int, cut: int
) -> None:
    for body in (noise, REQUEST[:at] + noise + REQUEST[at + cut :]):
        try:
            asked = read_request(body)
        except Malformed:
            continue
        contexts, _ = accept(asked, 16384, lambda _syntax: True)
        assert all(re.fullmatch(r"[0-9.]+", c.transfer_syntax) for c in contexts.values())
        assert asked.calling.isprintable()
        assert 1 <= len(asked.called) <= 16


@given(st.binary(max_size=200))
def test_no_command_set_does_anything_else_than_be_read_or_refused(noise: bytes) -> None:
    try:
        decode(noise)
    except Malformed:
        pass
