"""Studies on the touch desk: what each is, how far it is, and pages instead of scrolling."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from kiosk.desk.snapshots import Mood, Stage, StudyLine
from kiosk.ui.parts.cells import Button, Card, Chip, Line, Look, Picture, clear, column, row
from kiosk.ui.parts.text import date_words, safe

CHILDREN_ONLY = Qt.FindChildOption.FindDirectChildrenOnly
STAGES: dict[Stage, tuple[Mood, int]] = {
    Stage.HIM: (Mood.CARE, 0),
    Stage.WAITING: (Mood.IDLE, 0),
    Stage.SENDING: (Mood.BUSY, 1),
    Stage.RECEIVED: (Mood.BUSY, 2),
    Stage.CHECKED: (Mood.GOOD, 3),
    Stage.PARTLY: (Mood.CARE, 2),
    Stage.STOPPED: (Mood.STOP, 0),
    Stage.TRIAGE: (Mood.CARE, 0),
    Stage.LEFT: (Mood.IDLE, 0),
}


def kind_of(look: Look, study: StudyLine) -> str:
    """The modality as a word: "MRI", never "MR" alone."""
    return look.words.either(f"modality.{study.modality}", study.modality or "?")


def title_of(look: Look, study: StudyLine) -> str:
    return safe(study.description, 48) or kind_of(look, study)


def facts_of(look: Look, study: StudyLine) -> str:
    """Kind, day and hospital on one line."""
    parts = [kind_of(look, study) if study.description else ""]
    parts.append(date_words(study.date, look.words.language) if study.date else "")
    parts.append(safe(study.institution, 32))
    return "  ·  ".join(part for part in parts if part)


class StudyCard(Card):
    """One study found: picture, title, facts, how many images."""

    def __init__(self, look: Look, study: StudyLine) -> None:
        super().__init__(look, across=True)
        words = look.words
        self.inside.addWidget(Picture(look.theme, "image", "accent", 9.0))
        texts = column(spacing=0)
        texts.addWidget(Line(title_of(look, study), "strong", elide=True))
        texts.addWidget(Line(facts_of(look, study), "small", elide=True))
        self.inside.addLayout(texts, 1)
        if study.damaged:
            self.inside.addWidget(Chip(look, Mood.CARE, words("label.damaged", n=study.damaged)))
        self.inside.addWidget(Line(words("label.images", n=study.images), "muted"))
        self.setAccessibleName(title_of(look, study))


class DeliveryCard(Card):
    """One study and its way in the order of truth: waiting, sending, received, checked."""

    def __init__(self, look: Look, study: StudyLine) -> None:
        super().__init__(look, across=True)
        theme, words = look.theme, look.words
        self.inside.addWidget(Picture(theme, "image", "accent", 9.0), 0, Qt.AlignmentFlag.AlignTop)
        middle = column(spacing=theme.px("gap", 0.5))
        top = row(spacing=theme.px("gap"))
        top.addWidget(Line(title_of(look, study), "strong", elide=True), 1)
        mood = STAGES[study.stage][0]
        top.addWidget(Chip(look, mood, words(f"stage.{study.stage.value}")))
        middle.addLayout(top)
        middle.addWidget(Line(facts_of(look, study), "small", elide=True))
        middle.addWidget(Track(look, study))
        middle.addWidget(Line(_counts(look, study), "small", elide=True))
        self.inside.addLayout(middle, 1)


def _counts(look: Look, study: StudyLine) -> str:
    """Only figures that are proved, and what is missing from them."""
    words, total = look.words, study.images
    parts = [words("label.images", n=total)]
    if study.stage not in (Stage.HIM, Stage.WAITING):
        parts.append(words("count.received", k=study.received))
        parts.append(words("count.checked", k=study.checked))
    for name in ("damaged", "refused", "held"):
        if count := getattr(study, name):
            parts.append(words(f"label.{name}", n=count))
    return "  ·  ".join(parts)


class Track(QWidget):
    """Four stations on a line; those behind us are filled. The card's chip says it in words."""

    def __init__(self, look: Look, study: StudyLine) -> None:
        super().__init__()
        self._theme = look.theme
        self._mood, self._reached = STAGES[study.stage]
        self._share = study.received / study.images if study.images else 0.0
        self.setFixedHeight(look.theme.px(3.4))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(look.words(f"stage.{study.stage.value}"))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        radius, middle = self.height() * 0.36, self.height() / 2
        left, right = radius + 2, self.width() - radius - 2
        step = (right - left) / 3
        tokens = {Mood.GOOD: "good", Mood.CARE: "care", Mood.STOP: "stop", Mood.IDLE: "quiet"}
        colour = self._theme.colour(tokens.get(self._mood, "accent"))
        rail, bar = self._theme.colour("track"), max(3.0, self.height() * 0.2)
        done = self._reached - 1 + self._share if self._reached == 1 else self._reached
        painter.fillRect(QRectF(left, middle - bar / 2, right - left, bar), rail)
        painter.fillRect(QRectF(left, middle - bar / 2, step * max(0.0, done), bar), colour)
        for number in range(4):
            here = number <= self._reached
            painter.setPen(QPen(colour if here else self._theme.colour("border"), 2))
            painter.setBrush(colour if here else self._theme.colour("surface"))
            painter.drawEllipse(QPointF(left + step * number, middle), radius, radius)


