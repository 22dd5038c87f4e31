"""A field for a PIN or a password: dots, and nothing else, also for whoever asks the widget."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QInputMethodEvent, QKeyEvent

from kiosk.ui.parts.cells import Line, Look
from kiosk.ui.parts.frame import ENTER

LONGEST = 64
DOT = "●"
COMMANDS = (
    Qt.KeyboardModifier.ControlModifier
    | Qt.KeyboardModifier.AltModifier
    | Qt.KeyboardModifier.MetaModifier
)


class Secret(Line):
    """`take` hands over what was typed, and forgets it. No line edit: that keeps its text where
    accessibility tools, the clipboard and undo find it."""

    changed = Signal()
    entered = Signal()

    def __init__(self, look: Look, what: str) -> None:
        self._typed: list[str] = []
        self._look, self._what = look, what
        super().__init__("", "field")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled)
        self._show()

    @property
    def count(self) -> int:
        return len(self._typed)

    def insert(self, text: str) -> None:
        room = LONGEST - len(self._typed)
        self._typed += [c for c in text if c.isprintable()][:room]
        self._show()

    def backspace(self, count: int = 1) -> None:
        del self._typed[max(0, len(self._typed) - count) :]
        self._show()

    def clear(self) -> None:
        self._typed = []
        self._show()

    def take(self) -> str:
        text = "".join(self._typed)
        self.clear()
        return text

    def same_as(self, other: Secret) -> bool:
        return self._typed == other._typed

    def _show(self) -> None:
        shown = min(len(self._typed), 24)
        self.setText(DOT * shown if shown else self._what)
        self.setProperty("mood", "" if shown else "idle")
        self.setAccessibleName(self._look.words("label.typed", what=self._what, n=self.count))
        self.style().unpolish(self)
        self.style().polish(self)
        self.changed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Backspace:
            self.backspace()
        elif event.key() in ENTER:
            self.entered.emit()
        elif event.text() and event.text().isprintable() and not event.modifiers() & COMMANDS:
            self.insert(event.text())
        else:
            super().keyPressEvent(event)

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        """Letters that are put together of several keys."""
        self.insert(event.commitString())
        event.accept()
