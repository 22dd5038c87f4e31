"""D3's queue: what waits for somebody's eyes, and what was left out and is still here."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QWidget

from kiosk.desk.snapshots import Mood, TriageRow, TriageSnapshot
from kiosk.model.relevance.choice import Standing
from kiosk.ui.parts.cells import Button, Card, Chip, Line, Look, clear, column
from kiosk.ui.parts.frame import DeskScreen
from kiosk.ui.parts.text import date_words, moment, safe, who
from kiosk.ui.triage.tile import Tile

MOODS = {
    Standing.OPEN: Mood.NOTE,
    Standing.TRIAGE: Mood.CARE,
    Standing.HELD: Mood.IDLE,
    Standing.LEFT: Mood.IDLE,
    Standing.DISCARDED: Mood.STOP,
    Standing.CHOSEN: Mood.GOOD,
}


class QueueScreen(DeskScreen):
    def __init__(self, look: Look) -> None:
        super().__init__(look)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        area.setAccessibleName(look.words("title.triage"))
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QWidget()
        inside.setProperty("role", "plain")
        self._list = column(inside, spacing=look.theme.px("gap"))
        area.setWidget(inside)
        self.body.addWidget(area)

    def draw_desk(self, snapshot: TriageSnapshot) -> None:
        words = self.look.words
        self.head(words("title.triage"), snapshot.header)
        clear(self._list)
        if not snapshot.rows:
            self._list.addWidget(Line.wrapped(words("label.no-triage"), "large"))
        for item in snapshot.rows:
            self._list.addWidget(self._row(item))
        if snapshot.left:
            self._list.addWidget(Line(words("label.left-here"), "smallstrong"))
        for item in snapshot.left:
            self._list.addWidget(self._row(item))
        self._list.addStretch(1)

    def _row(self, item: TriageRow) -> Card:
        look, words = self.look, self.look.words
        card = Card(look, across=True)
        card.inside.addWidget(Tile(look, item.picture, 17.0))
        card.inside.addLayout(study_texts(look, item), 1)
        card.inside.addWidget(chip_of(look, item))
        text = words("button.look")
        look_at = Button(look, text, lambda: self.ask("open-study", study=item.study), icon="next")
        look_at.setAccessibleName(f"{text}: {safe(item.line.description, 48)}")
        card.inside.addWidget(look_at)
        return card


def chip_of(look: Look, item: TriageRow) -> Chip:
    """Where it stands; of what waits, for whose eyes."""
    said = f"standing.{item.standing.value}"
    if item.standing is Standing.TRIAGE:
        said = f"triage.for-{item.triage.value or 'anyone'}"
    return Chip(look, MOODS[item.standing], look.words(said))


def study_texts(look: Look, item: TriageRow) -> column:
    """What it is, whose, since when and why it waits."""
    words, line = look.words, item.line
    kind = words.either(f"modality.{line.modality}", line.modality or "?")
    day = date_words(line.date, words.language) if line.date else ""
    facts = (kind, day, safe(line.institution, 32), words("label.images", n=line.images))
    texts = column(spacing=0)
    texts.addWidget(Line(safe(line.description, 60) or kind, "strong", elide=True))
    texts.addWidget(Line("  ·  ".join(f for f in facts if f), "small", elide=True))
    since = words("label.since", t=moment(item.since, words.language)) if item.since else ""
    whose = (who(item.stated), safe(item.ticket, 24), safe(item.station, 24), since)
    texts.addWidget(Line("  ·  ".join(w for w in whose if w), "small", elide=True))
    why = " — ".join(safe(w, 100) for w in (item.because, item.by, item.reason) if w)
    if why:
        texts.addWidget(Line(why, "muted", elide=True))
    return texts
