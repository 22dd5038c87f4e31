"""The listener, on loopback: what it serves, what it refuses, and that it never lies."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kiosk.adt import Listener, ack, listen
from kiosk.adt.listen import MAX_CONNECTIONS
from kiosk.adt.mllp import Connection, Cut, wrap
from kiosk.model.registration import Applied, Disposition
from kiosk.policy.sections import Adt, Tls
from tests.adt.messages import hl7
from tests.peers.certificates import Authority, Issued

SETTINGS = Adt().model_copy(update={"port": 0})
GOOD = Applied(Disposition.APPLIED)


def accept(frames: Sequence[bytes]) -> list[bytes | None]:
    return [ack(frame, GOOD) for frame in frames]


class Peer:
    def __init__(self, listener: Listener, wrapped: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", listener.port), timeout=10)
        if wrapped:
            self.socket = wrapped.wrap_socket(self.socket)
        self._framer = Connection()
        self._got: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> str:
        """The next acknowledgement's MSA segment; "" when the listener closed."""
        while not self._got:
            try:
                data = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLError):  # cut without a word
                return ""
            if not data:
                return ""
            self._got += self._framer.receive(data)
        return self._got.pop(0).decode().split("\r")[1]

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def test_a_connection_carries_many_messages_one_after_the_other() -> None:
    with listen(SETTINGS, accept) as listener, Peer(listener) as peer:
        for number in range(3):
            peer.send(wrap(hl7(control=str(number))))
            assert peer.answer() == f"MSA|AA|{number}"


def test_messages_sent_without_waiting_are_answered_in_their_order() -> None:
    with listen(SETTINGS, accept) as listener, Peer(listener) as peer:
        peer.send(b"".join(wrap(hl7(control=str(n))) for n in range(50)))
        assert [peer.answer() for _ in range(50)] == [f"MSA|AA|{n}" for n in range(50)]


def test_a_message_may_come_byte_by_byte_after_noise() -> None:
    with listen(SETTINGS, accept) as listener, Peer(listener) as peer:
        for byte in b"noise" + wrap(hl7()):
            peer.send(bytes([byte]))
        assert peer.answer() == "MSA|AA|0001"


def test_what_arrives_while_others_are_handled_is_handled_together() -> None:
    first, go_on = threading.Event(), threading.Event()
    groups: list[int] = []

    def handle(frames: Sequence[bytes]) -> list[bytes | None]:
        groups.append(len(frames))
        if len(groups) == 1:
            first.set()
            assert go_on.wait(10)
        return accept(frames)

    with listen(SETTINGS, handle) as listener:
        peers = [Peer(listener) for _ in range(5)]
        peers[0].send(wrap(hl7()))
        assert first.wait(10)
        for peer in peers[1:]:
            peer.send(wrap(hl7()))
        wait_for(lambda: len(listener._group._waiting) == 4)
        go_on.set()
        assert [peer.answer() for peer in peers] == ["MSA|AA|0001"] * 5
        for peer in peers:
            peer.socket.close()
    assert groups == [1, 4]


def wait_for(condition: Callable[[], bool]) -> None:
    limit = threading.Event()
    for _ in range(1000):
        if condition():
            return
        limit.wait(0.01)
    raise AssertionError("it did not come about in 10 s")


def test_trouble_inside_closes_the_connection_without_an_answer() -> None:
    def unable(frames: Sequence[bytes]) -> list[bytes | None]:
        return [None] * len(frames)

    with listen(SETTINGS, unable) as listener, Peer(listener) as peer:
        peer.send(wrap(hl7()))
        assert peer.answer() == ""


def test_a_message_over_the_limit_is_handed_on_as_cut_and_the_connection_lives() -> None:
    seen: list[bool] = []

    def handle(frames: Sequence[bytes]) -> list[bytes | None]:
        seen.extend(isinstance(frame, Cut) for frame in frames)
        return accept(frames)

    small = SETTINGS.model_copy(update={"max_message_bytes": 1000})
    with listen(small, handle) as listener, Peer(listener) as peer:
        peer.send(wrap(hl7(control="1") + b"x" * 200_000))
        assert peer.answer() == "MSA|AA|1"
        peer.send(wrap(hl7(control="2")))
        assert peer.answer() == "MSA|AA|2"
    assert seen == [True, False]


def test_half_a_frame_and_silence_frees_the_connection() -> None:
    hasty = SETTINGS.model_copy(update={"idle_seconds": 0.2})
    with listen(hasty, accept) as listener, Peer(listener) as peer:
        peer.send(b"\x0bMSH|half")
        assert peer.answer() == ""


def test_closing_answers_what_is_being_handled() -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(frames: Sequence[bytes]) -> list[bytes | None]:
        began.set()
        assert go_on.wait(10)
        return accept(frames)

    listener = listen(SETTINGS, slow)
    with Peer(listener) as peer:
        peer.send(wrap(hl7()))
        assert began.wait(10)
        closer = threading.Thread(target=listener.close)
        closer.start()
        go_on.set()
        closer.join(10)
        assert peer.answer() == "MSA|AA|0001"
        assert not closer.is_alive()


