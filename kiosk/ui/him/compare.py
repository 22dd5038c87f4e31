"""D2: compare and decide. One identity, one reason, no default."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QScrollArea, QWidget

from kiosk.desk.snapshots import CompareSnapshot, Mood, Notice, StudyLine
from kiosk.model.content import Attachment
from kiosk.ui.him.decision import Decision
from kiosk.ui.him.goes import GoesCard, goes_of
from kiosk.ui.him.grid import CompareGrid, earlier_line, minimum
from kiosk.ui.him.model import due_mood, due_words
from kiosk.ui.him.recall import RecallPanel
from kiosk.ui.him.writing import WritingCard, rows_of
from kiosk.ui.parts.cells import (
    Button,
    Card,
    Chip,
    Line,
    Look,
    NoticePanel,
    across,
    clear,
    column,
    row,
)
from kiosk.ui.parts.frame import DeskScreen
from kiosk.ui.parts.text import date_words, safe
from kiosk.ui.triage.tile import Tile


class CompareScreen(DeskScreen):
    """The decision in the making lives in `decision`; everything else is the snapshot."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._snapshot: CompareSnapshot | None = None
        self._first = 0
        self._top_line = column(spacing=look.theme.px("gap"))
        self._grid = column(spacing=look.theme.px("gap"))
        self._below = column(spacing=look.theme.px("gap"))
        self.decision = Decision(look)
        self.decision.asked.connect(self.asked)
        self.decision.changed.connect(self._draw_grid)
        self.recall = RecallPanel(look)
        self.recall.asked.connect(self.asked)
        self.recall.hide()
        self.body.addLayout(self._top_line)
        both = row(spacing=look.theme.px("pad"))
        both.addWidget(self._scroll(), 1)
        both.addWidget(self.decision)
        both.addWidget(self.recall)
        self.body.addLayout(both, 1)

    def _scroll(self) -> QScrollArea:
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        area.setAccessibleName(self.look.words("title.compare"))
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QWidget()
        inside.setProperty("role", "plain")
        layout = column(inside, spacing=self.look.theme.px("gap"))
        layout.addLayout(self._grid)
        layout.addLayout(self._below)
        layout.addStretch(1)
        area.setWidget(inside)
        self._area = area
        return area

    def draw_desk(self, snapshot: CompareSnapshot) -> None:
        if self._snapshot is None or self._snapshot.case != snapshot.case:
            self._first = 0
        self._snapshot = snapshot
        self.head(self.look.words("title.compare"), snapshot.header)
        self._draw_top(snapshot)
        self.decision.present(snapshot)
        self.recall.present(snapshot)
        self.decision.setVisible(snapshot.sent is None)
        self.recall.setVisible(snapshot.sent is not None)
        self._draw_grid()
        self._draw_below(snapshot)

    def _draw_top(self, snapshot: CompareSnapshot) -> None:
        look, words = self.look, self.look.words
        clear(self._top_line)
        back = Button(look, words("button.to-list"), lambda: self.ask("show-worklist"), icon="back")
        due = due_words(look, snapshot.due_minutes)
        due_chip = Chip(look, due_mood(snapshot.due_minutes), due, "clock")
        chips = [
            Chip(look, Mood.CARE, words.either(f"reason.{r}", r)) for r in snapshot.reasons[:3]
        ]
        ticket = Line(safe(snapshot.ticket, 24), "large")
        owner = safe(snapshot.owner, 24) or words("label.nobody")
        with_whom = Line(words("label.with", who=owner), "small")
        due_chips = [due_chip] if snapshot.sent is None else []
        line = across(look, back, ticket, *due_chips, *chips, None, with_whom)
        self._top_line.addLayout(line)
        if snapshot.blocked is not None and snapshot.sent is None:
            blocked = Notice(Mood.STOP, snapshot.blocked)
            self._top_line.addWidget(NoticePanel(look, blocked, "strong"))
        for notice in snapshot.notices:
            self._top_line.addWidget(NoticePanel(look, notice))

    def _fit(self) -> int:
        """How many candidates can be read side by side."""
        fixed = self.look.theme.px(28) + 2 * minimum(self.look).width()
        room = self._area.viewport().width() - fixed
        return max(1, room // (minimum(self.look).width() + self.look.theme.px("pad")))

    def _draw_grid(self) -> None:
        if self._snapshot is None:
            return
        clear(self._grid)
        fit, total = self._fit(), len(self._snapshot.candidates)
        self._first = max(0, min(self._first, total - fit))
        chosen = self.decision.chosen
        grid = CompareGrid(self.look, self._snapshot, self._first, fit, chosen)
        grid.choose.connect(self.decision.choose)
        self._grid.addWidget(grid)
        if total > fit:
            self._grid.addLayout(self._walk(fit, total))
        if rows := rows_of(self._snapshot, chosen):
            self._grid.addWidget(WritingCard(self.look, rows))
        if goes := goes_of(self._snapshot, chosen):
            self._grid.addWidget(GoesCard(self.look, goes))

    def _walk(self, fit: int, total: int) -> row:
        look, words = self.look, self.look.words
        before = Button(look, words("button.before"), lambda: self._turn(-fit), icon="back")
        after = Button(look, words("button.after"), lambda: self._turn(fit), icon="next")
        before.setEnabled(self._first > 0)
        after.setEnabled(self._first + fit < total)
        last = min(self._first + fit, total)
        said = words("label.candidates-shown", a=self._first + 1, b=last, m=total)
        return across(look, before, after, Line(said, "small"), None)

    def _turn(self, by: int) -> None:
        self._first += by
        self._draw_grid()

    def _draw_below(self, snapshot: CompareSnapshot) -> None:
        look, words = self.look, self.look.words
        clear(self._below)
        for earlier in snapshot.earlier:
            card = Card(look)
            card.add(earlier_line(look, earlier, self.decision.choose))
            self._below.addWidget(card)
        if snapshot.why:
            card = Card(look)
            card.add(Line(words("label.why"), "smallstrong"))
            for reason in snapshot.why[:6]:
                card.add(Line.wrapped("•  " + words.either(f"why.{reason}", reason)))
            self._below.addWidget(card)
        if snapshot.studies:
            self._below.addWidget(self._studies(snapshot))

    def _studies(self, snapshot: CompareSnapshot) -> Card:
        look, words = self.look, self.look.words
        card = Card(look)
        card.add(Line(words("label.found"), "smallstrong"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(look.theme.px("pad", 1.4))
        for number, stretch in enumerate((4, 2, 2, 3, 0, 0, 0)):
            grid.setColumnStretch(number, stretch)
        small = dict(snapshot.pictures)
        for number, study in enumerate(snapshot.studies[:12]):
            self._study(grid, number, study)
            if (picture := small.get(study.study_instance_uid)) is not None:
                grid.addWidget(Tile(look, picture, 17.0), number, 6)
        card.add(grid)
        if (rest := len(snapshot.studies) - 12) > 0:
            card.add(Line(words("label.more-studies", n=rest), "small"))
        for report in snapshot.reports[:12]:
            card.add(self._report(report))
        return card

    def _report(self, report: Attachment) -> Line:
        words, name = self.look.words, safe(report.path.rpartition("/")[2], 48)
        if report.study:
            return Line(words("report.in-study", name=name), elide=True)
        why = words.either(f"report.{report.why}", report.why)
        return Line(words("report.stays", name=name, why=why), "muted", elide=True)

    def _study(self, grid: QGridLayout, number: int, study: StudyLine) -> None:
        words = self.look.words
        kind = words.either(f"modality.{study.modality}", study.modality or "?")
        texts = (
            (safe(study.description, 48) or kind, "strong"),
            (kind, ""),
            (date_words(study.date, words.language), ""),
            (safe(study.institution, 40), "muted"),
            (words("label.images", n=study.images), "muted"),
        )
        for place, (text, style) in enumerate(texts):
            grid.addWidget(Line(text, style, elide=place < 4), number, place)
        if study.damaged:
            damaged = words("label.damaged", n=study.damaged)
            grid.addWidget(Chip(self.look, Mood.CARE, damaged), number, 5)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._draw_grid()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """1 to 9 and I, R choose; nothing decides but the button (UX 9)."""
        if event.key() == Qt.Key.Key_Escape:
            self.ask("show-worklist")
        elif not self.decision.key(event.text().lower()):
            super().keyPressEvent(event)
