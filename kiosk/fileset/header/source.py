"""Where the bytes of a file are read from."""

from __future__ import annotations

import os

WINDOW = 16_384


class Source:
    """The bytes of one file, read where they are needed."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from `start` on, fewer where the file ends."""
        raise NotImplementedError

    def window(self, start: int) -> bytes:
        """Some bytes from `start` on: at least 4096, unless the file ends before."""
        return self.read(start, WINDOW)


class FileSource(Source):
    """An open file descriptor of a staged copy: nobody writes to it. Its beginning, which holds
    most headers whole, is read once."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(os.fstat(descriptor).st_size)
        self._descriptor = descriptor
        self._head = os.pread(descriptor, WINDOW, 0)

    def read(self, start: int, length: int) -> bytes:
        if start + length <= len(self._head):
            return self._head[start : start + length]
        return os.pread(self._descriptor, length, start)

    def window(self, start: int) -> bytes:
        if start + 4096 <= len(self._head) or len(self._head) == self.size:
            return self._head[start:]
        return os.pread(self._descriptor, WINDOW, start)


class MemorySource(Source):
    """Bytes at hand. `size` may say that there were more than was kept (an inflated data set)."""

    def __init__(self, data: bytes, size: int | None = None) -> None:
        super().__init__(len(data) if size is None else size)
        self._data = data

    def read(self, start: int, length: int) -> bytes:
        return self._data[start : start + length]
