"""The small widgets: lines of text, chips, notices, buttons, bars, marked characters."""

from __future__ import annotations

from collections.abc import Callable
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


class Marked(QWidget):
    """Text with the differing characters on a coloured ground and underlined."""

    def __init__(self, look: Look, pieces: Pieces, bold: bool = True, size: str = "base") -> None:
        super().__init__()
        self._theme, self._pieces = look.theme, pieces
        self._font = look.theme.font(size, bold)
        self.setFont(self._font)
        self.setAccessibleName("".join(text for text, _ in pieces))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self._font)
        width = sum(metrics.horizontalAdvance(text) for text, _ in self._pieces)
        return QSize(width + 2, metrics.height() + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self._font)
        metrics = QFontMetrics(self._font)
        left = 0
        for text, marked in self._fitting(metrics):
            width = metrics.horizontalAdvance(text)
            if marked:
                ground = QRectF(left, 0, width, metrics.height() + 1)
                painter.fillRect(ground, self._theme.colour("mark_bg"))
                line = max(2, self._theme.px("hair") * 2)
                rule = QRectF(left, metrics.height() - line + 1, width, line)
                painter.fillRect(rule, self._theme.colour("care"))
            painter.setPen(self._theme.colour("text"))
            painter.drawText(left, metrics.ascent(), text)
            left += width

    def _fitting(self, metrics: QFontMetrics) -> Pieces:
        if self.sizeHint().width() - 2 <= self.width():
            return self._pieces
        room, kept = self.width() - metrics.horizontalAdvance("…"), []
        for text, marked in self._pieces:
            fits = metrics.elidedText(text, Qt.TextElideMode.ElideNone, room)
            while fits and metrics.horizontalAdvance(fits) > room:
                fits = fits[:-1]
            kept.append((fits, marked))
            room -= metrics.horizontalAdvance(fits)
            if fits != text:
                break
        return (*kept, ("…", False))


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
