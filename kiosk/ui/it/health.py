"""A1: one list, worst first: what we saw, what it means, what to do."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QWidget

from kiosk.desk.snapshots import HealthLine, HealthSnapshot, Notice, say
from kiosk.ui.parts.cells import MOOD_TOKENS, Card, Chip, Line, Look, NoticePanel, Picture, clear, column, row
from kiosk.ui.parts.frame import DeskScreen


def scrolling(look: Look, name: str) -> tuple[QScrollArea, column]:
    """A column that may be longer than the window, and what to put things into."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setAccessibleName(name)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    inside = QWidget()
    inside.setProperty("role", "plain")
    layout = column(inside, spacing=look.theme.px("gap"))
    area.setWidget(inside)
    return area, layout


class HealthScreen(DeskScreen):
    def __init__(self, look: Look) -> None:
        super().__init__(look)
        area, self._list = scrolling(look, look.words("title.health"))
        self.body.addWidget(area)

    def draw(self, snapshot: HealthSnapshot) -> None:
        look = self.look
        self.head(look.words("title.health"), snapshot.header)
        clear(self._list)
        headline = Notice(snapshot.overall, say(f"health.overall-{snapshot.overall.value}"))
        self._list.addWidget(NoticePanel(look, headline, "large"))
        for line in snapshot.lines:
            self._list.addWidget(_line(look, line))
        self._list.addStretch(1)


def _line(look: Look, line: HealthLine) -> Card:
    words, card = look.words, Card(look, across=True)
    icon = Picture(look.theme, line.mood.value, MOOD_TOKENS[line.mood], 6.0)
    card.inside.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
    texts = column(spacing=look.theme.px("gap", 0.4))
    texts.addWidget(Line(words.say(line.name), "strong", elide=True))
    texts.addWidget(Line.wrapped(words.say(line.detail)))
    if line.fix is not None:
        texts.addWidget(Line.wrapped(words.say(line.fix), "muted"))
    if line.command:
        texts.addWidget(Line(line.command, "code", elide=True))
    card.inside.addLayout(texts, 1)
    chip = Chip(look, line.mood, words(f"health.{line.mood.value}"))
    card.inside.addWidget(chip, 0, Qt.AlignmentFlag.AlignTop)
    card.setAccessibleName(words.say(line.name))
    return card


def facts(look: Look, pairs: tuple[tuple[str, str], ...]) -> row:
    """Small headings with their figures, side by side."""
    line = row(spacing=look.theme.px("pad", 2))
    for label, value in pairs:
        both = column(spacing=0)
        both.addWidget(Line(label, "small"))
        both.addWidget(Line(value, "strong"))
        line.addLayout(both)
    line.addStretch(1)
    return line


