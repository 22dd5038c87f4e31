"""One association to a DICOM peer: blocking, on our own (TLS) socket, every wait bounded.

pynetdicom's ACSE classes encode and decode A-ASSOCIATE; its reactor thread is left out, because it
copies and polls per fragment. Everything that ends an association out of order is one exception,
`PeerProblem`, whose text is a sentence for IT. States as in PS3.8 9.2.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import NoReturn

from kiosk.delivery.dimse.connection import PeerProblem, connect, lost, send_all, where
from kiosk.delivery.dimse.message import (
    MAX_IDENTIFIER,
    P_DATA_TF,
    Assembly,
    Command,
    Element,
    Malformed,
    Message,
    fragments,
    payload,
)
from kiosk.delivery.dimse.negotiation import (
    UNDECODABLE,
    Negotiated,
    Proposed,
    encode_request,
    read_acceptance,
    rejected,
)
from kiosk.policy.sections import Destination

_AC, _RJ, _RELEASE_RQ, _RELEASE_RP, _ABORT = 0x02, 0x03, 0x05, 0x06, 0x07
_MAX_ACSE_PDU = 262_144
_CHUNK = 131_072
_RELEASE_SECONDS = 5.0
_USER, _PROVIDER = 0, 2
_UNRECOGNISED, _UNEXPECTED, _INVALID_VALUE = 1, 2, 6


class Association:
    """An established association. Leaving the `with` block releases it, or aborts it when an
    exception is on its way."""

    def __init__(
        self, sock: socket.socket, destination: Destination, calling_ae_title: str
    ) -> None:
        self._socket = sock
        self._where = where(destination)
        self._answer_seconds = destination.answer_seconds
        self._max_pdu = destination.max_pdu
        self._calling = calling_ae_title
        self._called = destination.ae_title
        self._received = bytearray()
        self._open = True
        self.contexts: tuple[Negotiated, ...] = ()
        self.payload = payload(destination.max_pdu)

    def __enter__(self) -> Association:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.release()
        else:
            self.abort()

    @property
    def chunk(self) -> int:
        """How many bytes to hand to `send` at a time: whole fragments, near 128 KiB."""
        return max(1, _CHUNK // self.payload) * self.payload

    def accepted(self, abstract_syntax: str, transfer_syntax: str = "") -> Negotiated | None:
        """The accepted context for this pair, or for any of its transfer syntaxes."""
        for context in self.contexts:
            wanted = transfer_syntax in ("", context.transfer_syntax)
            if wanted and context.result == 0 and context.abstract_syntax == abstract_syntax:
                return context
        return None

    def negotiate(self, proposed: Sequence[Proposed]) -> None:
        """A-ASSOCIATE. Raises PeerProblem unless the peer accepts the association."""
        self._write([encode_request(proposed, self._called, self._calling, self._max_pdu)])
        kind, body = self._read_pdu(self._deadline())
        if kind == _RJ:
            self._close()
            raise rejected(self._where, self._called, self._calling, body)
        if kind != _AC:
            self._end_on(kind, body)
        self._accept(proposed, body)

    def _accept(self, proposed: Sequence[Proposed], untrusted_body: bytes) -> None:
        try:
            self.contexts, peer_max = read_acceptance(proposed, untrusted_body)
        except UNDECODABLE:
            self._give_up(_INVALID_VALUE, "answered with an association that cannot be read")
        self.payload = payload(min(peer_max, self._max_pdu) if peer_max else self._max_pdu)
        if self.payload < 128:
            self._give_up(_INVALID_VALUE, f"accepts no message longer than {peer_max} bytes")

    def send(
        self, context_id: int, command: bytes, chunks: Iterable[tuple[memoryview, bool]] = ()
    ) -> None:
        """One message: the command set, then the data set in chunks, each with whether it is the
        last. The first chunk leaves in the same write as the command."""
        buffers = fragments(context_id, memoryview(command), self.payload, command=True)
        for data, last in chunks:
            self._write([*buffers, *fragments(context_id, data, self.payload, last=last)])
            buffers = []
        if buffers:
            self._write(buffers)

    def send_whole(self, context_id: int, command: bytes, data: bytes) -> None:
        """One message whose data set is small and in memory."""
        self.send(context_id, command, [(memoryview(data), True)])

    def receive(self, seconds: float | None = None, most_data: int = MAX_IDENTIFIER) -> Message:
        """The peer's next message, within `answer_seconds` unless told otherwise. Raises
        PeerProblem: on silence, on an abort, on whatever is no message in this state or has more
        than `most_data` bytes."""
        deadline = self._deadline(seconds)
        assembly = Assembly(most_data)
        while True:
            kind, body = self._read_pdu(deadline)
            if kind != P_DATA_TF:
                self._end_on(kind, body)
            try:
                message = assembly.add(body)
            except Malformed as e:
                self._give_up(_INVALID_VALUE, f"broke the protocol ({e})")
            if message is not None:
                return message

    def response(self, command: Command, number: int, seconds: float | None = None) -> Message:
        """The peer's answer `command` to our message `number`; anything else ends it."""
        message = self.receive(seconds)
        answered = message.number(Element.MESSAGE_ID_RESPONDED_TO)
        if message.number(Element.COMMAND_FIELD) != command or answered != number:
            self._give_up(_INVALID_VALUE, "answered something that was not asked")
        if message.number(Element.STATUS) < 0:
            self._give_up(_INVALID_VALUE, "answered without a status")
        return message

    def quiet(self) -> bool:
        """Whether the association is still as we left it. A peer may release, abort or close while
        we prepare the next request; then nothing of ours was lost, and it is closed here."""
        if not self._open:
            return False
        if not self.readable(0):
            return True
        try:
            kind, body = self._read_pdu(self._deadline(_RELEASE_SECONDS))
            self._end_on(kind, body)
        except PeerProblem:
            return False

    def release(self) -> None:
        """A-RELEASE in order (PS3.8 7.2); nobody waits long for the answer."""
        if not self._open:
            return
        try:
            self._write([_pdu(_RELEASE_RQ, bytes(4))])
            deadline = self._deadline(min(_RELEASE_SECONDS, self._answer_seconds))
            while (kind := self._read_pdu(deadline)[0]) not in (_RELEASE_RP, _ABORT):
                if kind == _RELEASE_RQ:  # release collision, PS3.8 9.2 AR-8, AR-9
                    self._say(_RELEASE_RP)
        except PeerProblem:
            pass
        self._close()

    def abort(self, source: int = _USER, reason: int = 0) -> None:
        """A-ABORT, best effort, and the connection is closed."""
        if self._open:
            self._say(_ABORT, bytes((0, 0, source, reason)))
            self._close()

    def _say(self, kind: int, body: bytes = bytes(4)) -> None:
        """One last short PDU, if the connection still takes it without waiting."""
        try:
            self._socket.settimeout(0)
            self._socket.send(_pdu(kind, body))
        except OSError:
            pass

    def last_words(self) -> None:
        """After a failed write: raises what the peer said before it hung up, if it said it."""
        if self._open and self.readable(1.0):
            kind, body = self._read_pdu(self._deadline(1.0))
            if kind != P_DATA_TF:
                self._end_on(kind, body)

    def _end_on(self, kind: int, body: bytes) -> NoReturn:
        """The peer sent something else than what this state allows (PS3.8 table 9-10)."""
        if kind == _ABORT:
            self._close()
            by, reason = (body[2], body[3]) if len(body) >= 4 else (0, 0)
            who = "its software" if by == _USER else f"its DICOM layer, reason {reason}"
            raise PeerProblem(
                f"{self._where} aborted the association ({who}). Look in its log for the cause."
            )
        if kind == _RELEASE_RQ:
            self._say(_RELEASE_RP)
            self._close()
            raise PeerProblem(
                f"{self._where} ended the association before all was sent. "
                "The rest is sent on a new one."
            )
        known = kind in (0x01, _AC, _RJ, P_DATA_TF, _RELEASE_RP)
        self._give_up(_UNEXPECTED if known else _UNRECOGNISED, "sent what no DICOM peer sends here")

    def _give_up(self, reason: int, what: str) -> NoReturn:
        self.abort(_PROVIDER, reason)
        raise PeerProblem(
            f"{self._where} {what}. Check that the port is that of a DICOM archive, and its log."
        )

    def _deadline(self, seconds: float | None = None) -> float:
        return time.monotonic() + (self._answer_seconds if seconds is None else seconds)

    def readable(self, seconds: float) -> bool:
        """Whether the peer says something, or hangs up, within this time."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        poll = select.poll()  # select() takes no descriptor above 1023
        poll.register(self._socket, select.POLLIN)
        return bool(self._received or poll.poll(seconds * 1000))

    def _read_pdu(self, deadline: float) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxI", self._read(6, deadline))
        if length > (self._max_pdu if kind == P_DATA_TF else _MAX_ACSE_PDU):
            self._give_up(_INVALID_VALUE, f"announced a message part of {length} bytes")
        return kind, self._read(length, deadline)

    def _read(self, count: int, deadline: float) -> bytes:
        while len(self._received) < count:
            self._received += self._receive_some(deadline)
        wanted = bytes(self._received[:count])
        del self._received[:count]
        return wanted

    def _receive_some(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            # Not sticky in Linux; without it a peer's small answers wait for our delayed ACK.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            self._socket.settimeout(left)
            some = self._socket.recv(65_536)
        except TimeoutError as e:
            self.abort(_USER)
            raise PeerProblem(
                f"{self._where} did not answer in time. Check that it is not overloaded.",
                timed_out=True,
            ) from e
        except OSError as e:
            self._close()
            raise lost(self._where, e) from e
        if not some:
            self._close()
            raise PeerProblem(
                f"{self._where} closed the connection. Look in its log for the cause."
            )
        return some

    def _write(self, buffers: list[bytes | memoryview]) -> None:
        try:
            self._socket.settimeout(self._answer_seconds)
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.sendall(b"".join(buffers))
            else:
                send_all(self._socket, buffers)
        except TimeoutError as e:
            self.abort(_USER)
            raise PeerProblem(
                f"{self._where} stopped taking data. Check that it is not overloaded or full.",
                timed_out=True,
            ) from e
        except OSError as e:
            self.last_words()
            self._close()
            raise lost(self._where, e) from e

    def _close(self) -> None:
        self._open = False
        self._socket.close()


@contextmanager
def associate(
    destination: Destination, calling_ae_title: str, proposed: Sequence[Proposed]
) -> Iterator[Association]:
    """An association with at most 128 proposed contexts (PS3.8 9.3.2.2: odd identifiers to 255).
    Raises PeerProblem."""
    association = Association(connect(destination), destination, calling_ae_title)
    with association:
        association.negotiate(proposed)
        yield association


def _pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body
