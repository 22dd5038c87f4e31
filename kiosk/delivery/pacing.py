"""Not more than a line carries: what all associations to a destination send together; and no longer
than the engine wants to run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from kiosk.delivery.dimse import PeerProblem

DRAIN_SECONDS = 10.0
"""A stopped sender ends after the instance it is at, unless that takes longer than this."""


def never() -> bool:
    return False


class Pace:
    """At most `megabits` in a second, 0: as fast as it goes. Safe to use from several threads."""

    def __init__(
        self,
        megabits: float,
        stopping: Callable[[], bool] = never,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self._seconds_a_byte = 8e-6 / megabits if megabits else 0.0
        self._stopping, self._drain_seconds = stopping, drain_seconds
        self._free_at = self._stopped_at = 0.0
        self._lock = threading.Lock()

    def over(self, pieces: Iterable[tuple[memoryview, bool]]) -> Iterator[tuple[memoryview, bool]]:
        """`pieces`, each when its turn on the line has come. Raises PeerProblem when the engine
        has waited long enough for a large instance or a slow peer."""
        for piece, last in pieces:
            wait = self._turn(len(piece))
            if wait > 0:
                threading.Event().wait(wait)
            if self._stopping() and self._since_then() > self._drain_seconds:
                raise PeerProblem("Sending was stopped. It goes on when the engine runs again.")
            yield piece, last

    def _turn(self, count: int) -> float:
        """Seconds until the line is free for `count` bytes, which then have it."""
        if not self._seconds_a_byte:
            return 0.0
        with self._lock:
            now = time.monotonic()
            start = max(now, self._free_at)
            self._free_at = start + count * self._seconds_a_byte
            return start - now

    def _since_then(self) -> float:
        self._stopped_at = self._stopped_at or time.monotonic()
        return time.monotonic() - self._stopped_at
