"""The wire below a question: one connection, one deadline, one bounded answer."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import time
from typing import Any

import httpx2

from kiosk.adt.mllp import Connection, Cut, wrap
from kiosk.policy.sources import Source

MAX_ANSWER = 2_000_000
_CHUNK = 65_536


class SourceProblem(Exception):
    """The source could not be asked, or its answer is of no use. The text is one sentence for IT,
    without anything that the other side said."""


def mllp(source: Source, question: bytes, deadline: float) -> bytes:
    """The first frame that answers `question`, until `time.monotonic()` is `deadline`. Raises
    SourceProblem."""
    try:
        with connected(source, _left(deadline)) as connection:
            connection.settimeout(_left(deadline))
            connection.sendall(wrap(question))
            return _first_frame(connection, deadline)
    except TimeoutError as e:
        raise SourceProblem(f"{where(source)} did not answer within {source.seconds:g} s.") from e
    except OSError as e:
        raise SourceProblem(f"{where(source)} cannot be asked ({_reason(e)}).") from e


def connected(source: Source, seconds: float) -> socket.socket:
    """A connection, inside TLS where the source asks for it. Raises OSError."""
    raw = socket.create_connection((source.host, source.port), seconds)
    try:
        if source.tls is None:
            return raw
        return trust(source).wrap_socket(raw, server_hostname=source.host)
    except OSError:
        raw.close()
        raise


def trust(source: Source) -> ssl.SSLContext:
    """TLS 1.2 or newer; the other side's certificate is checked, ours is shown if there is one.
    Raises OSError when the files cannot be used."""
    ca = str(source.tls.ca) if source.tls else None
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if source.tls and source.tls.certificate:
        context.load_cert_chain(source.tls.certificate, source.tls.key)
    return context


def where(source: Source) -> str:
    """How sentences name a source."""
    if source.kind == "fhir":
        return f"{source.name} ({source.url.partition('://')[2].partition('/')[0]})"
    return f"{source.name} ({source.host}:{source.port})"


def _first_frame(connection: socket.socket, deadline: float) -> bytes:
    framer, received = Connection(MAX_ANSWER), 0
    while True:
        connection.settimeout(_left(deadline))
        data = connection.recv(_CHUNK)
        if not data:
            raise OSError(0, "it closed the connection without an answer")
        received += len(data)
        frames = framer.receive(data)
        if received > MAX_ANSWER or (frames and isinstance(frames[0], Cut)):
            raise OSError(0, "its answer has no end")
        if frames:
            return frames[0]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    return error.strerror or "no answer"


# -- HTTP ---------------------------------------------------------------------------------------


def http(
    source: Source, method: str, path: str, deadline: float, **request: Any
) -> tuple[int, Any]:
    """Status and JSON body, None where the body is none. No proxy of the environment, no redirect
    followed, nothing decompressed. Raises SourceProblem."""
    try:
        with (
            _client(source, _left(deadline)) as client,
            client.stream(method, path, **request) as response,
        ):
            body = bytearray()
            for some in response.iter_raw():
                body += some
                if len(body) > MAX_ANSWER:
                    raise SourceProblem(f"{where(source)}: its answer has no end.")
                _left(deadline)
            return response.status_code, _json(bytes(body))
    except (httpx2.TimeoutException, TimeoutError) as e:
        raise SourceProblem(f"{where(source)} did not answer within {source.seconds:g} s.") from e
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as e:
        raise SourceProblem(f"{where(source)} cannot be asked ({_http_reason(e)}).") from e


def _client(source: Source, seconds: float) -> httpx2.Client:
    headers = {"Accept": "application/fhir+json", "Accept-Encoding": "identity"}
    url = httpx2.URL(source.url.rstrip("/") + "/")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise ValueError("patients are asked for over https only")
    if source.token_file:
        headers["Authorization"] = f"Bearer {source.token_file.read_text('utf-8').strip()}"
    return httpx2.Client(
        base_url=url,
        headers=headers,
        verify=trust(source),
        timeout=seconds,
        trust_env=False,
        follow_redirects=False,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _http_reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and not isinstance(cause, httpx2.HTTPError):
            return _reason(cause)
        cause = cause.__cause__ or cause.__context__
    return str(error) if isinstance(error, ValueError) else "the connection broke"
