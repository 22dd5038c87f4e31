"""A first look at a medium: its list of files and the first bytes of a few, for so little work that
a drive answers within seconds (UX 2: at most 4 MB and 40 seeks)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.media.iso import Work
from kiosk.media.opening import open_medium
from kiosk.media.source import Source
from kiosk.policy.sections import Limits

_TREE = (1_500_000, 20)  # bytes and seeks for the list of files
_FILES = (2_500_000, 20)  # and for what is in them


class Glimpse:
    """`files` are (path as the medium spells it, bytes) of what may be opened, in the order in
    which it lies there; `whole` tells whether the list is complete."""

    def __init__(self, source: Source, work: Work) -> None:
        self._source, self._work = source, work
        listing = source.listing
        self._entries = [e for e in listing.entries if not e.refused]
        self.files = tuple((e.untrusted_path, e.bytes) for e in self._entries)
        self.whole = not work.denied and not any(
            f.code.startswith("limit") for f in listing.findings
        )
        self._bytes, self._opens = _FILES
        work.bytes += self._bytes
        work.seeks += self._opens

    def start(self, number: int, length: int) -> bytes:
        """The first bytes of a file, by its position in `files`; fewer, or none, where they cannot
        be read or the work is done."""
        if self._opens <= 0 or self._bytes <= 0:
            return b""
        found = self._source.start(self._entries[number], min(length, self._bytes))
        self._opens -= 1
        self._bytes -= len(found)
        return found


@contextmanager
def glimpse(location: Path, limits: Limits) -> Iterator[Glimpse]:
    """A look at the medium at `location`. Raises MediaError."""
    work = Work(*_TREE)
    source = open_medium(location, limits, work)
    try:
        yield Glimpse(source, work)
    finally:
        source.close()
