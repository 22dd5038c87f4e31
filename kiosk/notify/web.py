"""HTTP to a receiver: who we are, whom we trust, and what its answer means."""

from __future__ import annotations

import ssl

import httpx2

from kiosk.notify.notice import Away, Refused, secret
from kiosk.policy.receivers import Receiver

_TRY_AGAIN = frozenset({401, 403, 408, 409, 412, 423, 425, 429})


def send(receiver: Receiver, method: str, url: str, body: bytes, headers: dict[str, str]) -> None:
    """One request; raises Away or Refused unless the answer is a 2xx. Redirects are not followed:
    what is sent names a patient."""
    try:
        with httpx2.Client(
            verify=_trust(receiver),
            timeout=receiver.answer_seconds,
            trust_env=False,
            auth=_authorization(receiver),
        ) as http:
            answer = http.request(method, url, content=body, headers=headers)
    except (httpx2.HTTPError, OSError) as e:
        raise Away(f"no answer ({type(e).__name__})") from e
    _judge(answer.status_code)


def _judge(status: int) -> None:
    """A refused log-in is for IT to mend, so it is tried again; a body that is not understood will
    never be."""
    if 200 <= status < 300:
        return
    if status in _TRY_AGAIN or status >= 500 or status < 400:
        raise Away(f"it answered {status}")
    raise Refused(f"it answered {status}")


def _trust(receiver: Receiver) -> ssl.SSLContext:
    if receiver.tls is None:
        context = ssl.create_default_context()
    else:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(receiver.tls.ca))
        if receiver.tls.certificate is not None:
            context.load_cert_chain(receiver.tls.certificate, receiver.tls.key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _authorization(receiver: Receiver) -> httpx2.Auth | None:
    if receiver.token_file is not None:
        return _Bearer(secret(receiver.token_file))
    if receiver.username:
        return httpx2.BasicAuth(receiver.username, secret(receiver.password_file))
    return None


class _Bearer(httpx2.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx2.Request):  # type: ignore[no-untyped-def]
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request
