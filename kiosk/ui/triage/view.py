"""D3: one study before somebody's eyes, and what may be done about it."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QScrollArea, QSlider, QWidget

from kiosk.desk.snapshots import Mood, Notice, SeriesLine, ViewSnapshot
from kiosk.model.relevance.picture import Picture
from kiosk.ui.parts.cells import Button, Card, Line, Look, NoticePanel, across, clear, column, row
from kiosk.ui.parts.frame import DeskScreen
from kiosk.ui.parts.text import safe
from kiosk.ui.triage.canvas import Canvas
from kiosk.ui.triage.deciding import DecidingPanel
from kiosk.ui.triage.queue import chip_of, study_texts
from kiosk.ui.triage.tile import Tile

AHEAD, KEPT = 32, 256
CINE_MS = 80


class ViewScreen(DeskScreen):
    """The frames that were brought live here, as many as can be held; the rest is the snapshot."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._snapshot: ViewSnapshot | None = None
        self._series: SeriesLine | None = None
        self._frames: dict[int, Picture] = {}
        self._at = 0
        self._asked = range(0)
        self.canvas = Canvas(look)
        self.canvas.scrolled.connect(self.step)
        self._above = column(spacing=look.theme.px("gap", 0.6))
        self._list = column(spacing=look.theme.px("gap", 0.6))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(look.words("label.frame"))
        self.slider.setMinimumHeight(look.theme.px("target"))
        self.slider.valueChanged.connect(self.go)
        self.deciding = DecidingPanel(look)
        self.deciding.asked.connect(self.asked)
        self._cine = QTimer(self)
        self._cine.setInterval(CINE_MS)
        self._cine.timeout.connect(self._play_on)
        self._lay_out()

    def _lay_out(self) -> None:
        look = self.look
        both = row(spacing=look.theme.px("gap"))
        both.addWidget(self._scroll())
        middle = column(spacing=look.theme.px("gap", 0.6))
        middle.addWidget(self.canvas, 1)
        middle.addWidget(self.slider)
        middle.addLayout(self._tools())
        both.addLayout(middle, 1)
        both.addWidget(self.deciding)
        self.body.addLayout(self._above)
        self.body.addLayout(both, 1)

    def _scroll(self) -> QScrollArea:
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFixedWidth(self.look.theme.px(52))
        area.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        area.setAccessibleName(self.look.words("label.series"))
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QWidget()
        inside.setProperty("role", "plain")
        layout = column(inside)
        layout.addLayout(self._list)
        layout.addStretch(1)
        area.setWidget(inside)
        return area

    def _tools(self) -> row:
        words, canvas = self.look.words, self.canvas
        self.play = Button(self.look, words("button.play"), self._play)
        tools = (
            ("button.window", canvas.next_window),
            ("button.darker", lambda: canvas.shift_window(0.1, 0.0)),
            ("button.brighter", lambda: canvas.shift_window(-0.1, 0.0)),
            ("button.nearer", lambda: canvas.zoom(1.25)),
            ("button.farther", lambda: canvas.zoom(0.8)),
            ("button.whole", canvas.whole),
        )
        buttons = [Button(self.look, words(text), do) for text, do in tools]
        return across(self.look, self.play, None, *buttons, gap=0.6)

    # -- the snapshot ----------------------------------------------------------------------

    def draw_desk(self, snapshot: ViewSnapshot) -> None:
        other = self._snapshot is None or self._snapshot.row.study != snapshot.row.study
        self._snapshot = snapshot
        self.head(self.look.words("title.triage-one"), snapshot.header)
        self._draw_above(snapshot)
        self._draw_list(snapshot)
        self.deciding.present(snapshot)
        if other:
            self._series = None
        if self._series is None and snapshot.series:
            self.open_series(snapshot.series[0])

    def _draw_above(self, snapshot: ViewSnapshot) -> None:
        look = self.look
        clear(self._above)
        back = Button(
            look, look.words("button.to-triage"), lambda: self.ask("show-triage"), icon="back"
        )
        line = row(spacing=look.theme.px("gap"))
        line.addWidget(back)
        line.addLayout(study_texts(look, snapshot.row), 1)
        line.addWidget(chip_of(look, snapshot.row))
        self._above.addLayout(line)
        notices = list(snapshot.notices)
        if snapshot.blocked is not None:
            notices.append(Notice(Mood.NOTE, snapshot.blocked))
        for notice in notices:
            self._above.addWidget(NoticePanel(look, notice))

    def _draw_list(self, snapshot: ViewSnapshot) -> None:
        look, words = self.look, self.look.words
        clear(self._list)
        for line in snapshot.series[:200]:
            card = Card(look)
            kind = words.either(f"modality.{line.modality}", line.modality or "?")
            name = safe(line.description, 40) or kind
            card.add(Tile(look, line.picture, 26.0))
            card.add(Line(name, "strong", elide=True))
            card.add(Line(words("label.frames", n=line.frames), "small", elide=True))
            if line.damaged:
                card.add(Line(words("label.damaged", n=line.damaged), "small", mood="care"))
            show = Button(look, words("button.show"), lambda s=line: self.open_series(s))
            show.setAccessibleName(f"{words('button.show')}: {name}")
            card.add(show)
            self._list.addWidget(card)

    # -- frames ----------------------------------------------------------------------------

    def open_series(self, line: SeriesLine) -> None:
        self._series, self._at, self._asked = line, 0, range(0)
        self._frames.clear()
        self._stop()
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(0, line.frames - 1))
        self.slider.setValue(0)
        self.slider.blockSignals(False)
        self.slider.setEnabled(line.frames > 1)
        self.play.setEnabled(line.frames > 1)
        self.canvas.begin()
        self.go(0)

    def receive(self, series: int, frames: tuple[Picture, ...]) -> None:
        """What the station has made; what nobody looks at any more is let go."""
        if self._series is None or series != self._series.series:
            return
        self._frames.update({frame.position: frame for frame in frames})
        for far in sorted(self._frames, key=lambda n: abs(n - self._at))[KEPT:]:
            del self._frames[far]
        if self.canvas.picture is None or self.canvas.picture.position != self._at:
            self._show()

    def step(self, by: int) -> None:
        self.slider.setValue(self._at + by)

    def go(self, at: int) -> None:
        self._at = at
        self._show()
        self._ask_around()

    def _show(self) -> None:
        assert self._series is not None
        place = self.look.words("label.frame-of", n=self._at + 1, m=self._series.frames)
        self.canvas.show_picture(self._frames.get(self._at), place)

    def _ask_around(self) -> None:
        """The frames from here on, as soon as the next few are not there yet."""
        assert self._series is not None
        assert self._snapshot is not None
        near = range(self._at, min(self._at + AHEAD // 2, self._series.frames))
        missing = [n for n in near if n not in self._frames]
        if not missing or (missing[0] in self._asked and self._at in self._asked):
            return
        first = missing[0]
        self._asked = range(first, min(first + AHEAD, self._series.frames))
        self.ask(
            "look",
            study=self._snapshot.row.study,
            series=self._series.series,
            first=first,
            count=len(self._asked),
        )

    # -- cine ------------------------------------------------------------------------------

    def _play(self) -> None:
        if self._cine.isActive():
            self._stop()
        else:
            self._cine.start()
            self.play.setText(self.look.words("button.pause-cine"))

    def _stop(self) -> None:
        self._cine.stop()
        self.play.setText(self.look.words("button.play"))

    def _play_on(self) -> None:
        """The next frame that is there, from the start after the last."""
        if self._series is not None:
            following = (self._at + 1) % self._series.frames
            if following in self._frames or following == 0:
                self.slider.setValue(following)
            else:
                self._ask_around()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.ask("show-triage")
        elif event.key() == Qt.Key.Key_Space and self.play.isEnabled():
            self._play()
        else:
            super().keyPressEvent(event)
