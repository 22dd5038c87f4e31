"""A1: one list, worst first: what we saw, what it means, what to do."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QWidget

from kiosk.desk.snapshots import HealthLine, HealthSnapshot, Notice, say
from kiosk.ui.parts.cells import (
    MOOD_TOKENS,
    Button,
    Card,
    Chip,
    Line,
    Look,
    NoticePanel,
    Picture,
    clear,
    column,
    row,
)
from kiosk.ui.parts.frame import DeskScreen
from kiosk.ui.parts.text import clock, safe


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

    def draw_desk(self, snapshot: HealthSnapshot) -> None:
        look = self.look
        self.head(look.words("title.health"), snapshot.header)
        clear(self._list)
        headline = Notice(snapshot.overall, say(f"health.overall-{snapshot.overall.value}"))
        self._list.addWidget(NoticePanel(look, headline, "large"))
        for line in snapshot.lines:
            self._list.addWidget(_line(look, line))
        self._list.addStretch(1)
        self._again(snapshot)

    def _again(self, snapshot: HealthSnapshot) -> None:
        words = self.look.words
        clear(self._foot)
        again = Button(
            self.look, words("button.check-again"), lambda: self.ask("check"), "main", "retry"
        )
        self.main = again
        at = words("label.looked-at", t=clock(snapshot.at)) if snapshot.at else ""
        self._foot.addWidget(Line(at, "muted"))
        self.foot(main=again)


def _line(look: Look, line: HealthLine) -> Card:
    words, card = look.words, Card(look, across=True)
    icon = Picture(look.theme, line.mood.value, MOOD_TOKENS[line.mood], 6.0)
    card.inside.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
    texts = column(spacing=look.theme.px("gap", 0.4))
    texts.addWidget(Line(safe(line.name), "strong", elide=True))
    texts.addWidget(Line.wrapped(safe(line.meaning, 240)))
    if line.fix:
        texts.addWidget(Line.wrapped(safe(line.fix, 240), "muted"))
    card.inside.addLayout(texts, 1)
    chip = Chip(look, line.mood, words(f"health.{line.mood.value}"))
    card.inside.addWidget(chip, 0, Qt.AlignmentFlag.AlignTop)
    card.setAccessibleName(safe(line.name))
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
