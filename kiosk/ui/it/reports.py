"""D5: figures by day, site, sender or program; bars for how many, numbers for the rest."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from kiosk.desk.snapshots import FigureLine, ReportsSnapshot
from kiosk.ui.it.deliveries import span
from kiosk.ui.it.health import facts, scrolling
from kiosk.ui.parts.cells import Button, Card, Line, Look, clear, row
from kiosk.ui.parts.frame import DeskScreen
from kiosk.ui.parts.text import date_words, safe

WAYS = ("day", "site", "sender", "software", "way")
SPANS = (7, 30, 90, 365)
SHARES = ("automatic", "unreadable", "damaged", "no_scans", "wrong_patient")


class ReportsScreen(DeskScreen):
    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._chosen = row(spacing=look.theme.px("gap"))
        area, self._list = scrolling(look, look.words("title.reports"))
        self.body.addLayout(self._chosen)
        self.body.addWidget(area, 1)

    def draw_desk(self, snapshot: ReportsSnapshot) -> None:
        look, words = self.look, self.look.words
        self.head(words("title.reports"), snapshot.header)
        clear(self._chosen)
        clear(self._list)
        self._choices(snapshot)
        self._list.addWidget(self._queues(snapshot))
        self._list.addWidget(Table(look, snapshot))
        self._list.addStretch(1)
        clear(self._foot)
        needs = {"by": snapshot.by, "days": snapshot.days}
        export = Button(
            look, words("button.export"), lambda: self.ask("export_report", **needs), icon="file"
        )
        saved = words("label.saved", place=snapshot.saved) if snapshot.saved else ""
        self._foot.addWidget(Line(saved, "muted", elide=True), 1)
        self.foot(main=export)

    def _choices(self, snapshot: ReportsSnapshot) -> None:
        words = self.look.words
        for way in WAYS:
            self._choice(words(f"figures.by-{way}"), way == snapshot.by, way, snapshot.days)
        self._chosen.addStretch(1)
        for days in SPANS:
            text = words("figures.days", n=days)
            self._choice(text, days == snapshot.days, snapshot.by, days)

    def _choice(self, text: str, chosen: bool, by: str, days: int) -> None:
        button = Button(
            self.look, text, lambda: self.ask("show-reports", by=by, days=days), "filter"
        )
        button.setCheckable(True)
        button.setChecked(chosen)
        self._chosen.addWidget(button)

    def _queues(self, snapshot: ReportsSnapshot) -> Card:
        """How old what waits is, queue by queue."""
        look, card = self.look, Card(self.look)
        pairs = []
        for queue in snapshot.queues:
            value = str(queue.waiting)
            if queue.waiting:
                value += f"  ·  {span(look, queue.oldest)}"
            pairs.append((look.words(f"figures.queue-{queue.queue}"), value))
        card.add(facts(look, tuple(pairs)))
        return card


class Table(Card):
    """A line for each value, the whole first; a dash where too few are behind a figure."""

    def __init__(self, look: Look, snapshot: ReportsSnapshot) -> None:
        super().__init__(look)
        self._look = look
        grid, words = QGridLayout(), look.words
        grid.setHorizontalSpacing(look.theme.px("pad"))
        grid.setVerticalSpacing(look.theme.px("gap"))
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 3)
        heads = ("media", "studies", *SHARES, "copied")
        grid.addWidget(Line(words(f"figures.by-{snapshot.by}"), "smallstrong"), 0, 0)
        for column, name in enumerate(heads, 2):
            grid.setColumnStretch(column, 2)
            grid.addWidget(Line.wrapped(words(f"figures.{name}"), "smallstrong"), 0, column)
        most = max((line.media for line in snapshot.lines if line.name), default=1)
        for number, line in enumerate((*snapshot.lines[-1:], *snapshot.lines[:-1]), 1):
            self._line(grid, number, line, snapshot.by, most)
        self.add(grid)

    def _line(self, grid: QGridLayout, number: int, line: FigureLine, by: str, most: int) -> None:
        look = self._look
        kind = "" if line.name else "strong"
        grid.addWidget(Line(_name(look, line.name, by), kind, elide=True), number, 0)
        if line.name:
            grid.addWidget(Bar(look, line.media / max(1, most)), number, 1)
        shares = [getattr(line, name) for name in SHARES]
        texts = [str(line.media), str(line.studies), *(_share(share) for share in shares)]
        texts.append(span(look, round(line.copied)) if line.copied is not None else "–")
        for column, text in enumerate(texts, 2):
            grid.addWidget(Line(text, kind), number, column)


class Bar(QWidget):
    """How many, against the most; the number stands beside it."""

    def __init__(self, look: Look, share: float) -> None:
        super().__init__()
        self._share, self._colour = share, look.theme.colour("accent")
        self.setFixedHeight(look.theme.px(3.0))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        wide = max(2.0, self.width() * self._share)
        painter.fillRect(QRectF(0, 0, wide, self.height()), QColor(self._colour))
        painter.end()


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _name(look: Look, name: str, by: str) -> str:
    if not name:
        return look.words("figures.all")
    if by == "day":
        return date_words(name.replace("-", ""), look.words.language)
    if name == "(not named)":
        return look.words("figures.not-named")
    return look.words.either(f"figures.way-{name}", name) if by == "way" else safe(name, 48)
