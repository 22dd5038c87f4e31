"""The on-screen keyboard: our own, because a kiosk's compositor shows nobody else's."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QWidget

from kiosk.ui.parts.cells import Button, Look, column, row

ROWS = ("1234567890", "QWERTZUIOPÜ", "ASDFGHJKLÖÄ", "YXCVBNMÑß-'")
ENGLISH = ("1234567890", "QWERTYUIOPÜ", "ASDFGHJKLÖÄ", "ZXCVBNMÑß-'")


class Keyboard(QWidget):
    """Digits and letters with those of our languages."""

    typed = Signal(str)
    deleted = Signal()
    cleared = Signal()

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        rows = column(self, spacing=look.theme.px(3.0))
        for keys in ROWS if look.words.language == "de" else ENGLISH:
            line = row(spacing=look.theme.px(3.0))
            for key in keys:
                line.addWidget(self._key(key, lambda k=key: self.typed.emit(k)))
            rows.addLayout(line)
        rows.addLayout(self._last())

    def _last(self) -> object:
        words = self._look.words
        line = row(spacing=self._look.theme.px(3.0))
        line.addWidget(self._key(words("key.clear"), self.cleared.emit), 2)
        line.addWidget(self._key(words("key.space"), lambda: self.typed.emit(" ")), 5)
        line.addWidget(self._key(words("key.delete"), self.deleted.emit), 2)
        return line

    def _key(self, text: str, do: object) -> Button:
        button = Button(self._look, text, do, "key")  # type: ignore[arg-type]
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return button
