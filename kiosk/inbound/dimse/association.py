"""One association from a sender: its PDUs are bounded in length and in time, its data sets go to
the disk fragment by fragment, and success is said when an instance is there to stay (PS3.8 9.2).

Our own and not pynetdicom's reactor: that one reads a PDU of any length into memory, never times an
unfinished one out, and names temporary files by what the peer calls its instance.
"""

from __future__ import annotations

import logging
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from kiosk.inbound.dimse.message import (
    C_ECHO_RQ,
    C_STORE_RQ,
    MAX_COMMAND,
    N_EVENT_REPORT_RQ,
    NO_DATA_SET,
    Element,
    Malformed,
    Request,
    Status,
    decode,
    response,
)
from kiosk.inbound.dimse.negotiation import (
    APPLICATION_CONTEXT,
    COMMITMENT,
    IMPLICIT,
    VERIFICATION,
    Accepted,
    Asked,
    accept,
    is_storage,
    read_request,
)
from kiosk.inbound.part10 import Meta, is_uid, preamble_and_meta
from kiosk.inbound.sessions import Incoming, NotKept, Sessions
from kiosk.policy.sections import Inbound

log = logging.getLogger("kiosk.inbound")

_RQ, _RJ, _DATA, _RELEASE_RQ, _RELEASE_RP, _ABORT = 0x01, 0x03, 0x04, 0x05, 0x06, 0x07
_MAX_ACSE_PDU = 262_144
_MAX_REPORT = 16_777_216  # 100,000 instances
_PERMANENT, _TRANSIENT = 1, 2
_USER, _PRESENTATION = 1, 3
_UNEXPECTED, _INVALID_VALUE = 2, 6


Reported = Callable[[bytes, bool], bool]
"""Told of an archive's commitment report: its untrusted Event Information and whether that is
implicit VR. Whether it could be read."""


class Ended(Exception):
    """The association is over; the text says why, for IT."""


class _Abort(Ended):
    """We end it: the sender broke the protocol or a limit."""

    def __init__(self, text: str, reason: int = _INVALID_VALUE) -> None:
        super().__init__(text)
        self.reason = reason


class _Instance:
    """A C-STORE while its data set comes in. After `refusal` the rest is read and thrown away."""

    def __init__(self, request: Request, context_id: int, seconds: float) -> None:
        self.request, self.context_id = request, context_id
        self.deadline = time.monotonic() + seconds
        self.refusal: Status | None = None
        self.incoming: Incoming | None = None
        self.uid = request.uid(Element.AFFECTED_SOP_INSTANCE_UID)
        self.stack = ExitStack()


class _Event:
    """An N-EVENT-REPORT while its Event Information comes in (PS3.4 J.3.3)."""

    def __init__(self, request: Request, context_id: int, implicit: bool) -> None:
        self.request, self.context_id, self.implicit = request, context_id, implicit
        self.untrusted = bytearray()


def serve(
    connection: socket.socket,
    peer: str,
    settings: Inbound,
    ae_title: str,
    most_bytes: int,
    sessions: Sessions,
    free: threading.Semaphore,
    reported: Reported,
) -> None:
    """One connection, to its end. `free` counts the associations that may still be opened. Raises
    OSError when the connection breaks."""
    association = _Association(connection, settings, most_bytes, sessions, reported)
    try:
        asked = association.asked(ae_title)
        if not free.acquire(blocking=False):
            association.reject(_TRANSIENT, _PRESENTATION, 2)
            raise Ended("too many associations are open")
        try:
            association.work(asked, f"{asked.calling} ({peer})")
        finally:
            free.release()
    except _Abort as e:
        association.abort(e.reason)
        log.warning("Association from %s aborted: %s.", peer, e)
    except Ended as e:
        log.info("Association from %s ended: %s.", peer, e)
    finally:
        association.drop()


