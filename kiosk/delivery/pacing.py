"""Not more than a line carries: what all associations to a destination send together."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator


class Pace:
    """At most `megabits` in a second, 0: as fast as it goes. Safe to use from several threads."""

    def __init__(self, megabits: float) -> None:
        self._seconds_a_byte = 8e-6 / megabits if megabits else 0.0
        self._free_at = 0.0
        self._lock = threading.Lock()

    def over(self, pieces: Iterable[tuple[memoryview, bool]]) -> Iterator[tuple[memoryview, bool]]:
        """`pieces`, each when its turn on the line has come."""
        if not self._seconds_a_byte:
            yield from pieces
            return
        for piece, last in pieces:
            wait = self._turn(len(piece))
            if wait > 0:
                threading.Event().wait(wait)
            yield piece, last

    def _turn(self, count: int) -> float:
        """Seconds until the line is free for `count` bytes, which then have it."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._free_at)
            self._free_at = start + count * self._seconds_a_byte
            return start - now
