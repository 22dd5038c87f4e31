"""HTTP under DICOMweb: one request, one reply, every wait and every size bounded.

Replies are untrusted: never decompressed, cut at MAX_REPLY, no redirect followed.
"""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass
from typing import Any

import httpx2

from kiosk.delivery.dicomweb.authorization import credentials, trust
from kiosk.delivery.dimse import NotReached, PeerProblem
from kiosk.policy.sections import Destination

MAX_REPLY = 10_000_000
_LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True)
class Reply:
    """`untrusted` is the parsed JSON body, None where there is none that can be read."""

    status: int
    untrusted: Any = None
    retry_after: float = 0.0


def client(destination: Destination) -> httpx2.Client:
    """A client for the destination's service root, to be closed by who asked. No proxy and no
    netrc of the environment. Raises PeerProblem where url, password or TLS files are of no use."""
    try:
        timeout = httpx2.Timeout(destination.answer_seconds, connect=destination.connect_seconds)
        url = httpx2.URL(destination.url.rstrip("/") + "/")
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError("no HTTP URL")
        return httpx2.Client(
            base_url=url,
            auth=credentials(destination, url),
            verify=trust(destination),
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
            headers={"Accept": "application/dicom+json", "Accept-Encoding": "identity"},
        )
    except (httpx2.InvalidURL, OSError, ValueError) as e:
        raise PeerProblem(
            f"{destination.name} is not configured so that it can be used. "
            "Check url, the files with passwords or tokens, and the TLS files.",
            retry=False,
        ) from e


def name(destination: Destination) -> str:
    """How sentences name the destination."""
    return f"{destination.name} ({destination.url.partition('://')[2].partition('/')[0]})"


def exchange(
    destination: Destination, client: httpx2.Client, request: httpx2.Request, seconds: float
) -> Reply:
    """The reply to `request`, its body within `seconds` and MAX_REPLY. Raises PeerProblem."""
    response, body = answered(destination, client, request, seconds, MAX_REPLY)
    return Reply(response.status_code, _json(body), _retry_after(response))


def answered(
    destination: Destination,
    client: httpx2.Client,
    request: httpx2.Request,
    seconds: float,
    most: int,
) -> tuple[httpx2.Response, bytes]:
    """The response and its body, within `seconds` and `most` bytes. Raises PeerProblem."""
    try:
        response = client.send(request, stream=True)
        try:
            return response, _read(destination, response, time.monotonic() + seconds, most)
        finally:
            response.close()
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as e:
        raise NotReached(
            f"{name(destination)} cannot be reached ({_reason(e)}). "
            "Check that it is running, its URL and certificate, and the network.",
        ) from e
    except httpx2.TimeoutException as e:
        raise PeerProblem(
            f"{name(destination)} did not answer in time. Check that it is running and not "
            "overloaded.",
            timed_out=True,
        ) from e
    except httpx2.HTTPError as e:
        raise PeerProblem(
            f"The connection to {name(destination)} broke. Look in its log for the cause."
        ) from e


def _read(destination: Destination, response: httpx2.Response, deadline: float, most: int) -> bytes:
    body = bytearray()
    for some in response.iter_raw():
        body += some
        if len(body) > most:
            raise PeerProblem(f"{name(destination)} sent an answer without end. See its log.")
        if time.monotonic() > deadline:
            raise PeerProblem(f"{name(destination)} did not finish its answer.", timed_out=True)
    return bytes(body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _retry_after(response: httpx2.Response) -> float:
    """Seconds (RFC 9110 10.2.3); a date would be worth our clock only, and is not read."""
    value = response.headers.get("Retry-After", "")
    return min(float(value), _LONGEST_WAIT) if value.isdecimal() and value.isascii() else 0.0


def _reason(error: httpx2.TransportError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return "no answer"


def items(untrusted: Any, tag: str) -> list[Any]:
    """An element's values in the DICOM JSON model (PS3.18 F.2), [] where there is none."""
    if isinstance(untrusted, list) and untrusted:
        untrusted = untrusted[0]
    element = untrusted.get(tag) if isinstance(untrusted, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def value(untrusted: Any, tag: str) -> Any:
    """An element's first value."""
    values = items([untrusted], tag)
    return values[0] if values else None
