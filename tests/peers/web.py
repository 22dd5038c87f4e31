"""An HTTP server that answers as the test says, for what real DICOMweb servers do on bad days."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from tests.peers import LOOPBACK
from tests.peers.certificates import Issued


@dataclass
class Web:
    """`requests` are method, path and body of what came, in order."""

    url: str
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    over: Event = field(default_factory=Event)
    host: str = LOOPBACK
    port: int = 1
    ae_title: str = "WEB"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web
    respond: Callable[[Handler], None]

    def log_message(self, *arguments: object) -> None:
        """Nothing: the test tells what went wrong."""

    def do_POST(self) -> None:
        self._take(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    do_PUT = do_POST

    def do_GET(self) -> None:
        self._take(b"")

    def _take(self, body: bytes) -> None:
        self.web.requests.append((self.command, self.path, body))
        type(self).respond(self)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_json(self, status: int, body: Any, **headers: str) -> None:
        self.answer(
            status, json.dumps(body).encode(), Content_Type="application/dicom+json", **headers
        )


@contextmanager
def web(respond: Callable[[Handler], None], tls: Issued | None = None) -> Iterator[Web]:
    """`respond` is called once for each request, on a thread of its own."""
    peer = Web("")
    handler = type("Scripted", (Handler,), {"web": peer, "respond": staticmethod(respond)})
    server = ThreadingHTTPServer((LOOPBACK, 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    peer.port = server.server_address[1]
    peer.url = f"http{'s' if tls else ''}://{LOOPBACK}:{peer.port}/dicom-web"
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield peer
    finally:
        peer.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
