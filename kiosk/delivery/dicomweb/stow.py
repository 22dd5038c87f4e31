"""STOW-RS: storing instances over HTTP (PS3.18 10.5).

One instance to a request, so that each has its own answer as soon as it is there. The body is the
instance's bytes as coerced, streamed, its length known before.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

import httpx2

from kiosk.delivery.body import Body, Buffers, opened
from kiosk.delivery.dicomweb.authorization import Tokens
from kiosk.delivery.dicomweb.exchange import Reply, client, exchange, items, name, value
from kiosk.delivery.dimse import NotReached, PeerProblem
from kiosk.delivery.outcome import Reaction, Run, Then, Turns, reaction, side_by_side
from kiosk.delivery.pacing import Pace
from kiosk.model.delivery import Answer, CoercionRefused, Outbound
from kiosk.policy.sections import Destination

_CHUNK = 1_048_576
_SLOWEST_FILING = 10_000_000  # bytes a second
_LOST_IN_A_ROW = 5

_FAILED, _REFERENCED = "00081198", "00081199"
_INSTANCE, _FAILURE_REASON, _WARNING_REASON = "00081155", "00081197", "00081196"


def store(
    destination: Destination, items: Iterable[Outbound], run: Run, stopping: Callable[[], bool]
) -> None:
    """Sends what `items` has, over `destination.associations` connections, into `run`."""
    turns = Turns(iter(items), lambda: run.stopped or stopping())
    try:
        with client(destination) as http:
            side_by_side(destination.associations, lambda: _work(destination, http, turns, run))
    except PeerProblem as e:
        run.stop(str(e), retry=e.retry)


def _work(destination: Destination, http: httpx2.Client, turns: Turns, run: Run) -> None:
    buffer, buffers = memoryview(bytearray(_CHUNK)), Buffers()
    lost = 0
    while (item := turns.take()) is not None:
        try:
            with closing(opened(item, buffers)) as body:
                reply = _post(destination, http, body, buffer, run.pace)
                run.sent(body.length)
                if reply.status == 401 and _renewed(http) and turns.second_chance(item):
                    continue
                _judge(destination, item, body, reply, run)
                lost = 0
        except CoercionRefused as e:
            run.answered(item.sop_instance_uid, Answer.HELD, comment=str(e))
        except NotReached as e:
            run.stop(str(e), retry=e.retry)
        except PeerProblem as e:
            lost += 1
            run.answered(item.sop_instance_uid, Answer.RETRY, comment=str(e))
            if e.timed_out or lost >= _LOST_IN_A_ROW:
                run.stop(str(e), retry=e.retry)
            else:
                run.trouble(str(e))


def _renewed(http: httpx2.Client) -> bool:
    """Whether another token may help: the archive ends them when it likes."""
    if not isinstance(http.auth, Tokens):
        return False
    http.auth.forget()
    return True


def _post(
    destination: Destination, http: httpx2.Client, body: Body, buffer: memoryview, pace: Pace
) -> Reply:
    boundary = secrets.token_hex(16)
    before = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    after = f"\r\n--{boundary}--\r\n".encode()
    lead = before + body.coerced.meta
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Content-Length": str(len(lead) + body.length + len(after)),
    }

    def content() -> Iterator[bytes]:
        yield from (bytes(piece) for piece, _ in pace.over(body.chunks(buffer, lead)))
        yield after

    request = http.build_request("POST", "studies", content=content(), headers=headers)
    seconds = destination.answer_seconds + body.length / _SLOWEST_FILING
    return exchange(destination, http, request, seconds)


def _judge(destination: Destination, item: Outbound, body: Body, reply: Reply, run: Run) -> None:
    what, code, comment = judge(reply, body.coerced.sop_instance_uid)
    run.answered(item.sop_instance_uid, what.answer, code, comment, body.coerced.changes)
    if what.then is Then.BUSY:
        run.busy(f"{name(destination)} answers {code} again and again. See its log.")
    if what.then is Then.STOP:
        run.stop(
            f"{name(destination)} answered {code}: {comment or 'nothing more can be sent'}.",
            retry=reply.status in (429, 503),
            wait_seconds=reply.retry_after,
        )


_STOP = Reaction(Answer.PENDING, Then.STOP)
_BY_STATUS = {
    202: (Reaction(Answer.ACCEPTED), ""),
    409: (Reaction(Answer.REFUSED), "conflicts with what is there"),
    413: (Reaction(Answer.REFUSED), "too large for this archive"),
    401: (_STOP, "check user name, password or token"),
    403: (_STOP, "our user may not store"),
    404: (_STOP, "check the URL"),
    405: (_STOP, "check the URL"),
    429: (_STOP, "too many requests"),
    503: (_STOP, "out of service for now"),
}


def judge(reply: Reply, sop_instance_uid: str) -> tuple[Reaction, int, str]:
    """Reaction, code and comment for the one instance of a store request (PS3.18 10.5.3, I.2)."""
    if reply.status in (200, 202, 409):
        status = _status(reply.untrusted, sop_instance_uid)
        if status is not None:
            return reaction(status), status, ""
    if reply.status in _BY_STATUS:
        what, comment = _BY_STATUS[reply.status]
        return what, reply.status, comment
    if 300 <= reply.status < 400:
        return _STOP, reply.status, "it points elsewhere, which is not followed: check the URL"
    if 400 <= reply.status < 500:
        return Reaction(Answer.REFUSED), reply.status, "the archive refused the request"
    return Reaction(Answer.RETRY, Then.BUSY), reply.status, "no answer that can be read"


def _status(untrusted: Any, sop_instance_uid: str) -> int | None:
    """Failure or warning reason, 0 for stored, None where the module does not say."""
    for item in items(untrusted, _FAILED):
        reason = value(item, _FAILURE_REASON)
        return reason if isinstance(reason, int) else 0x0110
    for item in items(untrusted, _REFERENCED):
        if value(item, _INSTANCE) == sop_instance_uid:
            reason = value(item, _WARNING_REASON)
            return reason if isinstance(reason, int) else 0
    return None
