"""MLLP framing without I/O: bytes in, frames out (HL7 v2 MLLP release 1: VT message FS CR), and
the other ways in which messages lie one behind the other in a file.

Whatever is outside a frame is noise and skipped. A frame ends at FS, whether CR follows or not: a
peer that leaves the CR out would otherwise wait for its answer for ever. A new start of a message
inside a frame ends the unfinished one: its sender gave up and begins again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

START = b"\x0b"
END = b"\x1c"
CR = b"\r"

_RESTART = START + b"MSH"
_HEAD = 65_536  # of a frame over the limit: enough to answer it


class Cut(bytes):
    """The head of a frame that was longer than the limit; the rest was thrown away."""


class Connection:
    """One peer's side of a connection. `receive` takes bytes as they come, in any portions."""

    def __init__(self, max_bytes: int = 4_000_000) -> None:
        self._max = max_bytes
        self._buffer = bytearray()
        self._open = False
        self._cut = False

    @property
    def unfinished(self) -> bool:
        """True while a frame has begun and not ended."""
        return self._open

    def receive(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, without their framing; a `Cut` for one too long."""
        done: list[bytes] = []
        position = 0
        while position < len(data):
            if not self._open:
                position = self._find_start(data, position)
                continue
            end = data.find(END, position)
            self._keep(data[position : len(data) if end < 0 else end])
            if end < 0:
                break
            done.append(self._take())
            position = end + 1
        return done

    def _find_start(self, data: bytes, position: int) -> int:
        start = data.find(START, position)
        self._open = start >= 0
        return start + 1 if self._open else len(data)

    def _keep(self, more: bytes) -> None:
        if self._cut:
            return
        self._buffer += more
        if len(self._buffer) > self._max:
            self._cut = True
            del self._buffer[_HEAD:]

    def _take(self) -> bytes:
        restart = self._buffer.rfind(_RESTART)
        payload = bytes(self._buffer[restart + 1 :] if restart >= 0 else self._buffer)
        frame = Cut(payload) if self._cut else payload
        self._buffer.clear()
        self._open = self._cut = False
        return frame


def frames(data: bytes) -> Iterator[bytes]:
    """The complete frames in `data`."""
    yield from Connection(max_bytes=len(data)).receive(data)


def wrap(message: bytes) -> bytes:
    """The message as it goes on the wire."""
    return START + message + END + CR


_CHUNK = 1 << 20
_ENVELOPE = re.compile(rb"(?:\A|(?<=[\r\n]))[ \t\r\n]*(?=(?:FHS|BHS|BTS|FTS|MSH)[^A-Za-z0-9\s])")
_BLANK = b" \t\r\n\x00\xef\xbb\xbf"


def messages(stream: IO[bytes]) -> Iterator[bytes]:
    """The messages of a file or pipe, in their order and without holding it whole: MLLP frames, a
    batch (FHS BHS ... BTS FTS, of which the envelope is skipped), or messages one after another.
    What is no message at all comes out as one, so that it is counted and refused."""
    first = stream.read(_CHUNK)
    if first.lstrip(_BLANK).startswith(START):
        yield from _framed(first, stream)
    else:
        yield from _bare(first, stream)


def _framed(chunk: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    connection = Connection(max_bytes=64 * _CHUNK)
    while chunk:
        yield from connection.receive(chunk)
        chunk = stream.read(_CHUNK)
    if connection.unfinished:
        yield from connection.receive(END)  # a file may lack its last end


def _bare(chunk: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk:
        rest += chunk
        *whole, rest = _ENVELOPE.split(rest)
        yield from filter(_is_message, whole)
        chunk = stream.read(_CHUNK)
    if _is_message(rest):
        yield rest


def _is_message(piece: bytes) -> bool:
    return bool(piece.strip(_BLANK)) and piece[:3] not in (b"FHS", b"BHS", b"BTS", b"FTS")
