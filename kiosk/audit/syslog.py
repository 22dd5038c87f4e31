"""Syslog over TLS (RFC 5424, RFC 5425; DICOM PS3.15 A.6; ITI TF-2 3.20.4.1).

RFC 5425 has no answer: a collector that dies may have taken bytes that it never read. So a message
counts as delivered when the peer's TCP has acknowledged every byte of it, and not before.
"""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import Sequence
from time import monotonic

from kiosk.policy.sections import Audit

PRIORITY = 85  # facility 10 (authpriv), severity 5 (notice): ITI TF-2 3.20.4.1.1
LARGEST = 32_768  # octets that every receiver must take (ITI TF-2 3.20.4.1.3)
SIOCOUTQ = termios.TIOCOUTQ  # of a socket: octets that the peer has not acknowledged
CONNECT_SECONDS = 10.0
DRAIN_SECONDS = 30.0
LOOK_SECONDS = 0.05


class CollectorAway(RuntimeError):
    """The audit record repository did not take the messages. The text has no patient in it."""


def frame(xml: bytes, at: str, station: str, process: int, settings: Audit) -> bytes:
    """One message with its length before it: `MSG-LEN SP SYSLOG-MSG` (RFC 5425 4.3)."""
    host = "".join(c if "!" <= c <= "~" else "-" for c in station)[:255] or "-"
    head = f"<{PRIORITY}>1 {at} {host} kiosk {process} {settings.message_id} - "
    message = head.encode("ascii") + xml
    return f"{len(message)} ".encode("ascii") + message


class Collector:
    """One connection to the repository, opened when it is needed."""

    def __init__(self, settings: Audit) -> None:
        self._settings = settings
        self._socket: socket.socket | None = None

    def send(self, frames: Sequence[bytes]) -> None:
        """When it returns, the peer's TCP has all of them. Raises CollectorAway: what was sent
        before may have arrived, so it is sent again."""
        try:
            connection = self._connected()
            for each in frames:
                connection.sendall(each)
            self._acknowledged(connection)
        except (OSError, ValueError) as e:
            self.close()
            raise CollectorAway(_said(e)) from e

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is not None and _gone(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> socket.socket:
        host, port, tls = self._settings.host, self._settings.port, self._settings.tls
        raw = socket.create_connection((host, port), CONNECT_SECONDS)
        if tls is None:
            return raw
        try:
            context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(tls.ca))
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if tls.certificate is not None:
                context.load_cert_chain(tls.certificate, tls.key)
            return context.wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise

    def _acknowledged(self, connection: socket.socket) -> None:
        deadline = monotonic() + DRAIN_SECONDS
        while _unacknowledged(connection):
            if monotonic() > deadline:
                raise TimeoutError("it took nothing more")
            if _gone(connection, LOOK_SECONDS):
                raise ConnectionError("it closed the connection")
        if _gone(connection):
            raise ConnectionError("it closed the connection")


def _unacknowledged(connection: socket.socket) -> int:
    answer = fcntl.ioctl(connection.fileno(), SIOCOUTQ, bytes(4))
    return int(struct.unpack("i", answer)[0])


def _gone(connection: socket.socket, wait: float = 0.0) -> bool:
    """Whether the peer has closed: a syslog receiver never sends, so all there is to read of it is
    its end (and TLS's own records, which are read past)."""
    connection.settimeout(wait or 1e-6)
    try:
        return connection.recv(4096) == b""
    except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(CONNECT_SECONDS)


def _said(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'closed').replace('_', ' ').lower()}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
