"""The connection below an association: TCP or TLS, tuned so that no wait is without an end."""

from __future__ import annotations

import socket
import ssl

from kiosk.policy.sections import Destination, Tls

_MAX_BUFFERS = 1000  # below IOV_MAX


class PeerProblem(Exception):
    """The peer could not be had, or ended what we began. The text is one sentence for IT; `retry`
    says whether later may be better, `timed_out` whether the peer just fell silent."""

    def __init__(self, text: str, *, retry: bool = True, timed_out: bool = False) -> None:
        super().__init__(text)
        self.retry = retry
        self.timed_out = timed_out


class NotReached(PeerProblem):
    """The peer could not be had at all: nothing was sent to it."""


def where(destination: Destination) -> str:
    """How sentences name a destination."""
    return f"{destination.name} ({destination.host}:{destination.port})"


def connect(destination: Destination) -> socket.socket:
    """A connected socket, inside TLS where the destination asks for it. Never falls back to plain
    text. Raises PeerProblem."""
    name = where(destination)
    try:
        context = None if destination.tls is None else client_context(destination.tls)
    except (OSError, ValueError) as e:
        raise PeerProblem(
            f"The TLS files of {destination.name} cannot be used. Check ca, certificate and key.",
            retry=False,
        ) from e
    try:
        sock = socket.create_connection(
            (destination.host, destination.port), destination.connect_seconds
        )
    except (OSError, UnicodeError) as e:  # the latter for a name that no host can have
        reason = getattr(e, "strerror", None) or "no answer"
        raise PeerProblem(
            f"{name} cannot be reached ({reason}). "
            "Check that it is running, its address and port, and the network."
        ) from e
    _tune(sock, destination.answer_seconds)
    return sock if context is None else _secure(sock, context, destination)


def _tune(sock: socket.socket, answer_seconds: float) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(answer_seconds * 1000))


def _secure(
    sock: socket.socket, context: ssl.SSLContext, destination: Destination
) -> socket.socket:
    try:
        return context.wrap_socket(sock, server_hostname=destination.host)
    except ssl.SSLCertVerificationError as e:
        sock.close()
        why = _MISTRUSTED.get(e.verify_code, f"is not trusted ({e.verify_message}). Check it")
        raise PeerProblem(
            f"{where(destination)} shows a certificate that {why}. Nothing was sent.",
            retry=False,
        ) from e
    except OSError as e:
        sock.close()
        if (refused := refused_ours(where(destination), e)) is not None:
            raise refused from e
        raise PeerProblem(
            f"{where(destination)} did not agree on TLS. Nothing was sent. "
            "Check that this port speaks TLS 1.2 or newer.",
        ) from e


_STRANGER = (
    "was not signed by an authority of the configured ca. Make sure that it is the right machine, "
    "then put its authority's certificate into ca"
)
_OTHER_NAME = "names another host. Write its host in the configuration as the certificate has it"
_MISTRUSTED = {  # X509_V_ERR numbers (openssl-verification-options(1))
    9: "is not valid yet. Check the clocks of both machines",
    10: "has expired. Have it renewed there",
    18: _STRANGER,
    19: _STRANGER,
    20: _STRANGER,
    21: _STRANGER,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
_REFUSALS = {  # alerts (RFC 8446 6.2)
    "CERTIFICATE_REQUIRED": "asks for a certificate of ours, and none is configured. "
    "Set certificate and key of this destination",
    "UNKNOWN_CA": "does not know who signed our certificate. Enter our authority there",
    "CERTIFICATE_EXPIRED": "says that our certificate has expired. Have it renewed",
    "CERTIFICATE_REVOKED": "says that our certificate was revoked. Have a new one issued",
    "BAD_CERTIFICATE": "refuses our certificate. Look in its log for the cause",
    "CERTIFICATE_UNKNOWN": "refuses our certificate. Look in its log for the cause",
}


def refused_ours(name: str, error: OSError) -> PeerProblem | None:
    """What a peer has against our certificate: in TLS 1.3 it says so when we believe to be
    connected already."""
    reason = (getattr(error, "reason", None) or "") if isinstance(error, ssl.SSLError) else ""
    for alert, words in _REFUSALS.items():
        if reason.endswith(f"ALERT_{alert}"):
            return PeerProblem(f"{name} {words}. Nothing was sent.", retry=False)
    return None


def client_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or newer, the peer's certificate signed by `ca` (PS3.15 B.12), ours shown if any.
    Raises OSError (ssl.SSLError among them) when the files cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(tls.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)
    return context


def send_all(sock: socket.socket, buffers: list[bytes | memoryview]) -> None:
    """Every byte of `buffers`. The time-out counts from the last byte that moved: a slow peer goes
    on, a stopped one does not."""
    at = 0
    while at < len(buffers):
        some = buffers[at : at + _MAX_BUFFERS]
        sent = sock.sendmsg(some)
        if sent == sum(map(len, some)):
            at += len(some)
            continue
        while at < len(buffers) and sent >= len(buffers[at]):
            sent -= len(buffers[at])
            at += 1
        if sent:
            buffers[at] = memoryview(buffers[at])[sent:]


def lost(name: str, error: OSError) -> PeerProblem:
    if (refused := refused_ours(name, error)) is not None:
        return refused
    if isinstance(error, ssl.SSLError):
        reason = f"TLS: {(error.reason or 'closed').replace('_', ' ').lower()}"
    else:
        reason = error.strerror or "connection lost"
    return PeerProblem(
        f"The connection to {name} broke ({reason}). Check the network and the archive's log."
    )
