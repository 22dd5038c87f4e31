"""A receiver that is up: its door, and the sessions behind it."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from kiosk.inbound import dicomweb, dimse
from kiosk.inbound.server import Server
from kiosk.inbound.sessions import Arrived, Sessions
from kiosk.policy.sections import Inbound, Limits, Stow


class Receiver:
    """Receives until `close`; then what was received whole is answered."""

    def __init__(self, server: Server, sessions: Sessions) -> None:
        self._server, self._sessions = server, sessions

    @property
    def port(self) -> int:
        return self._server.port

    def close(self) -> None:
        self._server.close()
        self._sessions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _nobody(_untrusted: bytes, _implicit: bool) -> bool:
    return False


def listen(
    settings: Inbound | Stow,
    ae_title: str,
    limits: Limits,
    folder: Path,
    arrived: Arrived,
    reported: dimse.Reported = _nobody,
) -> Receiver:
    """A receiver by DICOM (as `ae_title` unless the settings name another) or STOW-RS, with its
    sessions below `folder`; `reported` is told of the commitment reports that archives send by
    DICOM where the settings allow them. Raises OSError or ssl.SSLError when address, certificates,
    password file or folder cannot be used, ValueError for a peer that is no address or network."""
    way = "c-store" if isinstance(settings, Inbound) else "stow"
    sessions = Sessions(folder, way, settings.quiet_seconds, limits, arrived)
    try:
        if isinstance(settings, Inbound):
            server = _dicom(settings, ae_title, limits, sessions, reported)
        else:
            server = _web(settings, limits, sessions)
    except BaseException:
        sessions.close()
        raise
    return Receiver(server, sessions)


def _dicom(
    settings: Inbound,
    ae_title: str,
    limits: Limits,
    sessions: Sessions,
    reported: dimse.Reported,
) -> Server:
    free = threading.Semaphore(settings.associations)

    def serve(connection: socket.socket, peer: str) -> None:
        most_bytes = limits.file_bytes
        dimse.serve(connection, peer, settings, ae_title, most_bytes, sessions, free, reported)

    # Twice as many may knock as may come in, so that who is too many is told so.
    most = 2 * settings.associations
    address = (settings.host, settings.port)
    return Server(address, settings.peers, settings.tls, most, settings.idle_seconds, serve)


def _web(settings: Stow, limits: Limits, sessions: Sessions) -> Server:
    service = dicomweb.Service(settings, limits, sessions)
    address = (settings.host, settings.port)
    most = settings.connections
    return Server(address, settings.peers, settings.tls, most, settings.idle_seconds, service.serve)
