"""Where the bytes of a file are read from."""

from __future__ import annotations

import os


class Source:
    """The bytes of one file, read where they are needed."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, start: int, length: int) -> bytes:
        raise NotImplementedError


class FileSource(Source):
    """An open file descriptor of a staged copy: nobody writes to it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(os.fstat(descriptor).st_size)
        self._descriptor = descriptor

    def read(self, start: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, start)


class MemorySource(Source):
    """Bytes at hand. `size` may say that there were more than was kept (an inflated data set)."""

    def __init__(self, data: bytes, size: int | None = None) -> None:
        super().__init__(len(data) if size is None else size)
        self._data = data

    def read(self, start: int, length: int) -> bytes:
        return self._data[start : start + length]
