"""POST to `/dicom-web/studies` or `/dicom-web/studies/{study}`: each part of the body becomes a
staged file, and the answer says of each what became of it (PS3.18 10.5.3, PS3.18 I.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from kiosk.inbound.dicomweb.body import Body, Malformed, Multipart, TooLarge
from kiosk.inbound.part10 import HEAD, STUDY_HEAD, Meta, is_of_study, is_uid, read_meta
from kiosk.inbound.server import shut, within
from kiosk.inbound.sessions import NotKept, Sessions
from kiosk.policy.sections import Limits, Stow

log = logging.getLogger("kiosk.inbound")

PATH = "/dicom-web/studies"
# Failure Reason, PS3.4 table B.2-1: A9xx where the instance is not what the request says.
_OUT_OF_RESOURCES, _ANOTHER_STUDY, _NOT_UNDERSTOOD = 0xA700, 0xA901, 0xC000
_LINGER_SECONDS, _LINGER_BYTES = 2.0, 16 << 20


class _Refused(Exception):
    """The request is answered with this status and sentence."""

    def __init__(self, status: HTTPStatus, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers


class Service:
    """What every request of one receiver shares. Raises OSError when the password file cannot be
    read, ValueError when others than its owner may read it."""

    def __init__(self, settings: Stow, limits: Limits, sessions: Sessions) -> None:
        self.settings, self.limits, self.sessions = settings, limits, sessions
        self.passwords = _passwords(settings.password_file) if settings.password_file else None

    def serve(self, connection: socket.socket, peer: str) -> None:
        """One request: a sender of many instances has them in one body."""
        with within(connection, self.settings.request_seconds):
            _Handler(connection, (peer, 0), self)  # type: ignore[arg-type]


def _passwords(path: Path) -> dict[str, bytes]:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ValueError("the password file can be read by others: chmod 600 it")
    lines = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: _digest(word.encode()) for name, colon, word in lines if colon and name}


def _digest(password: bytes) -> bytes:
    return hashlib.sha256(password).digest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "kiosk", ""
    error_message_format, error_content_type = "%(explain)s\n", "text/plain; charset=utf-8"
    server: Service  # type: ignore[assignment]

    def setup(self) -> None:
        self._stack = ExitStack()
        # Until the headers are in, the short clock runs: a byte now and then does not stop it.
        self._headers = self._stack.enter_context(ExitStack())
        self._headers.enter_context(within(self.request, self.server.settings.idle_seconds))
        super().setup()

    def finish(self) -> None:
        self._stack.close()
        super().finish()

    def log_message(self, *_: object) -> None:
        """Nothing: a request line may say whose scans they are."""

    def handle_expect_100(self) -> bool:
        return True  # said once we want the body

    def do_POST(self) -> None:
        self._headers.close()
        self.close_connection = True
        try:
            user, study, body, boundary = self._wanted()
            caller = f"{user} ({self.client_address[0]})" if user else self.client_address[0]
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(HTTPStatus.CONTINUE)
                self.end_headers()
            with self.server.sessions.attended(caller):
                outcomes = self._store(Multipart(body, boundary), study, caller)
            self._tell(outcomes)
        except _Refused as e:
            self._refuse(e.status, e.text, **e.headers)
        except Malformed as e:
            self._refuse(HTTPStatus.BAD_REQUEST, str(e))
        except TooLarge:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "This is more than is taken at once. Send the study in several requests.",
            )

    def _wanted(self) -> tuple[str, str, Body, bytes]:
        """Who sends, the study that all must be of ("" for any), the body and its boundary. Raises
        _Refused."""
        user = self._user()
        place, _, study = self.path.partition("?")[0].rstrip("/").partition(f"{PATH}/")
        if place != ("" if study else PATH) or (study and not is_uid(study)):
            raise _Refused(HTTPStatus.NOT_FOUND, f"Send instances to {PATH}.")
        kind = Message()
        kind["Content-Type"] = self.headers.get("Content-Type", "")
        boundary = kind.get_boundary("")
        inner = str(kind.get_param("type", "application/dicom")).lower()
        if kind.get_content_type() != "multipart/related" or inner != "application/dicom":
            raise _Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                'Only multipart/related; type="application/dicom" is taken.',
            )
        if not 1 <= len(boundary) <= 70 or not boundary.isascii():
            raise _Refused(HTTPStatus.BAD_REQUEST, "The content type names no boundary.")
        return user, study, self._body(), boundary.encode()

    def _body(self) -> Body:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            length = None
        elif (said := self.headers.get("Content-Length", "")).isdecimal() and len(said) < 20:
            length = int(said)
        else:
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "The length of the body is not said.")
        return Body(self.rfile, length, self.server.limits.medium_bytes)

    def _user(self) -> str:
        passwords = self.server.passwords
        if passwords is None:
            return ""
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = password = ""
        known = hmac.compare_digest(passwords.get(user, b""), _digest(password.encode()))
        if kind.lower() != "basic" or not known:
            challenge = {"WWW-Authenticate": 'Basic realm="scans", charset="UTF-8"'}
            text = "Name and password are needed to send scans."
            raise _Refused(HTTPStatus.UNAUTHORIZED, text, **challenge)
        return user

    # -- storing -----------------------------------------------------------------------------

    def _store(self, body: Multipart, study: str, caller: str) -> list[tuple[Meta | None, int]]:
        """Each part's meta group, None where it has none, and its Failure Reason, 0 for none."""
        outcomes: list[tuple[Meta | None, int]] = []
        for part in body.parts():
            if len(outcomes) >= self.server.limits.files:
                raise TooLarge
            outcomes.append(self._store_one(part, study, caller))
        return outcomes

    def _store_one(self, part: Iterator[bytes], study: str, caller: str) -> tuple[Meta | None, int]:
        head = bytearray()
        for piece in part:  # some pieces are short
            head += piece
            if len(head) >= (STUDY_HEAD if study else HEAD):
                break
        meta = read_meta(bytes(head[:HEAD]))
        if meta is None:
            return None, _NOT_UNDERSTOOD
        if study and not is_of_study(bytes(head), study):
            return meta, _ANOTHER_STUDY
        try:
            with self.server.sessions.begin(caller) as incoming:
                incoming.write(bytes(head))
                for piece in part:
                    if incoming.bytes + len(piece) > self.server.limits.file_bytes:
                        raise TooLarge
                    incoming.write(piece)
                incoming.keep(meta.sop_instance_uid)
        except NotKept as e:
            log.error("Scans that were sent cannot be kept (%s): the sender was told.", e)
            return meta, _OUT_OF_RESOURCES
        return meta, 0

    # -- answering ---------------------------------------------------------------------------

    def _tell(self, outcomes: list[tuple[Meta | None, int]]) -> None:
        if not outcomes:
            raise _Refused(HTTPStatus.BAD_REQUEST, "There is no instance in the body.")
        stored = [_reference(meta) for meta, reason in outcomes if not reason]
        failed = [
            _reference(meta) | {"00081197": {"vr": "US", "Value": [reason]}}
            for meta, reason in outcomes
            if reason
        ]
        document: dict[str, Any] = {"00081190": {"vr": "UR"}}  # nothing can be retrieved here
        if stored:
            document["00081199"] = {"vr": "SQ", "Value": stored}
        if failed:
            document["00081198"] = {"vr": "SQ", "Value": failed}
        status = HTTPStatus.OK if not failed else HTTPStatus.ACCEPTED
        if not stored:
            full = all(reason == _OUT_OF_RESOURCES for _, reason in outcomes)
            status = HTTPStatus.SERVICE_UNAVAILABLE if full else HTTPStatus.CONFLICT
        self._answer(status, "application/dicom+json", json.dumps(document).encode())

    def _refuse(self, status: HTTPStatus, text: str, **headers: str) -> None:
        log.warning("A request from %s was refused: %s", self.client_address[0], text)
        self._answer(status, "text/plain; charset=utf-8", f"{text}\n".encode(), **headers)

    def _answer(self, status: HTTPStatus, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self._linger()

    def _linger(self) -> None:
        """Reads on a little: to close on a peer that still sends would take the answer from it."""
        left = _LINGER_BYTES
        shut(self.connection, socket.SHUT_WR)
        with within(self.connection, _LINGER_SECONDS):
            while left > 0 and (data := self.rfile.read1(1 << 16)):
                left -= len(data)


def _reference(meta: Meta | None) -> dict[str, Any]:
    if meta is None:
        return {}
    return {
        "00081150": {"vr": "UI", "Value": [meta.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [meta.sop_instance_uid]},
    }
