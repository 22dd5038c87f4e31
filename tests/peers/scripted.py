"""A C-STORE peer that does what the test says: refuses, stalls, aborts, lies, warns.

It speaks through pynetdicom's PDU classes and its own few lines of DIMSE, and shares nothing with
what it tests. A `Behaviour` is called for each complete instance, counted from 1 over all
associations, and acts on the `Conversation`; the default is status 0000.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ

from tests.peers import LOOPBACK

QUERIES = ("1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.1.1")


class Hung(Exception):
    """The other side went away, or the test is over."""


@dataclass(eq=False)
class Conversation:
    """One association as the peer sees it."""

    socket: socket.socket
    peer: Scripted
    context_id: int = 0
    message_id: int = 0
    sop_class: bytes = b""
    sop_instance: bytes = b""
    command: int = 0
    data: bytes = b""  # the first 64 KiB of the message's data set

    def read_pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxI", self._read(6))
        self.peer.longest_pdu = max(self.peer.longest_pdu, length if kind == 4 else 0)
        return kind, self._read(length)

    def _read(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            some = self.socket.recv(min(65536, count - len(data)))
            if not some:
                raise Hung
            data += some
        return bytes(data)

    def send_pdu(self, kind: int, body: bytes) -> None:
        self.socket.sendall(struct.pack(">BxI", kind, len(body)) + body)

    def accept(self, result_of: Callable[[str, str], int] = lambda sop_class, syntax: 0) -> None:
        """A-ASSOCIATE-AC; `result_of` judges each context by its class and first syntax."""
        request = A_ASSOCIATE_RQ()
        request.decode(struct.pack(">BxI", 1, len(self.peer.request)) + self.peer.request)
        primitive = request.to_primitive()
        for context in primitive.presentation_context_definition_list:
            context.result = result_of(str(context.abstract_syntax), context.transfer_syntax[0])
            context.transfer_syntax = context.transfer_syntax[:1]
        primitive.presentation_context_definition_results_list = (
            primitive.presentation_context_definition_list
        )
        primitive.result, primitive.result_source = 0, 1
        primitive.maximum_length_received = self.peer.max_pdu
        self.peer.talking.append(self)
        self.socket.sendall(A_ASSOCIATE_AC(primitive).encode())

    def reject(self, result: int, source: int, reason: int) -> None:
        self.send_pdu(3, bytes((0, result, source, reason)))
        self.wait_for_close()

    def answer(self, status: int, comment: str = "") -> None:
        """C-STORE-RSP."""
        elements = {
            0x0002: self.sop_class,
            0x0100: struct.pack("<H", 0x8001),
            0x0120: struct.pack("<H", self.message_id),
            0x0800: struct.pack("<H", 0x0101),
            0x0900: struct.pack("<H", status),
            0x1000: self.sop_instance,
        }
        if comment:
            elements[0x0902] = comment.encode("latin-1") + b" " * (len(comment) % 2)
        self.send_command(elements)

    def send_command(self, elements: dict[int, bytes], data: bytes = b"") -> None:
        body = b"".join(struct.pack("<HHI", 0, n, len(v)) + v for n, v in sorted(elements.items()))
        body = struct.pack("<HHIL", 0, 0, 4, len(body)) + body
        self.send_pdu(4, struct.pack(">IBB", len(body) + 2, self.context_id, 3) + body)
        if data:
            self.send_pdu(4, struct.pack(">IBB", len(data) + 2, self.context_id, 2) + data)

    def abort(self, source: int = 2, reason: int = 0) -> None:
        self.send_pdu(7, bytes((0, 0, source, reason)))
        raise Hung

    def request_release(self) -> None:
        """A-RELEASE-RQ where nobody expects it."""
        self.send_pdu(5, bytes(4))
        kind, _ = self.read_pdu()
        self.peer.said.append(kind)
        raise Hung

    def hang(self) -> None:
        """Neither reads nor writes until the test is over."""
        self.peer.over.wait()
        raise Hung

    def wait_for_close(self) -> None:
        with contextlib.suppress(Hung):
            while True:
                self.peer.said.append(self.read_pdu()[0])
        raise Hung

    def store(self) -> None:
        """Reads one C-STORE request to its end. Raises Hung when the association ends instead."""
        command, data_bytes, done = bytearray(), 0, False
        self.data = b""
        while not done:
            kind, body = self.read_pdu()
            self.peer.said.append(kind)
            if kind == 5:
                self.peer.talking.remove(self)
                self.send_pdu(6, bytes(4))
                self.wait_for_close()
            if kind != 4:
                raise Hung
            at = 0
            while at < len(body):
                length, self.context_id, control = struct.unpack_from(">IBB", body, at)
                value = body[at + 6 : at + 4 + length]
                at += 4 + length
                if control & 1:
                    command += value
                else:
                    data_bytes += len(value)
                    self.data += value[: 65536 - len(self.data)]
                    if self.peer.midway is not None:
                        self.peer.midway(self.peer.stores + 1, self)
                done = control == 2
        self._remember(bytes(command), data_bytes)

    def _remember(self, command: bytes, data_bytes: int) -> None:
        at = 0
        while at < len(command):
            _, number, length = struct.unpack_from("<HHI", command, at)
            value = command[at + 8 : at + 8 + length]
            at += 8 + length
            if number == 0x0002:
                self.sop_class = value
            elif number == 0x0100:
                self.command = struct.unpack("<H", value)[0]
            elif number == 0x0110:
                self.message_id = struct.unpack("<H", value)[0]
            elif number == 0x1000:
                self.sop_instance = value
        self.peer.stores += 1
        self.peer.received.append(self.sop_instance.rstrip(b"\0").decode())
        self.peer.bytes += data_bytes


Behaviour = Callable[[int, Conversation], None]


def yes(number: int, conversation: Conversation) -> None:
    conversation.answer(0x0000)


@dataclass
class Scripted:
    """What the peer is asked to do, and what it saw. `received` are the instances that came whole,
    in order, each time they came; `said` the PDU types it read: complete after the block."""

    port: int
    behaviour: Behaviour
    on_associate: Callable[[Conversation], None]
    midway: Behaviour | None
    max_pdu: int
    host: str = LOOPBACK
    ae_title: str = "SCRIPTED"
    request: bytes = b""
    associations: int = 0
    talking: list[Conversation] = field(default_factory=list)  # accepted and not released
    stores: int = 0
    bytes: int = 0
    longest_pdu: int = 0
    received: list[str] = field(default_factory=list)
    said: list[int] = field(default_factory=list)
    over: Event = field(default_factory=Event)
    conversations: list[Thread] = field(default_factory=list)
    problems: list[Exception] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = Thread(target=self._converse, args=(connection,), daemon=True)
            self.conversations.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        with connection:
            conversation = Conversation(connection, self)
            try:
                _, self.request = conversation.read_pdu()
                self.associations += 1
                self.on_associate(conversation)
                while True:
                    conversation.store()
                    self.behaviour(self.stores, conversation)
            except (Hung, OSError):
                pass
            except Exception as e:  # noqa: BLE001  # what the script got wrong fails its test
                self.problems.append(e)


def asks_nothing(conversation: Conversation) -> None:
    """An archive that offers no queries: what it has nobody can ask."""
    conversation.accept(lambda sop_class, syntax: 3 * (sop_class in QUERIES))


@contextmanager
def scripted(
    behaviour: Behaviour = yes,
    *,
    on_associate: Callable[[Conversation], None] = Conversation.accept,
    midway: Behaviour | None = None,
    max_pdu: int = 16384,
) -> Iterator[Scripted]:
    """`midway` is called after each fragment of a data set, with the number of its instance."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        peer = Scripted(listener.getsockname()[1], behaviour, on_associate, midway, max_pdu)
        server = Thread(target=peer.serve, args=(listener,), daemon=True)
        server.start()
        try:
            yield peer
        finally:
            peer.over.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (server, *peer.conversations):
                thread.join(10)
    assert not peer.problems, peer.problems