class Pages(QWidget):
    """As many rows as fit; big arrows for the rest. No scrolling on a touch screen."""

    def __init__(
        self,
        look: Look,
        items: Sequence[object],
        make: Callable[[object], QWidget],
        page: int = 0,
        turned: Callable[[int], None] = lambda page: None,
    ) -> None:
        super().__init__()
        self._look, self._items, self._make = look, items, make
        self._tall = look.theme.px("main")
        self._page, self._fit, self._turned = page, 0, turned
        layout = column(self, spacing=look.theme.px("gap"))
        self._rows: QVBoxLayout = column(spacing=look.theme.px("gap", 0.8))
        self._arrows = row(spacing=look.theme.px("gap"))
        layout.addLayout(self._rows, 1)
        layout.addLayout(self._arrows)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self._tall)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        gap = self._look.theme.px("gap", 0.8)
        self._tall = self._tallest()
        arrows = self._look.theme.px("target") + self._look.theme.px("gap", 2)
        fit = max(1, (self.height() + gap) // (self._tall + gap))
        if fit < len(self._items):
            fit = max(1, (self.height() - arrows + gap) // (self._tall + gap))
        if fit != self._fit:
            self._fit = fit
            self._draw()

    def _tallest(self) -> int:
        """The height of a row of the last kind, which is never lower than the first's."""
        sample = self._make(self._items[-1]) if self._items else QWidget()
        sample.setParent(self)
        for part in (sample, *sample.findChildren(QWidget)):
            part.ensurePolished()
        tall = sample.sizeHint().height()
        sample.setParent(None)
        sample.deleteLater()
        return max(tall, self._look.theme.px("main"))

    def _turn(self, by: int) -> None:
        self._page += by
        self._turned(self._page)
        self._draw()

    def _draw(self) -> None:
        clear(self._rows)
        clear(self._arrows)
        pages = -(-len(self._items) // self._fit) or 1
        self._page = min(max(self._page, 0), pages - 1)
        start = self._page * self._fit
        for item in self._items[start : start + self._fit]:
            widget = self._make(item)
            widget.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
            self._rows.addWidget(widget)
        self._rows.addStretch(1)
        if pages > 1:
            self._add_arrows(pages)
        for widget in self.findChildren(QWidget, options=CHILDREN_ONLY):
            widget.show()
        layout = self.layout()
        layout.invalidate()
        layout.activate()

    def _add_arrows(self, pages: int) -> None:
        words = self._look.words
        before = Button(self._look, words("button.before"), lambda: self._turn(-1), icon="back")
        after = Button(self._look, words("button.after"), lambda: self._turn(1), icon="next")
        before.setEnabled(self._page > 0)
        after.setEnabled(self._page < pages - 1)
        self._arrows.addWidget(before)
        self._arrows.addStretch(1)
        self._arrows.addWidget(Line(words("label.page", n=self._page + 1, m=pages), "muted"))
        self._arrows.addStretch(1)
        self._arrows.addWidget(after)
