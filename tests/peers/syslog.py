"""An audit record repository: a syslog receiver over TLS with client certificates (RFC 5425), which
can be away, slow to read, or gone in the middle of a message."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers import LOOPBACK
from tests.peers.certificates import Authority, Issued


class Repository:
    """`messages` are the whole ones that arrived, in order."""

    def __init__(self, authority: Authority, own: Issued) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.load_cert_chain(own.certificate, own.key)
        self._context.load_verify_locations(authority.ca)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listener.getsockname()[1])
        self.messages: list[bytes] = []
        self.hang_up_after = 0  # messages; 0: never
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def wait_for(self, count: int) -> list[bytes]:
        with self._more:
            assert self._more.wait_for(lambda: len(self.messages) >= count, 30.0), "too few"
            return list(self.messages)

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(raw, server_side=True) as connection:
                    self._read(connection)
            except OSError:
                raw.close()

    def _read(self, connection: ssl.SSLSocket) -> None:
        with connection.makefile("rb") as stream:
            while length := _length(stream.read(1), stream):
                message = stream.read(length)
                if len(message) < length:
                    return
                with self._more:
                    self.messages.append(message)
                    self._more.notify_all()
                if self.hang_up_after and len(self.messages) >= self.hang_up_after:
                    return


def _length(first: bytes, stream: object) -> int:
    digits = first
    while digits and not digits.endswith(b" "):
        assert digits.isdigit(), digits
        digits += stream.read(1)  # type: ignore[attr-defined]
    return int(digits) if digits else 0


@contextmanager
def repository(folder: Path) -> Iterator[tuple[Repository, Authority]]:
    """A running one, and the authority that signed its certificate and trusts its clients'."""
    authority = Authority(folder)
    running = Repository(authority, authority.issue("repository"))
    try:
        yield running, authority
    finally:
        running.close()
