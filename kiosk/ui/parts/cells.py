"""The small widgets: lines of text, chips, notices, buttons, bars, marked characters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from kiosk.desk.snapshots import Mood, Notice
from kiosk.ui.parts.messages import Words
from kiosk.ui.parts.text import Pieces
from kiosk.ui.parts.theme import Theme

MOOD_TOKENS = {
    Mood.GOOD: "good",
    Mood.BUSY: "accent",
    Mood.NOTE: "accent",
    Mood.CARE: "care",
    Mood.STOP: "stop",
    Mood.IDLE: "quiet",
}


@dataclass(frozen=True, slots=True)
class Look:
    """What a screen needs besides its snapshot: how things look and how they are said."""

    theme: Theme
    words: Words


class Line(QLabel):
    """Text, never markup. With `elide` it takes the room it gets and ends in an ellipsis; the
    accessible name keeps the whole. No tool tips: Qt would read hostile text as markup."""

    def __init__(self, text: str = "", kind: str = "", mood: str = "", elide: bool = False) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("kind", kind)
        self.setProperty("mood", mood)
        self._elide = elide
        if elide:
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setText(text)

    @classmethod
    def wrapped(cls, text: str = "", kind: str = "", mood: str = "") -> Line:
        line = cls(text, kind, mood)
        line.setWordWrap(True)
        return line

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setAccessibleName(text)

    def set_mood(self, mood: str) -> None:
        self.setProperty("mood", mood)
        self.style().unpolish(self)
        self.style().polish(self)

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        return QSize(0, hint.height()) if self._elide else hint

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._elide:
            super().paintEvent(event)
            return
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        width = self.contentsRect().width()
        shown = QFontMetrics(self.font()).elidedText(
            self.text(), Qt.TextElideMode.ElideRight, width
        )
        painter.drawText(self.contentsRect(), int(self.alignment()), shown)


class Picture(QLabel):
    """An icon of our own drawing; decoration unless it is given a name to be read out."""

    def __init__(
        self, theme: Theme, name: str, tint: str = "text", size: str | float = "icon"
    ) -> None:
        super().__init__()
        self._theme, self._size = theme, size
        self.draw(name, tint)

    def draw(self, name: str, tint: str) -> None:
        self.setPixmap(self._theme.pixmap(name, tint, self._size))
        self.setFixedSize(self._theme.px(self._size), self._theme.px(self._size))


class Chip(QFrame):
    """A state: icon, word and colour."""

    def __init__(self, look: Look, mood: Mood, word: str, icon: str = "") -> None:
        super().__init__()
        theme = look.theme
        self.setProperty("role", "chip")
        self.setProperty("mood", mood.value)
        layout = row(self, spacing=theme.px("gap", 0.5))
        layout.setContentsMargins(
            theme.px("gap", 0.6), theme.px("gap", 0.3), theme.px("gap", 0.9), theme.px("gap", 0.3)
        )
        token = MOOD_TOKENS[mood]
        layout.addWidget(Picture(theme, icon or mood.value, token, look_size(theme)))
        layout.addWidget(Line(word, mood=mood.value))
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
        self.setAccessibleName(word)


def look_size(theme: Theme) -> float:
    """The side of an icon that stands beside small text, in millimetres."""
    return 5.4 if theme.density == "touch" else 3.4


class NoticePanel(QFrame):
    """A sentence that matters: icon, words, colour."""

    def __init__(self, look: Look, notice: Notice, kind: str = "") -> None:
        super().__init__()
        theme = look.theme
        self.setProperty("role", "notice")
        self.setProperty("mood", notice.mood.value)
        layout = row(self, spacing=theme.px("gap"))
        pad = theme.px("pad", 0.6)
        layout.setContentsMargins(pad, pad, pad, pad)
        icon = Picture(theme, notice.mood.value, MOOD_TOKENS[notice.mood])
        layout.addWidget(icon, 0, Qt.AlignmentFlag.AlignVCenter)
        text = look.words.say(notice.message)
        layout.addWidget(Line.wrapped(text, kind), 1)
        self.setAccessibleName(text)


class Button(QPushButton):
    """A button with a verb on it. Its name for a screen reader is its text."""

    def __init__(
        self,
        look: Look,
        text: str,
        do: Callable[[], object] | None = None,
        kind: str = "",
        icon: str = "",
    ) -> None:
        super().__init__()
        theme = look.theme
        self.setProperty("kind", kind)
        self._gap = "  " if icon else ""
        self.setText(text)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        if icon:
            token = "on_accent" if kind == "main" else "text"
            self.setIcon(theme.icon(icon, token))
            side = theme.px("icon", 0.85)
            self.setIconSize(QSize(side, side))
        if do is not None:
            self.clicked.connect(lambda: do())

    def setText(self, text: str) -> None:
        """An ampersand is an ampersand, never a mnemonic."""
        super().setText(f"{self._gap}{text}".replace("&", "&&"))
        self.setAccessibleName(text)


class Marked(Line):
    """Text with the differing characters on a coloured ground and underlined. It goes on in the
    next line rather than being cut: a difference must not hide behind an ellipsis."""

    def __init__(self, look: Look, pieces: Pieces, bold: bool = True, size: str = "base") -> None:
        super().__init__("".join(text for text, _ in pieces))
        self.setWordWrap(True)
        self._theme, self._pieces = look.theme, pieces
        self._font = look.theme.font(size, bold)
        self.setFont(self._font)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self._font)
        width = sum(metrics.horizontalAdvance(text) for text, _ in self._pieces)
        return QSize(width + 2, metrics.height() + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.px("base", 3), self.sizeHint().height())

    def heightForWidth(self, width: int) -> int:
        lines = 1 + max((line for *_, line in self._places(width)), default=0)
        return lines * (QFontMetrics(self._font).height() + 2)

    def _places(self, width: int) -> Iterator[tuple[str, bool, int, int]]:
        """Each run of text with its mark, its left edge and its line."""
        metrics, left, line = QFontMetrics(self._font), 0, 0
        for text, marked in self._pieces:
            for atom in _atoms(text, metrics, width):
                wide = metrics.horizontalAdvance(atom)
                if left and left + wide > width:
                    left, line = 0, line + 1
                yield atom, marked, left, line
                left += wide

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, metrics = QPainter(self), QFontMetrics(self._font)
        painter.setFont(self._font)
        tall, rule = metrics.height(), max(2, self._theme.px("hair") * 2)
        for text, marked, left, line in self._places(self.width()):
            top, wide = line * (tall + 2), metrics.horizontalAdvance(text)
            if marked:
                ground = self._theme.colour("mark_bg")
                painter.fillRect(QRectF(left, top, wide, tall + 1), ground)
                under = QRectF(left, top + tall + 1 - rule, wide, rule)
                painter.fillRect(under, self._theme.colour("care"))
            painter.setPen(self._theme.colour("text"))
            painter.drawText(left, top + metrics.ascent(), text)


def _atoms(text: str, metrics: QFontMetrics, width: int) -> Iterator[str]:
    """Words with the blank after them; letters where a word is wider than the line."""
    for word in re.findall(r"\S+\s*|\s+", text):
        yield from word if metrics.horizontalAdvance(word) > width else (word,)


class Card(QFrame):
    """A white sheet with a margin; `add` puts things on it from top to bottom."""

    def __init__(self, look: Look, role: str = "card", across: bool = False) -> None:
        super().__init__()
        self.setProperty("role", role)
        theme = look.theme
        self.inside: QBoxLayout = (row if across else column)(self, spacing=theme.px("gap", 0.7))
        pad = theme.px("pad", 0.8)
        self.inside.setContentsMargins(pad, pad, pad, pad)

    def add(self, item: QWidget | QLayout, stretch: int = 0) -> None:
        put(self.inside, item, stretch)


def row(parent: QWidget | None = None, spacing: int = 0) -> QHBoxLayout:
    return _bare(QHBoxLayout(parent) if parent else QHBoxLayout(), spacing)


def column(parent: QWidget | None = None, spacing: int = 0) -> QVBoxLayout:
    return _bare(QVBoxLayout(parent) if parent else QVBoxLayout(), spacing)


def _bare(layout: Any, spacing: int) -> Any:
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    return layout


def put(layout: QBoxLayout, item: QWidget | QLayout, stretch: int = 0) -> None:
    if isinstance(item, QWidget):
        layout.addWidget(item, stretch)
    else:
        layout.addLayout(item, stretch)


def across(look: Look, *items: QWidget | QLayout | None, gap: float = 1.0) -> QHBoxLayout:
    """The items side by side; None is the stretch between them."""
    layout = row(spacing=look.theme.px("gap", gap))
    for item in items:
        if item is None:
            layout.addStretch(1)
        else:
            put(layout, item)
    return layout


def clear(layout: QLayout) -> None:
    """Take everything out of a layout, for a screen that is built anew from its snapshot."""
    while layout.count():
        item = layout.takeAt(0)
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.setParent(None)
            widget.deleteLater()
        elif (inner := item.layout()) is not None:
            clear(inner)


def widgets_in(layout: QLayout) -> Iterator[QWidget]:
    """The widgets of a layout and of the layouts in it, as they stand."""
    for number in range(layout.count()):
        item = layout.itemAt(number)
        if (widget := item.widget()) is not None:
            yield widget
        elif (inner := item.layout()) is not None:
            yield from widgets_in(inner)
