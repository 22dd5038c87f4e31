"""Between a desk's window and D3: which study is open, and its frames as they come."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QObject

from kiosk.desk.snapshots import ViewSnapshot
from kiosk.model.relevance.picture import Picture
from kiosk.ui.threads import Guarded
from kiosk.ui.triage.fetching import Fetcher
from kiosk.ui.triage.view import ViewScreen


class Looking(QObject):
    """Adds the commands that need no desk to the window's own; ends with it."""

    def __init__(self, window: Any, desk: Guarded) -> None:
        super().__init__(window)
        self._window = window
        self._fetcher = Fetcher(desk)
        self._fetcher.brought.connect(self._brought)
        self._fetcher.refused.connect(window.say)
        window.local["look"] = self._fetcher.look
        window.local["open-study"] = self._open
        window.local["show-triage"] = lambda: window.go("triage")
        window.installEventFilter(self)

    def _open(self, study: int) -> None:
        self._window.reader.open(lambda desk: desk.view(study))

    def _brought(self, series: int, frames: tuple[Picture, ...]) -> None:
        screen = self._window.screens.get(ViewSnapshot)
        if isinstance(screen, ViewScreen):
            screen.receive(series, frames)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Close:
            self._fetcher.stop()
        return False
