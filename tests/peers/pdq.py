"""A Patient Demographics Supplier (IHE ITI-21) that answers as the test says, on real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kiosk.adt.mllp import Connection, wrap
from tests.peers import LOOPBACK
from tests.peers.certificates import Issued

Respond = Callable[[socket.socket, bytes], None]
"""Writes what it likes for one question."""


@dataclass
class Supplier:
    port: int = 0
    questions: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def asked(self, number: int = -1) -> dict[str, str]:
        """QPD-3 of a question: what was asked for by which field."""
        qpd = next(s for s in self.questions[number].split("\r") if s.startswith("QPD|"))
        pairs = (p.partition("^") for p in qpd.split("|")[3].split("~"))
        return {name: value for name, _, value in pairs}


def answer(
    question: bytes, *pids: str, msa: str = "AA", status: str = "OK", control_id: str = ""
) -> bytes:
    """RSP^K22 with these PID segments."""
    msh = question.decode().split("\r")[0].split("|")
    asked = control_id or msh[9]
    lines = [
        rf"MSH|^~\&|MPI|REGION|{msh[2]}|{msh[3]}|2026||RSP^K22^RSP_K21|R1|P|2.5||||||UNICODE UTF-8",
        f"MSA|{msa}|{asked}",
        f"QAK|{asked}|{status}",
        "QPD|IHE PDQ Query|x",
        *pids,
    ]
    return ("\r".join(lines) + "\r").encode()


def naming(*pids: str) -> Respond:
    """Answers every question with these patients."""
    return lambda peer, question: peer.sendall(wrap(answer(question, *pids)))


@contextmanager
def supplier(respond: Respond, tls: Issued | None = None) -> Iterator[Supplier]:
    made = Supplier()
    server = socket.create_server((LOOPBACK, 0))
    made.port = server.getsockname()[1]
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
    threads: list[threading.Thread] = []

    def converse(raw: socket.socket) -> None:
        try:
            with context.wrap_socket(raw, server_side=True) if context else raw as peer:
                framer = Connection()
                while data := peer.recv(65_536):
                    for frame in framer.receive(data):
                        made.questions.append(frame.decode())
                        respond(peer, frame)
        except OSError:
            raw.close()  # whoever asked has hung up: what it did not wait for is its own affair

    def accept() -> None:
        while not made.over.is_set():
            try:
                raw, _ = server.accept()
            except OSError:
                return
            thread = threading.Thread(target=converse, args=(raw,))
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield made
    finally:
        made.over.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for each in (acceptor, *threads):
            each.join(10)
