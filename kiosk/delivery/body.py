"""An instance's bytes on their way out: the new header from memory, the rest from the original,
which is held against its hash on the way: what has changed in the vault is never sent whole."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from io import FileIO
from pathlib import Path

from kiosk.model.delivery import Coerced, CoercionRefused, Outbound

_UID = re.compile(r"[0-9.]{1,64}")
_AT_ONCE = 2_097_152  # what is no longer is read and checked before the first byte goes out
_ROUND = 65_536

NO_UID = "its UIDs are not valid, so no archive could file it"
UNREADABLE = "the staged file could not be read"
SHORT = "the staged file is shorter than the instance"
CHANGED = "the staged file is not any more what was read from the medium"


@lru_cache(maxsize=1024)
def is_uid(text: str) -> bool:
    """Whether archives can file by it: leading zeros and the like they take (PS3.5 9.1)."""
    return _UID.fullmatch(text) is not None


class _Original:
    """The original's bytes, each read once and hashed as it is read. `start` and `end` are what
    the hash `expected` is of; "" where nothing is known to hold it against."""

    def __init__(self, file: FileIO, start: int, end: int, expected: str) -> None:
        self._file = file
        self._start, self._end, self._expected = start, end, expected
        self._digest = hashlib.sha256()

    def read(self, into: memoryview, offset: int) -> int:
        """Fills `into` from `offset` on. Raises CoercionRefused."""
        done = 0
        try:
            while done < len(into):
                count = os.preadv(self._file.fileno(), [into[done:]], offset + done)
                if count == 0:
                    raise CoercionRefused(SHORT)
                done += count
        except OSError as e:
            raise CoercionRefused(UNREADABLE) from e
        if self._expected:
            first, last = max(self._start - offset, 0), max(self._end - offset, 0)
            self._digest.update(into[first:last])
        return done

    def pass_over(self, start: int, end: int) -> None:
        """Reads what is hashed and not sent: what the new header stands for."""
        at, end = max(start, self._start), min(end, self._end)
        if not self._expected:
            return
        buffer = memoryview(bytearray(max(0, min(end - at, _AT_ONCE))))
        while at < end:
            at += self.read(buffer[: end - at], at)

    def check(self) -> None:
        """Raises CoercionRefused unless all of it was what it should be."""
        if self._expected and self._digest.hexdigest() != self._expected:
            raise CoercionRefused(CHANGED)

    def close(self) -> None:
        self._file.close()


class Buffers:
    """Memory for short instances, used again for the next: to get fresh one costs more than to read
    and to send what is put into it. For one thread."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []

    def take(self, length: int) -> bytearray:
        buffer = self._free.pop() if self._free else bytearray()
        return buffer if len(buffer) >= length else bytearray(-(-length // _ROUND) * _ROUND)

    def give_back(self, buffer: bytearray) -> None:
        self._free.append(buffer)


@dataclass(slots=True)
class Body:
    """A coerced instance whose original is open and long enough; to be closed when it was sent.
    `length` is the data set's; `_whole` holds all of that, where it was read at once."""

    item: Outbound
    coerced: Coerced
    _original: _Original
    _size: int
    _buffers: Buffers
    _whole: bytearray | None = None

    @property
    def length(self) -> int:
        return len(self.coerced.header) + self.coerced.tail_length

    def close(self) -> None:
        self._original.close()
        if self._whole is not None:
            self._buffers.give_back(self._whole)
            self._whole = None

    def chunks(
        self, buffer: memoryview, lead: bytes = b"", together: int = 1
    ) -> Iterator[tuple[memoryview, bool]]:
        """`lead` and the data set in pieces that fill `buffer`, each with whether it is the last;
        `together` as many in one where all of it is in memory.
        A piece is valid until the next is asked for. Raises CoercionRefused where the original
        cannot be read to its end, and before the last piece where it has changed: so that half an
        instance is out, which no archive keeps.

        Read and not mapped: a medium's error is then an exception and no signal, and a large
        instance does not count as our memory."""
        if self._whole is not None:
            whole = memoryview(self._whole)[: self.length]
            return _slices(lead, whole, buffer, together * len(buffer))
        return self._as_read(memoryview(lead + self.coerced.header), buffer)

    def _as_read(self, front: memoryview, buffer: memoryview) -> Iterator[tuple[memoryview, bool]]:
        left = self.coerced.tail_length
        self._original.pass_over(0, self.coerced.tail_offset)
        last = False
        while not last:
            filled = min(len(front), len(buffer))
            buffer[:filled], front = front[:filled], front[filled:]
            at = self.coerced.tail_offset + self.coerced.tail_length - left
            count = self._original.read(buffer[filled : filled + left], at)
            left -= count
            last = not front and not left
            if last:
                self._finish()
            yield buffer[: filled + count], last

    def _finish(self) -> None:
        end = self.coerced.tail_offset + self.coerced.tail_length
        self._original.pass_over(end, self._size)
        self._original.check()

    def read_whole(self) -> None:
        """Reads a short tail now, and checks it before anything is sent. Raises CoercionRefused."""
        if self.coerced.tail_length and self.length <= _AT_ONCE:
            front = len(self.coerced.header)
            self._whole = self._buffers.take(self.length)
            self._whole[:front] = self.coerced.header
            self._original.pass_over(0, self.coerced.tail_offset)
            tail = memoryview(self._whole)[front : self.length]
            self._original.read(tail, self.coerced.tail_offset)
            self._finish()


def _slices(
    lead: bytes, whole: memoryview, buffer: memoryview, length: int
) -> Iterator[tuple[memoryview, bool]]:
    """Of `length`, and without copying but for the first, where there is a `lead`."""
    at = 0
    if lead:
        at = min(len(buffer) - len(lead), len(whole))
        buffer[: len(lead)], buffer[len(lead) : len(lead) + at] = lead, whole[:at]
        yield buffer[: len(lead) + at], at == len(whole)
    while at < len(whole):
        piece = whole[at : at + length]
        at += len(piece)
        yield piece, at == len(whole)


def unchanged(item: Outbound, original: Path) -> None:
    """Holds all of a staged file against what came off the medium: what is made of it has other
    bytes. Raises CoercionRefused."""
    try:
        with original.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise CoercionRefused(UNREADABLE) from e
    if item.sha256 and found != item.sha256:
        raise CoercionRefused(CHANGED)


def opened(item: Outbound, buffers: Buffers) -> Body:
    """`item` coerced and its original open. Raises CoercionRefused when it must not be sent."""
    coerced = item.coerce()
    with coerced.made or nullcontext():
        return _opened(item, coerced, buffers)


def _opened(item: Outbound, coerced: Coerced, buffers: Buffers) -> Body:
    if not (is_uid(coerced.sop_instance_uid) and is_uid(coerced.sop_class_uid)):
        raise CoercionRefused(NO_UID)
    try:
        file = FileIO(coerced.tail)
        size = os.fstat(file.fileno()).st_size
    except OSError as e:
        raise CoercionRefused(UNREADABLE) from e
    body = Body(item, coerced, _original(item, coerced, file, size), size, buffers)
    try:
        if size < coerced.tail_offset + coerced.tail_length:
            raise CoercionRefused(SHORT)
        body.read_whole()
    except CoercionRefused:
        body.close()
        raise
    return body


def _original(item: Outbound, coerced: Coerced, file: FileIO, size: int) -> _Original:
    """Held against the whole file's hash as it came off the medium, or, where the file was made
    here, against that of the pixel data."""
    if item.sha256 and coerced.made is None:
        return _Original(file, 0, size, item.sha256)
    start = coerced.tail_offset + coerced.pixels_at
    return _Original(file, start, start + coerced.pixels_length, coerced.pixels)
