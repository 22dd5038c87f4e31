"""The on-screen keyboard: our own, because a kiosk's compositor shows nobody else's."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from kiosk.ui.parts.cells import Button, Look, clear, column, row

ROWS = ("1234567890", "QWERTZUIOPÜ", "ASDFGHJKLÖÄ", "YXCVBNMÑß-'")
ENGLISH = ("1234567890", "QWERTYUIOPÜ", "ASDFGHJKLÖÄ", "ZXCVBNMÑß-'")
SYMBOLS = ("1234567890", '!"§$%&/()=?', "@#€+*~^<>|\\", ",;.:_-'`{}[]")


class Keyboard(QWidget):
    """Digits and letters with those of our languages. `whole` is for names and passwords: small
    letters, Shift for one large one, and a page of symbols."""

    typed = Signal(str)
    deleted = Signal()
    cleared = Signal()

    def __init__(self, look: Look, whole: bool = False) -> None:
        super().__init__()
        self._look, self._whole = look, whole
        self._large, self._symbols = not whole, False
        self._rows = column(self, spacing=look.theme.px(3.0))
        self._draw()

    def _draw(self) -> None:
        clear(self._rows)
        letters = ROWS if self._look.words.language == "de" else ENGLISH
        for keys in SYMBOLS if self._symbols else letters:
            line = row(spacing=self._look.theme.px(3.0))
            for key in keys:
                shown = key if self._large else key.lower()
                line.addWidget(self._key(shown, lambda k=shown: self._press(k)))
            self._rows.addLayout(line)
        self._rows.addLayout(self._last())

    def _press(self, key: str) -> None:
        self.typed.emit(key)
        if self._whole and self._large:
            self._turn(large=False)

    def _turn(self, large: bool = False, symbols: bool = False) -> None:
        self._large, self._symbols = large, symbols
        self._draw()

    def _last(self) -> object:
        words = self._look.words
        line = row(spacing=self._look.theme.px(3.0))
        if self._whole:
            shift = self._key(words("key.shift"), lambda: self._turn(large=not self._large))
            line.addWidget(shift, 2)
            symbols = self._key(words("key.symbols"), lambda: self._turn(symbols=not self._symbols))
            line.addWidget(symbols, 2)
        else:
            line.addWidget(self._key(words("key.clear"), self.cleared.emit), 2)
        line.addWidget(self._key(words("key.space"), lambda: self._press(" ")), 5)
        line.addWidget(self._key(words("key.delete"), self.deleted.emit), 2)
        return line

    def _key(self, text: str, do: Callable[[], object]) -> Button:
        button = Button(self._look, text, do, "key")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return button


class PinPad(QWidget):
    """Digits in their fixed order, 18 mm high: a finger finds them without looking."""

    typed = Signal(str)
    deleted = Signal()

    def __init__(self, look: Look) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(look.theme.px(3.0))
        for place, digit in enumerate("123456789"):
            grid.addWidget(self._key(look, digit), place // 3, place % 3)
        grid.addWidget(self._key(look, "0"), 3, 1)
        delete = Button(look, look.words("key.delete"), self.deleted.emit, "pad")
        delete.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        grid.addWidget(delete, 3, 2)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)

    def _key(self, look: Look, digit: str) -> Button:
        button = Button(look, digit, lambda: self.typed.emit(digit), "pad")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button
