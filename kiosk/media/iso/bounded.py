"""Sectors for a first look: so many bytes and seeks, and not one more."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.media.iso.sectors import Raw, Sectors
from kiosk.media.source import Unreadable

BLOCK = 1 << 16


@dataclass(slots=True)
class Work:
    """What a drive may still be asked for: bytes, and reads that do not follow the one before."""

    bytes: int
    seeks: int
    position: int = -1  # where the last read ended
    denied: bool = False  # something was not read because of this

    def take(self, start: int, length: int) -> bool:
        """Whether this read may be done; if so it is paid for."""
        seek = start != self.position
        if length > self.bytes or seek > self.seeks:
            self.denied = True
            return False
        self.bytes -= length
        self.seeks -= seek
        self.position = start + length
        return True


class BoundedSectors(Sectors):
    """Blocks of 64 KiB, each asked for once and kept. What the work does not pay for, and what
    cannot be read, looks like the medium's end."""

    bounded = True

    def __init__(self, fd: int, size: int, work: Work, raw: Raw | None = None) -> None:
        super().__init__(fd, size, raw)
        self._work = work
        self._blocks: dict[int, bytes] = {}

    def read(self, start: int, length: int) -> bytes:
        parts = []
        while length > 0:
            piece = self._kept(start // BLOCK)[start % BLOCK :][:length]
            if not piece:
                break
            parts.append(piece)
            start, length = start + len(piece), length - len(piece)
        return b"".join(parts)

    def _kept(self, number: int) -> bytes:
        if number not in self._blocks:
            start = number * BLOCK
            length = max(0, min(BLOCK, self.size - start))
            paid = length > 0 and self._work.take(start, length)
            found = self._fetch(start, length) if paid else b""
            if not paid and length:
                return b""  # more may be allowed later
            self._blocks[number] = found
        return self._blocks[number]

    def _fetch(self, start: int, length: int) -> bytes:
        block = bytearray(length)
        try:
            return bytes(block[: self._pread(memoryview(block), start)])
        except Unreadable as e:
            return bytes(block[: e.span.start - start])
