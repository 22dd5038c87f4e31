"""Badge readers are keyboards that type very fast and end with Enter or Tab: what comes slower was
typed by a person (UX 9)."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QWidget

FAST_MS = 35
SHORTEST = 4
SUFFIXES = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab)


class Burst:
    """Keys in, scans out; no clock of its own. `at` is in milliseconds, 0 where it is unknown."""

    def __init__(self) -> None:
        self._text, self._last = "", 0

    def key(self, text: str, at: int) -> None:
        if not at or at - self._last >= FAST_MS:
            self._text = ""
        self._text, self._last = self._text + text, at

    def end(self, at: int) -> str:
        """What was scanned, now that a suffix has come; "" when a person typed it."""
        fast = bool(at) and at - self._last < FAST_MS and len(self._text) >= SHORTEST
        scanned = self._text if fast else ""
        self._text, self._last = "", 0
        return scanned


class Wedge(QObject):
    """`scanned` carries the badge's number. Its letters have reached the field with the focus by
    then; its suffix has not."""

    scanned = Signal(str)

    def __init__(self, parent: QWidget, wanted: Callable[[], bool]) -> None:
        super().__init__(parent)
        self._burst, self._wanted, self._parent = Burst(), wanted, parent
        QApplication.instance().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        # A key that nobody takes is seen once more at each parent of the field.
        if watched is not (QApplication.focusWidget() or self._parent) or not self._wanted():
            return False
        if event.key() not in SUFFIXES and event.text() != "\n":
            if event.text():
                self._burst.key(event.text(), event.timestamp())
            return False
        number = self._burst.end(event.timestamp())
        if number:
            self.scanned.emit(number)
        return bool(number)