def test_a_peer_that_is_not_configured_is_refused(expected_logs: Callable[..., None]) -> None:
    expected_logs("not among the configured peers")
    elsewhere = SETTINGS.model_copy(update={"peers": ("10.0.0.0/8",)})
    told: list[tuple[str, str]] = []
    with (
        listen(elsewhere, accept, lambda peer, why: told.append((peer, why))) as listener,
        Peer(listener) as peer,
    ):
        assert peer.answer() == ""
    assert told == [("127.0.0.1", "peer")]


def test_a_configured_network_is_served() -> None:
    here = SETTINGS.model_copy(update={"peers": ("127.0.0.0/8",)})
    with listen(here, accept) as listener, Peer(listener) as peer:
        peer.send(wrap(hl7()))
        assert peer.answer() == "MSA|AA|0001"


def test_more_connections_than_the_cap_are_refused_and_the_others_live(
    expected_logs: Callable[..., None],
) -> None:
    expected_logs(f"refused: {MAX_CONNECTIONS} are open")
    with listen(SETTINGS, accept) as listener:
        peers = [Peer(listener) for _ in range(MAX_CONNECTIONS)]
        for peer in peers:
            peer.send(wrap(hl7()))
            assert peer.answer() == "MSA|AA|0001"
        with Peer(listener) as late:
            assert late.answer() == ""
        peers[0].send(wrap(hl7(control="2")))
        assert peers[0].answer() == "MSA|AA|2"
        for peer in peers:
            peer.socket.close()


@pytest.fixture
def hospital(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def secured(hospital: Authority) -> Adt:
    own = hospital.issue("kiosk")
    tls = Tls(ca=hospital.ca, certificate=own.certificate, key=own.key)
    return SETTINGS.model_copy(update={"tls": tls})


def client(hospital: Authority, certificate: Issued | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=hospital.ca)
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(certificate.certificate, certificate.key)
    return context


@pytest.mark.peer("openssl")
def test_over_tls_a_peer_with_a_certificate_of_the_hospital_is_served(hospital: Authority) -> None:
    context = client(hospital, hospital.issue("registration"))
    with listen(secured(hospital), accept) as listener, Peer(listener, context) as peer:
        peer.send(wrap(hl7()))
        assert peer.answer() == "MSA|AA|0001"


def ask(listener: Listener, context: ssl.SSLContext) -> None:
    with Peer(listener, context) as peer:
        peer.send(wrap(hl7()))
        peer.socket.recv(1)


@pytest.mark.peer("openssl")
def test_over_tls_a_peer_without_a_certificate_never_reaches_the_roster(
    hospital: Authority, tmp_path: Path, expected_logs: Callable[..., None]
) -> None:
    expected_logs("TLS failed")
    handled: list[bytes] = []

    def handle(frames: Sequence[bytes]) -> list[bytes | None]:
        handled.extend(frames)
        return accept(frames)

    stranger = Authority(tmp_path, "stranger").issue("nobody")
    told: list[str] = []
    with listen(secured(hospital), handle, lambda _, why: told.append(why)) as listener:
        for certificate in (None, stranger):
            context = client(hospital, certificate)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                ask(listener, context)
        with Peer(listener) as plain:
            plain.send(wrap(hl7()))
            assert plain.answer() == ""
    assert handled == []
    assert told == ["tls"] * 3


@pytest.mark.peer("openssl")
def test_closing_does_not_wait_for_a_peer_that_says_nothing(hospital: Authority) -> None:
    """One holds its hand back in the handshake, one after it; each has a minute for it."""
    context = client(hospital, hospital.issue("registration"))
    listener = listen(secured(hospital), accept)
    with Peer(listener) as silent, Peer(listener, context) as shaken:
        shaken.send(wrap(hl7()))
        assert shaken.answer() == "MSA|AA|0001"
        wait_for(lambda: len(listener._live) == 2)
        closer = threading.Thread(target=listener.close)
        closer.start()
        closer.join(10)
        assert not closer.is_alive()
        assert silent.answer() == shaken.answer() == ""


@pytest.mark.peer("openssl")
def test_a_handshake_that_drips_is_cut(
    hospital: Authority, expected_logs: Callable[..., None]
) -> None:
    expected_logs("TLS failed")
    hasty = secured(hospital).model_copy(update={"idle_seconds": 0.2})
    with listen(hasty, accept) as listener, Peer(listener) as peer:
        peer.send(b"\x16\x03\x01")
        assert peer.answer() == ""


@pytest.mark.peer("openssl")
def test_a_listener_without_a_certificate_of_its_own_says_so(hospital: Authority) -> None:
    half = SETTINGS.model_copy(update={"tls": Tls(ca=hospital.ca)})
    with pytest.raises(ValueError, match="certificate"):
        listen(half, accept)
