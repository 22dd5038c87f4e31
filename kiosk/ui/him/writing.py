"""D2's plan: what the decision in the making will write into the headers, row by row."""

from __future__ import annotations

import re

from PySide6.QtWidgets import QGridLayout

from kiosk.desk.snapshots import CompareSnapshot
from kiosk.model.delivery import Change
from kiosk.model.matching import Action
from kiosk.ui.parts.cells import Card, Line, Look
from kiosk.ui.parts.text import safe

SHOWN = 40
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|\d+")


def rows_of(snapshot: CompareSnapshot, chosen: str) -> tuple[Change, ...]:
    """The changes that the choice will make; none as long as nothing is chosen."""
    if chosen == Action.IMPORT_ONLY:
        return snapshot.import_only
    return snapshot.candidates[int(chosen) - 1].writes if chosen.isdigit() else ()


class WritingCard(Card):
    """Attribute, what the disc says, what will be written, and in how many images."""

    def __init__(self, look: Look, rows: tuple[Change, ...]) -> None:
        super().__init__(look)
        self._look = look
        words = look.words
        self.add(Line(words("label.writes"), "smallstrong"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(look.theme.px("pad", 1.4))
        for number, stretch in enumerate((3, 3, 4, 0)):
            grid.setColumnStretch(number, stretch)
        for number, change in enumerate(rows[:SHOWN]):
            self._row(grid, number, change)
        self.add(grid)
        if (rest := len(rows) - SHOWN) > 0:
            self.add(Line(words("label.more-changes", n=rest), "small"))

    def _row(self, grid: QGridLayout, number: int, change: Change) -> None:
        words = self._look.words
        texts = (
            (f"{self._name(change)}  {change.tag}", "muted"),
            (self._said(change.was), ""),
            (f"→  {self._said(change.now)}", "strong"),
            (words("label.images", n=change.instances), "small"),
        )
        for place, (text, kind) in enumerate(texts):
            grid.addWidget(Line(text, kind, elide=place < 3), number, place)

    def _name(self, change: Change) -> str:
        spaced = " ".join(_WORD.findall(change.keyword)) or change.keyword
        return self._look.words.either(f"attribute.{change.keyword}", safe(spaced, 64))

    def _said(self, text: str) -> str:
        words = self._look.words
        if not text:
            return words("label.nothing")
        return words.either(f"writes.{text.replace(' ', '-')}", safe(text, 120))
