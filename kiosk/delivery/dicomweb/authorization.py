"""How we show who we are over HTTP: a password, a bearer token, or OAuth 2.0 client credentials.
Never over plain HTTP, where it could be read; and whom we trust."""

from __future__ import annotations

import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Generator
from typing import Any

import httpx2

from kiosk.delivery.dimse import NotReached, PeerProblem, client_context
from kiosk.policy.sections import Destination, OAuth

Requests = Generator[httpx2.Request, httpx2.Response, None]

_EARLY = 30.0  # seconds before its end a token is not used any more
_MAX_REPLY = 65_536


def credentials(destination: Destination, url: httpx2.URL) -> httpx2.Auth | None:
    """For requests to `url`. Raises PeerProblem, and OSError where a file cannot be read."""
    if not (destination.username or destination.token_file or destination.oauth):
        return None
    _private(destination, url)
    if destination.oauth is not None:
        return Tokens(destination, destination.oauth)
    if destination.token_file is not None:
        return _Bearer(destination.token_file.read_text(encoding="ascii").strip())
    path = destination.password_file
    password = path.read_text(encoding="utf-8").strip() if path else ""
    return httpx2.BasicAuth(destination.username, password)


def trust(destination: Destination) -> ssl.SSLContext:
    """TLS 1.2 or newer (PS3.15 B.12): by the destination's own authority, or the system's."""
    if destination.tls is not None:
        return client_context(destination.tls)
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _private(destination: Destination, url: httpx2.URL) -> None:
    if url.scheme != "https" and not _is_loopback(url.host):
        raise PeerProblem(
            f"{destination.name} asks for a password over plain HTTP, where it could be read. "
            "Use an https URL.",
            retry=False,
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Bearer(httpx2.Auth):
    """A token that somebody else keeps fresh (RFC 6750)."""

    def __init__(self, token: str) -> None:
        self._token = token

    def sync_auth_flow(self, request: httpx2.Request) -> Requests:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class Tokens(httpx2.Auth):
    """OAuth 2.0 client credentials: one token for all connections, fetched before it ends."""

    def __init__(self, destination: Destination, settings: OAuth) -> None:
        self._destination, self._settings = destination, settings
        self._secret = settings.secret_file.read_text(encoding="utf-8").strip()
        self._trust = trust(destination)
        self._token, self._until = "", 0.0
        self._lock = threading.Lock()
        url = httpx2.URL(settings.token_url)
        _private(destination, url)
        self._url = url

    def sync_auth_flow(self, request: httpx2.Request) -> Requests:
        request.headers["Authorization"] = f"Bearer {self._fresh()}"
        yield request

    def forget(self) -> None:
        """The archive does not take the token: the next request fetches another."""
        with self._lock:
            self._until = 0.0

    def _fresh(self) -> str:
        with self._lock:
            if time.monotonic() >= self._until:
                self._fetch()
            return self._token

    def _fetch(self) -> None:
        """RFC 6749 4.4.2, the client shown by HTTP Basic (2.3.1). Raises NotReached."""
        form = {"grant_type": "client_credentials"}
        if self._settings.scope:
            form["scope"] = self._settings.scope
        status, untrusted = self._ask(form)
        token = untrusted.get("access_token") if isinstance(untrusted, dict) else None
        if status != 200 or not isinstance(token, str) or not token.isascii():
            raise NotReached(
                f"{self._destination.name}: the token server answered {status} and no token. "
                "Check token_url, client_id, secret_file and scope.",
                retry=status >= 500 or status == 429,
            )
        lasts = untrusted.get("expires_in")
        seconds = float(lasts) if isinstance(lasts, int | float) else 300.0
        self._token, self._until = token, time.monotonic() + max(1.0, seconds - _EARLY)

    def _ask(self, form: dict[str, str]) -> tuple[int, Any]:
        patience = self._destination.connect_seconds
        try:
            with (
                httpx2.Client(verify=self._trust, timeout=patience, trust_env=False) as http,
                http.stream(
                    "POST", self._url, data=form, auth=(self._settings.client_id, self._secret)
                ) as response,
            ):
                body = b""
                for some in response.iter_raw():
                    body += some
                    if len(body) > _MAX_REPLY:
                        break
                return response.status_code, _object(body)
        except httpx2.HTTPError as e:
            raise NotReached(
                f"{self._destination.name}: the token server does not answer. "
                "Check token_url, its certificate, and the network.",
            ) from e


def _object(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