class _Association:
    def __init__(
        self,
        connection: socket.socket,
        settings: Inbound,
        most_bytes: int,
        sessions: Sessions,
        reported: Reported,
    ) -> None:
        self._socket, self._settings = connection, settings
        self._most_bytes, self._sessions, self._reported = most_bytes, sessions, reported
        self._contexts: dict[int, Accepted] = {}
        self._caller = self._calling = ""
        self._command = bytearray()
        self._context_id = 0
        self._instance: _Instance | None = None
        self._event: _Event | None = None

    # -- association -------------------------------------------------------------------------

    def asked(self, ae_title: str) -> Asked:
        """The peer's request, if it may come in. Raises Ended."""
        kind, body = self._read_pdu()
        if kind != _RQ:
            raise _Abort("it did not begin with an association request", _UNEXPECTED)
        try:
            asked = read_request(bytes(body))
        except Malformed as e:
            raise _Abort(f"its association request cannot be read: {e}") from None
        if asked.application_context != APPLICATION_CONTEXT:
            self.reject(_PERMANENT, _USER, 2)
            raise Ended("it does not speak DICOM's application context")
        if asked.called != (self._settings.ae_title or ae_title):
            self.reject(_PERMANENT, _USER, 7)
            raise Ended("it called another AE title. Correct it at the sender")
        if self._settings.senders and asked.calling not in self._settings.senders:
            self.reject(_PERMANENT, _USER, 3)
            raise Ended("its AE title is not among the configured senders")
        return asked

    def work(self, asked: Asked, caller: str) -> None:
        """Accepts, then takes what comes until the peer releases. Raises Ended."""
        self._contexts, answer = accept(asked, self._settings.max_pdu, self._is_wanted)
        self._caller, self._calling = caller, asked.calling
        with self._sessions.attended(caller):
            self._socket.sendall(answer)
            while True:
                kind, body = self._read_pdu()
                if kind == _RELEASE_RQ:
                    self._socket.sendall(_pdu(_RELEASE_RP, bytes(4)))
                    raise Ended("released")
                if kind == _ABORT:
                    raise Ended("the sender aborted it")
                if kind != _DATA:
                    raise _Abort("it sent what does not belong here", _UNEXPECTED)
                self._take(memoryview(body))

    def _is_wanted(self, abstract_syntax: str) -> bool:
        if abstract_syntax == COMMITMENT:
            return self._settings.reports
        scans = self._settings.enabled and is_storage(abstract_syntax)
        return scans or abstract_syntax == VERIFICATION

    def reject(self, result: int, source: int, reason: int) -> None:
        self._socket.sendall(_pdu(_RJ, bytes((0, result, source, reason))))

    def abort(self, reason: int) -> None:
        """A-ABORT, if the connection still takes it without waiting."""
        try:
            self._socket.settimeout(0)
            self._socket.send(_pdu(_ABORT, bytes((0, 0, 2, reason))))
        except OSError:
            pass

    def drop(self) -> None:
        """Half an instance is none."""
        if self._instance is not None:
            self._instance.stack.close()
            self._instance = None

    # -- messages ----------------------------------------------------------------------------

    def _take(self, body: memoryview) -> None:
        at = 0
        if not body:
            raise _Abort("a P-DATA-TF has no fragment")
        while at < len(body):
            if at + 6 > len(body):
                raise _Abort("a fragment is cut off")
            length, context_id, control = struct.unpack_from(">IBB", body, at)
            end = at + 4 + length
            if length < 2 or end > len(body):
                raise _Abort("a fragment does not fit its P-DATA-TF")
            self._fragment(context_id, control, body[at + 6 : end])
            at = end

    def _fragment(self, context_id: int, control: int, value: memoryview) -> None:
        is_command, is_last = bool(control & 1), bool(control & 2)
        within = self._instance or self._event
        if is_command == (within is not None) or self._context_id not in (0, context_id):
            raise _Abort("a fragment of another message is mixed in")
        if context_id not in self._contexts:
            raise _Abort("it uses a presentation context that was not accepted")
        self._context_id = context_id
        if within is None:
            self._command += value
            if len(self._command) > MAX_COMMAND:
                raise _Abort("a command set is too long")
            if is_last:
                self._ordered(context_id)
        elif isinstance(within, _Event):
            self._told(within, value, is_last)
        else:
            self._store(within, value)
            if is_last:
                self._stored(within)

    def _ordered(self, context_id: int) -> None:
        try:
            request = decode(bytes(self._command))
        except Malformed as e:
            raise _Abort(str(e)) from None
        self._command.clear()
        command = request.number(Element.COMMAND_FIELD)
        has_data = request.number(Element.DATA_SET_TYPE) != NO_DATA_SET
        if command == C_STORE_RQ and has_data:
            self._instance = self._begun(request, context_id)
        elif command == C_ECHO_RQ and not has_data:
            self._answer(context_id, request, Status.SUCCESS)
        elif command == N_EVENT_REPORT_RQ and has_data:
            context = self._contexts[context_id]
            if context.abstract_syntax != COMMITMENT:
                raise _Abort("it reports on what has no reports")
            implicit = context.transfer_syntax == IMPLICIT
            self._event = _Event(request, context_id, implicit)
        else:
            raise _Abort("it asks for something else than storing")

    def _told(self, event: _Event, value: memoryview, is_last: bool) -> None:
        """A report goes on; whole, it is answered when it was written down (PS3.4 J.3.3.3)."""
        event.untrusted += value
        if len(event.untrusted) > _MAX_REPORT:
            raise _Abort("a report is too long")
        if not is_last:
            return
        self._event = None
        read = self._reported(bytes(event.untrusted), event.implicit)
        status = Status.SUCCESS if read else Status.PROCESSING_FAILURE
        self._answer(event.context_id, event.request, status)

    def _begun(self, request: Request, context_id: int) -> _Instance:
        context = self._contexts[context_id]
        instance = _Instance(request, context_id, self._settings.instance_seconds)
        sop_class = request.uid(Element.AFFECTED_SOP_CLASS_UID)
        if (
            context.abstract_syntax in (VERIFICATION, COMMITMENT)
            or sop_class != context.abstract_syntax
        ):
            instance.refusal = Status.CLASS_DISAGREES
        elif not is_uid(instance.uid):
            instance.refusal = Status.INVALID_INSTANCE
        else:
            meta = Meta(sop_class, instance.uid, context.transfer_syntax)
            try:
                incoming = self._sessions.begin(self._caller)
                instance.incoming = instance.stack.enter_context(incoming)
                incoming.write(preamble_and_meta(meta, self._calling))
            except NotKept as e:
                self._not_kept(instance, e)
        return instance

    def _store(self, instance: _Instance, value: memoryview) -> None:
        if time.monotonic() > instance.deadline:
            raise _Abort("an instance took too long")
        if instance.incoming is None or instance.refusal is not None:
            return
        if instance.incoming.bytes + len(value) > self._most_bytes:
            raise _Abort("an instance is larger than the limit")
        try:
            instance.incoming.write(value)
        except NotKept as e:
            self._not_kept(instance, e)

    def _stored(self, instance: _Instance) -> None:
        if instance.incoming is not None and instance.refusal is None:
            try:
                instance.incoming.keep(instance.uid)
            except NotKept as e:
                self._not_kept(instance, e)
        self.drop()
        status = Status.SUCCESS if instance.refusal is None else instance.refusal
        self._answer(instance.context_id, instance.request, status)

    def _not_kept(self, instance: _Instance, error: NotKept) -> None:
        instance.refusal = Status.OUT_OF_RESOURCES
        instance.stack.close()
        log.error("Scans that were sent cannot be kept (%s): the sender was told.", error)

    def _answer(self, context_id: int, request: Request, status: Status) -> None:
        self._context_id = 0
        self._socket.settimeout(self._settings.idle_seconds)
        self._socket.sendall(response(context_id, request, status))

    # -- PDUs --------------------------------------------------------------------------------

    def _read_pdu(self) -> tuple[int, bytearray]:
        """The next PDU, whole within `idle_seconds`. Raises Ended, OSError."""
        deadline = time.monotonic() + self._settings.idle_seconds
        kind, length = struct.unpack(">BxI", self._read(6, deadline))
        if length > (self._settings.max_pdu if kind == _DATA else _MAX_ACSE_PDU):
            raise _Abort(f"it announced a PDU of {length} bytes")
        return kind, self._read(length, deadline)

    def _read(self, count: int, deadline: float) -> bytearray:
        data = bytearray(count)
        view = memoryview(data)
        while view:
            left = deadline - time.monotonic()
            if left <= 0:
                raise _Abort("it fell silent")
            self._socket.settimeout(left)
            try:
                got = self._socket.recv_into(view)
            except TimeoutError:
                raise _Abort("it fell silent") from None
            if not got:
                raise Ended("the sender closed the connection")
            view = view[got:]
        return data


def _pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body
