"""The thread that brings frames: it asks the desk for a range until the station has made it."""

from __future__ import annotations

import threading

from PySide6.QtCore import QObject, Signal

from kiosk.desk import Refused
from kiosk.ui.threads import Guarded

POLL_SECONDS = 0.15


class Fetcher(QObject):
    """`look` may be called at any time from the thread that draws; what it asked for last counts.
    `brought` carries the series and its frames, some or all of those that were asked for."""

    brought = Signal(int, object)
    refused = Signal(object)

    def __init__(self, desk: Guarded) -> None:
        super().__init__()
        self._desk = desk
        self._wanted: tuple[int, int, int, int] | None = None
        self._news = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)

    def look(self, study: int, series: int, first: int, count: int) -> None:
        self._wanted = (study, series, first, count)
        if not self._thread.is_alive() and not self._stopped:
            self._thread.start()
        self._news.set()

    def stop(self) -> None:
        self._stopped = True
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            self._news.clear()
            wanted = self._wanted
            more = wanted is not None and self._bring(*wanted)
            if wanted == self._wanted and not more:
                self._wanted = None
            self._news.wait(POLL_SECONDS if more else None)

    def _bring(self, study: int, series: int, first: int, count: int) -> bool:
        """Whether some are still to come."""
        try:
            found = self._desk.frames(study, series, first, count)
        except Refused as refusal:
            self.refused.emit(refusal.message)
            return False
        if found:
            self.brought.emit(series, found)
        return len(found) < count
