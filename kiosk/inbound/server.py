"""The door of a receiver: a thread for each connection, who may come in and how many, TLS, and a
clock that no peer can stop."""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from kiosk.policy.sections import Tls

log = logging.getLogger("kiosk.inbound")

Serve = Callable[[socket.socket, str], None]
"""Serves one connection from this address until it ends; may raise OSError."""


class Server:
    """Serves until `close`, which lets what was received whole be answered. Raises OSError or
    ssl.SSLError when address or certificates cannot be used, ValueError for a peer that is no
    address or network."""

    def __init__(
        self,
        address: tuple[str, int],
        peers: Sequence[str],
        tls: Tls | None,
        most: int,
        patience: float,
        serve: Serve,
    ) -> None:
        self._most, self._patience, self._serve_one = most, patience, serve
        self._tls = _context(tls) if tls else None
        self._peers = [ipaddress.ip_network(peer, strict=False) for peer in peers]
        self._live: dict[socket.socket, threading.Thread] = {}
        self._held: Counter[str] = Counter()  # by address
        self._most_of_one = max(1, 3 * most // 4)  # who sends nothing leaves room for others
        self._lock = threading.Lock()
        self._closing = False
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._server = socket.create_server(address, family=family)
        self._acceptor = threading.Thread(target=self._accept, name="inbound-accept", daemon=True)
        self._acceptor.start()

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def close(self) -> None:
        with self._lock:
            self._closing = True
            live = dict(self._live)
        shut(self._server)
        for connection in live:
            shut(connection, socket.SHUT_RD)
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
                    log.warning("A sender could not connect: %s", e.strerror)
                    time.sleep(0.1)  # out of descriptors: do not spin
                continue
            self._admit(connection, str(address[0]))

    def _admit(self, connection: socket.socket, peer: str) -> None:
        if not self._allowed(peer):
            log.warning("Connection from %s refused: not among the configured peers.", peer)
            connection.close()
            return
        with self._lock:
            full = len(self._live) >= self._most or self._held[peer] >= self._most_of_one
            if not full and not self._closing:
                self._held[peer] += 1
                thread = threading.Thread(
                    target=self._serve, args=(connection, peer), name="inbound-peer", daemon=True
                )
                self._live[connection] = thread
                thread.start()
                return
        connection.close()
        if full:
            log.warning("Connection from %s refused: too many are open.", peer)

    def _allowed(self, peer: str) -> bool:
        address = ipaddress.ip_address(peer.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        if not self._peers:
            return address.is_loopback
        return any(address in network for network in self._peers)

    def _serve(self, connection: socket.socket, peer: str) -> None:
        try:
            connection.settimeout(self._patience)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = secured = self._wrapped(connection, self._tls)
                with within(secured, self._patience):
                    secured.do_handshake()
            self._serve_one(connection, peer)
        except ssl.SSLError as e:
            log.warning("Connection from %s ended: TLS failed (%s).", peer, e.reason)
        except TimeoutError:
            log.info("Connection from %s closed: idle.", peer)
        except OSError as e:
            log.info("Connection from %s lost: %s", peer, e.strerror)
        finally:
            with self._lock:
                self._live.pop(connection, None)
                self._held[peer] -= 1
                self._held += Counter()  # forgets who has none
            connection.close()

    def _wrapped(self, raw: socket.socket, tls: ssl.SSLContext) -> ssl.SSLSocket:
        with self._lock:  # from here on `raw` is an empty shell
            thread = self._live.pop(raw)
            secured = tls.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
            self._live[secured] = thread
        return secured


@contextmanager
def within(connection: socket.socket, seconds: float) -> Iterator[None]:
    """The connection is cut when the block takes longer: a peer that sends a byte now and then
    never runs into a time-out."""
    timer = threading.Timer(seconds, shut, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def shut(connection: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    try:
        socket.socket.shutdown(connection, how)
    except OSError:
        pass  # it is gone already


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    if tls.certificate is None:
        raise ValueError("tls needs a certificate: a receiver is a server.")
    context.load_cert_chain(tls.certificate, tls.key)
    return context
