"""The live feed's listener: MLLP over TCP or TLS, a thread for each connection.

Frames that are there at the same time, on one connection or several, are handed on together, so
that they can share one durable commit; nothing waits for company. Nothing is read from a peer
while its frames are being handled: that is the back-pressure.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from kiosk.adt.mllp import Connection
from kiosk.policy.sections import Adt, Tls

Handle = Callable[[Sequence[bytes]], Sequence[bytes | None]]
"""Frames in, what goes back on the wire for each, in the same order; None closes the connection
without an answer, so that the sender sends again."""
Refused = Callable[[str, str], None]
"""Told of a peer that was turned away: its address, and why in one word. Called by any thread."""

log = logging.getLogger("kiosk.adt")

MAX_CONNECTIONS = 32
_MAX_GROUP = 500
_CHUNK = 65_536


def listen(settings: Adt, handle: Handle, refused: Refused = lambda _peer, _why: None) -> Listener:
    """A listener that is up. Raises OSError or ssl.SSLError when the address or the certificates
    cannot be used, ValueError for a peer that is no address or network."""
    return Listener(settings, handle, refused)


class Listener:
    """Serves until `close`, which lets what is being handled end and be answered."""

    def __init__(self, settings: Adt, handle: Handle, refused: Refused) -> None:
        self._settings = settings
        self._refused = refused
        self._group = _Group(handle)
        self._tls = _context(settings.tls) if settings.tls else None
        self._peers = [ipaddress.ip_network(peer, strict=False) for peer in settings.peers]
        self._live: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._closing = False
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        self._server = socket.create_server((settings.host, settings.port), family=family)
        self._acceptor = threading.Thread(target=self._accept, name="adt-accept", daemon=True)
        self._acceptor.start()

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def close(self) -> None:
        with self._lock:
            self._closing = True
            live = dict(self._live)
        _shut(self._server, socket.SHUT_RDWR)
        for connection in live:
            _shut(connection, socket.SHUT_RD)
        for thread in (self._acceptor, *live.values()):
            thread.join()
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, address = self._server.accept()
            except OSError as e:
                if not self._closing:
                    log.warning("A registration feed could not connect: %s", e.strerror)
                    time.sleep(0.1)  # out of descriptors: do not spin
                continue
            self._admit(connection, str(address[0]))

    def _admit(self, connection: socket.socket, peer: str) -> None:
        if not self._allowed(peer):
            log.warning("Connection from %s refused: not among the configured peers.", peer)
            connection.close()
            self._refused(peer, "peer")
            return
        with self._lock:
            full = len(self._live) >= MAX_CONNECTIONS
            if not full and not self._closing:
                thread = threading.Thread(
                    target=self._serve, args=(connection, peer), name="adt-peer", daemon=True
                )
                self._live[connection] = thread
                thread.start()
                return
        connection.close()
        if full:
            log.warning("Connection from %s refused: %d are open.", peer, MAX_CONNECTIONS)
            self._refused(peer, "connections")

    def _allowed(self, peer: str) -> bool:
        address = ipaddress.ip_address(peer.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        if not self._peers:
            return address.is_loopback
        return any(address in network for network in self._peers)

    def _serve(self, connection: socket.socket, peer: str) -> None:
        try:
            connection.settimeout(self._settings.idle_seconds)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = secured = self._wrapped(connection, self._tls)
                self._shake_hands(secured)
            self._converse(connection)
        except ssl.SSLError as e:
            if self._closing:  # by ourselves
                return
            log.warning("Connection from %s refused: TLS failed (%s).", peer, e.reason)
            self._refused(peer, "tls")
        except TimeoutError:
            log.info("Connection from %s closed: idle.", peer)
        except OSError as e:
            log.info("Connection from %s lost: %s", peer, e.strerror)
        finally:
            with self._lock:
                self._live.pop(connection, None)
            connection.close()

    def _wrapped(self, raw: socket.socket, tls: ssl.SSLContext) -> ssl.SSLSocket:
        with self._lock:  # from here on `raw` is an empty shell
            thread = self._live.pop(raw)
            secured = tls.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
            self._live[secured] = thread
        return secured

    def _shake_hands(self, secured: ssl.SSLSocket) -> None:
        """Cut when the whole takes longer than a silence may: a peer that sends a byte now and
        then never runs into a time-out."""
        limit = threading.Timer(self._settings.idle_seconds, _shut, (secured, socket.SHUT_RDWR))
        limit.daemon = True
        limit.start()
        try:
            secured.do_handshake()
        finally:
            limit.cancel()

    def _converse(self, connection: socket.socket) -> None:
        idle = self._settings.idle_seconds
        framer = Connection(self._settings.max_message_bytes)
        began = time.monotonic()  # of the frame, or of the silence
        while not self._closing:
            connection.settimeout(max(began + idle - time.monotonic(), 0.001))
            data = connection.recv(_CHUNK)
            if not data:
                return
            if not framer.unfinished:
                began = time.monotonic()
            frames = framer.receive(data)
            if frames:
                for answer in self._group.handle(frames):
                    if answer is None:
                        return
                    connection.sendall(answer)
                began = time.monotonic()


def _shut(connection: socket.socket, how: int) -> None:
    try:
        # Not an SSLSocket's own: that would take away the state which its thread is using.
        socket.socket.shutdown(connection, how)
    except OSError:
        pass  # it is gone already


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    if tls.certificate is None:
        raise ValueError("adt.tls needs a certificate: the listener is a server.")
    context.load_cert_chain(tls.certificate, tls.key)
    return context


class _Ticket:
    def __init__(self, frames: Sequence[bytes]) -> None:
        self.frames = frames
        self.answers: Sequence[bytes | None] | None = None


class _Group:
    """Whoever finds nobody at work takes all that waits and handles it together."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []

    def handle(self, frames: Sequence[bytes]) -> Sequence[bytes | None]:
        ticket = _Ticket(frames)
        with self._lock:
            self._waiting.append(ticket)
        with self._turn:
            while ticket.answers is None:
                self._work(self._take())
        return ticket.answers

    def _take(self) -> list[_Ticket]:
        taken: list[_Ticket] = []
        with self._lock:
            while self._waiting and sum(len(t.frames) for t in taken) < _MAX_GROUP:
                taken.append(self._waiting.pop(0))
        return taken

    def _work(self, tickets: list[_Ticket]) -> None:
        answers: list[bytes | None] = []
        try:
            answers += self._handle([frame for ticket in tickets for frame in ticket.frames])
        finally:  # whatever went wrong: no answer, and the senders send again
            for ticket in tickets:
                count = len(ticket.frames)
                part, answers = answers[:count], answers[count:]
                ticket.answers = part + [None] * (count - len(part))
