"""A request's body as it comes, bounded: plain or chunked (RFC 9112 7.1), and its parts
(multipart/related, RFC 2387; PS3.18 8.6.1.2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedIOBase

_CHUNK = 65_536
_MAX_HEADERS = 16_384
_MAX_LINE = 1024


class Malformed(ValueError):
    """The body is not what its headers say; the text says how."""


class TooLarge(Exception):
    """More than the limits allow."""


class Body:
    """`length` is Content-Length, None for a chunked body. `most` bytes are read and no more.
    Raises Malformed, TooLarge, OSError."""

    def __init__(self, stream: BufferedIOBase, length: int | None, most: int) -> None:
        self._stream, self._chunked, self._most = stream, length is None, most
        self._left = length or 0
        self._over = length == 0
        if self._left > most:
            raise TooLarge

    def read(self) -> bytes:
        """The next bytes; empty at the end."""
        if self._chunked and not self._left and not self._over:
            self._next_chunk()
        if self._over:
            return b""
        data = self._stream.read1(min(self._left, _CHUNK))
        if not data:
            raise Malformed("The body ended too early.")
        self._left -= len(data)
        self._most -= len(data)
        if self._most < 0:
            raise TooLarge
        if not self._left:
            self._ended()
        return data

    def _ended(self) -> None:
        if not self._chunked:
            self._over = True
        elif self._line():
            raise Malformed("A chunk does not end where it says.")

    def _next_chunk(self) -> None:
        try:
            self._left = int(self._line().partition(b";")[0].strip(), 16)
        except ValueError:
            raise Malformed("A chunk has no length.") from None
        if self._left < 0:
            raise Malformed("A chunk has no length.")
        if not self._left:
            self._over = True

    def _line(self) -> bytes:
        line = self._stream.readline(_MAX_LINE)
        if not line.endswith(b"\r\n"):
            raise Malformed("A chunk has no length.")
        return line[:-2]


class Multipart:
    """The parts of a body, one after the other; each is used up before the next is asked for."""

    def __init__(self, body: Body, boundary: bytes) -> None:
        self._body = body
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")  # the first delimiter may be the first bytes

    def parts(self) -> Iterator[Iterator[bytes]]:
        """Each part's content in pieces. Raises Malformed, TooLarge, OSError."""
        self._skip(self._content(_MAX_HEADERS))
        while not self._closes():
            self._skip_headers()
            content = self._content(None)
            yield content
            self._skip(content)

    def _skip(self, content: Iterator[bytes]) -> None:
        for _ in content:
            pass

    def _closes(self) -> bool:
        """After a delimiter: whether it was the last one."""
        while len(self._buffer) < 2:
            self._fill()
        return bytes(self._buffer[:2]) == b"--"

    def _skip_headers(self) -> None:
        """What a part says about itself is not believed; its bytes are looked at."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _MAX_HEADERS:
                raise Malformed("A part's headers are too long.")
            self._fill()
        del self._buffer[: end + 4]

    def _content(self, most: int | None) -> Iterator[bytes]:
        seen = 0
        keep = len(self._delimiter) - 1
        while (end := self._buffer.find(self._delimiter)) < 0:
            ready = len(self._buffer) - keep
            if ready > 0:
                seen += ready
                if most is not None and seen > most:
                    raise Malformed("There is no boundary where the first part should begin.")
                piece = bytes(self._buffer[:ready])
                del self._buffer[:ready]
                yield piece
            self._fill()
        piece = bytes(self._buffer[:end])
        del self._buffer[: end + len(self._delimiter)]
        yield piece

    def _fill(self) -> None:
        data = self._body.read()
        if not data:
            raise Malformed("The body ended before its last boundary.")
        self._buffer += data
