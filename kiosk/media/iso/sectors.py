"""Bytes of a disc, image or file by position: large sequential reads first, a ladder for damage."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kiosk.media.source import Deadline, MediaError, Piece, Unreadable, never
from kiosk.model.medium import Span

SECTOR = 2048
_WINDOW = 1 << 20
_CAREFUL_BLOCK = 32 * SECTOR
_SKIP = 1 << 16  # bytes that the first pass leaves out where a read fails, doubled up to a window
_TRIES = 3  # of a sector of the list of files
_CDROM_SELECT_SPEED, _SLOW = 0x5322, 4  # x 150 kB/s
_GONE = {errno.ENOMEDIUM, errno.ENODEV, errno.ENXIO, errno.ESTALE}


@dataclass(frozen=True, slots=True)
class Raw:
    """An image that has a CD's sectors whole, as programs that copy discs write it (.bin, .mdf):
    how long each is, and where in it the 2,048 bytes lie (ECMA-130 14; MODE2 FORM1 with its
    subheader)."""

    stride: int
    within: int
    begin: int = 0  # of the file's bytes are before the first sector

    def size(self, bytes: int) -> int:
        return (
            max(0, bytes - self.begin - self.within + self.stride - SECTOR) // self.stride * SECTOR
        )


_SYNC = b"\0" + b"\xff" * 10 + b"\0"
_STRIDES = (2352, 2448, 2368)  # alone; with 96 or 16 bytes of subchannels behind
_GAP = 150  # sectors in front of the first track, in the images of some programs
_SIGNATURE = b"\x01CD001\x01"


def raw_layout(fd: int) -> Raw | None:
    """How the sectors lie in an image that does not have them end to end, None where it does."""
    for stride in _STRIDES:
        second = os.pread(fd, 16, stride)
        if os.pread(fd, 12, 0) == _SYNC and second[:12] == _SYNC:
            within = 24 if second[15] == 2 else 16
            return _first_that_fits(
                fd, (Raw(stride, within, begin * stride) for begin in (0, _GAP))
            )
    gap = (Raw(SECTOR, 0, _GAP * SECTOR), Raw(2336, 8), Raw(2336, 8, _GAP * 2336))
    return _first_that_fits(fd, gap, plain=Raw(SECTOR, 0))


def _first_that_fits(fd: int, layouts: Iterable[Raw], plain: Raw | None = None) -> Raw | None:
    """The layout that finds a volume descriptor where one belongs (ECMA-119 6.7.1)."""
    found = list(layouts)
    for raw in (plain, *found):
        at = raw.begin + 16 * raw.stride + raw.within if raw else 0
        if raw and os.pread(fd, len(_SIGNATURE), at) == _SIGNATURE:
            return None if raw is plain else raw
    return None if plain else found[0]


class Sectors:
    """Random access to one open file or device, read through one window of 1 MiB.

    `deadline` ends the ladder's patience: what lies behind is left as it is.
    `bad` has the sectors (by their first byte) that were tried in vain, and how often."""

    bounded = False  # whether this is for a first look only

    def __init__(self, fd: int, size: int, raw: Raw | None = None) -> None:
        self.fd = fd
        self.size = raw.size(size) if raw else size
        self._raw = raw
        self.deadline: Deadline = never
        self.bad: dict[int, int] = {}
        self._buffer = bytearray(_WINDOW)
        self._start = 0
        self._length = 0
        self._direct: mmap.mmap | None = None

    def close(self) -> None:
        os.close(self.fd)

    def read(self, start: int, length: int) -> bytes:
        """Up to `length` bytes, straight from the medium; fewer only past the end. Raises
        Unreadable."""
        block = bytearray(max(0, min(length, self.size - start)))
        return bytes(block[: self._pread(memoryview(block), start)])

    def view(self, start: int, end: int) -> memoryview:
        """At least one of the bytes in [start, end), from the window; empty past the end."""
        if not self._start <= start < self._start + self._length:
            self._fill(start - start % SECTOR)
        at = start - self._start
        return memoryview(self._buffer)[at : min(self._length, at + end - start)]

    def _fill(self, start: int) -> None:
        self._length = 0
        try:
            length = self._pread(memoryview(self._buffer), start)
        except Unreadable as e:
            length = e.span.start - start
            if not length:
                raise
        self._start, self._length = start, length

    def transfer(self, into: memoryview, start: int) -> int:
        """One read of the medium, as the system call does it: how many bytes came, 0 at the end.
        Raises OSError."""
        if self._raw is not None:
            return self._from_raw(self._raw, into, start)
        if self._direct is None:
            return os.preadv(self.fd, [into], start)
        ahead = start % SECTOR
        wanted = min(-(-(ahead + len(into)) // SECTOR) * SECTOR, len(self._direct))
        done = os.preadv(self.fd, [memoryview(self._direct)[:wanted]], start - ahead) - ahead
        done = max(0, min(done, len(into)))
        into[:done] = self._direct[ahead : ahead + done]
        return done

    def _from_raw(self, raw: Raw, into: memoryview, start: int) -> int:
        first, ahead = divmod(start, SECTOR)
        count = -(-(ahead + len(into)) // SECTOR)
        lies = os.pread(self.fd, count * raw.stride, raw.begin + first * raw.stride)
        done = 0
        for at in range(raw.within, len(lies), raw.stride):
            piece = lies[at + ahead : at + SECTOR][: len(into) - done]
            into[done : done + len(piece)] = piece
            done += len(piece)
            ahead = 0
        return done

    def slow_down(self, deadline: Deadline) -> None:
        """For a scratched disc: a slower drive reads better, where it lets its speed be set; and
        past the page cache a bad sector does not take its neighbour along (a page is two)."""
        self.deadline = deadline
        try:
            fcntl.ioctl(self.fd, _CDROM_SELECT_SPEED, _SLOW)
        except OSError:
            pass  # an image, or a drive that decides for itself
        if stat.S_ISBLK(os.fstat(self.fd).st_mode):
            flags = fcntl.fcntl(self.fd, fcntl.F_GETFL)
            fcntl.fcntl(self.fd, fcntl.F_SETFL, flags | os.O_DIRECT)
            self._direct = mmap.mmap(-1, _CAREFUL_BLOCK)  # aligned, as O_DIRECT asks

    def _pread(self, into: memoryview, start: int) -> int:
        """Fills `into` as far as the medium goes; returns how far. Raises Unreadable."""
        done = 0
        while done < len(into):
            try:
                got = self.transfer(into[done:], start + done)
            except OSError as e:
                if e.errno in _GONE:
                    raise gone() from e
                raise Unreadable(start + done, len(into) - done) from e
            if not got and start + done < self.size:
                raise Unreadable(start + done, len(into) - done)
            if not got:
                break
            done += got
        return done

    def pieces(self, start: int, length: int) -> Iterator[Piece]:
        """[start, start + length) in large reads. Where one fails the rest of it is left for the
        ladder, more from time to time; a Span of the medium stands for what was left, and for what
        lies behind the medium's end."""
        end = start + length
        skip = _SKIP
        while start < end:
            try:
                view = self.view(start, end)
            except Unreadable:
                beyond = min(end, start - start % SECTOR + skip)
                yield Span(start, beyond - start)
                start, skip = beyond, min(2 * skip, _WINDOW)
                continue
            if not view:
                yield Span(start, end - start)
                return
            yield view
            start, skip = start + len(view), _SKIP

    def ladder(self, start: int, length: int, tries: int) -> Iterator[Piece]:
        """The same range in small blocks, and where one fails sector by sector: each that was not
        tried so often already is tried once more. A Span for each part that cannot be had."""
        end = start + length
        while start < end:
            size = min(end - start, _CAREFUL_BLOCK - start % _CAREFUL_BLOCK)
            if start >= self.size or time.monotonic() > self.deadline():
                yield Span(start, end - start)
                return
            yield from self._block(start, size, tries)
            start += size

    def salvage(self, start: int, length: int) -> bytes:
        """What can be had up to the first byte that cannot."""
        parts = []
        for at in range(start - start % SECTOR, start + length, SECTOR):
            begin = max(at, start)
            data = self._patiently(begin, min(at + SECTOR, start + length) - begin)
            parts.append(data)
            if begin + len(data) < min(at + SECTOR, start + length):
                break
        return b"".join(parts)

    def _block(self, start: int, length: int, tries: int) -> Iterator[Piece]:
        if not any(start // SECTOR * SECTOR <= b < start + length for b in self.bad):
            block = bytearray(length)
            try:
                done = self._pread(memoryview(block), start)
            except Unreadable:
                pass
            else:
                yield memoryview(block)[:done]
                if done < length:
                    yield Span(start + done, length - done)
                return
        yield from self._sector_by_sector(start, length, tries)

    def _sector_by_sector(self, start: int, length: int, tries: int) -> Iterator[Piece]:
        end = start + length
        while start < end:
            if time.monotonic() > self.deadline():
                yield Span(start, end - start)
                return
            size = min(end - start, SECTOR - start % SECTOR)
            known = self.bad.get(start - start % SECTOR, 0)
            data = self._one_sector(start, size) if known < tries else b""
            if data:
                yield data
            if len(data) < size:
                yield Span(start + len(data), size - len(data))
            start += size

    def _one_sector(self, start: int, size: int) -> bytes:
        sector = start - start % SECTOR
        block = bytearray(size)
        try:
            data = bytes(block[: self._pread(memoryview(block), start)])
        except Unreadable:
            self.bad[sector] = self.bad.get(sector, 0) + 1
            return b""
        self.bad.pop(sector, None)
        return data

    def _patiently(self, start: int, size: int) -> bytes:
        for _ in range(_TRIES):
            if data := self._one_sector(start, size):
                return data
        return b""


def gone() -> MediaError:
    return MediaError(
        "medium-removed",
        "The medium was taken out while it was read. What was read so far is kept. "
        "Put the same medium in again to go on.",
    )
