"""The frame of every screen: header, one question, footer with Back left and the way on right."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from kiosk.desk.snapshots import Header
from kiosk.ui.parts.cells import Button, Line, Look, Picture, clear, column, row, widgets_in
from kiosk.ui.parts.text import clock, safe

ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Screen(QWidget):
    """A picture of one snapshot. `present` draws it; what people press leaves as `asked`, a
    command's name and what it needs: a screen decides nothing and calls nobody."""

    asked = Signal(str, object)  # a dict as such: Qt would turn its enums into text

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self.main: Button | None = None
        self._shown: Any = None
        self.setProperty("role", "screen")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(look.theme.style())
        self.whole = column(self)
        self.body = column(spacing=look.theme.px("gap"))

    def present(self, snapshot: Any) -> None:
        """Show it. What did not change is not drawn again, so that focus and selection stay."""
        if snapshot == self._shown:
            return
        self._shown = snapshot
        self.draw(snapshot)

    def draw(self, snapshot: Any) -> None:
        raise NotImplementedError

    def greet(self) -> None:
        """The screen has just come up: the focus goes to what is read out first."""
        self.setFocus()

    def read_in_order(self, *parts: QWidget) -> None:
        """The order in which a reader speaks and Tab walks: that of these parts, which is the
        order in which they stand, not the one in which they were made."""
        chain = []
        for part in parts:
            part.raise_()
            inner = (w for w in (part, *part.findChildren(QWidget)) if w.window() is self.window())
            chain += [w for w in inner if w.focusPolicy() & Qt.FocusPolicy.TabFocus]
        for before, after in pairwise(chain):
            QWidget.setTabOrder(before, after)

    def ask(self, command: str, **needs: Any) -> None:
        self.asked.emit(command, needs)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter is the main action, where there is one: amber, red and D2 have none."""
        if event.key() in ENTER and self.main is not None and self.main.isEnabled():
            self.main.click()
        else:
            super().keyPressEvent(event)


class TouchScreen(Screen):
    """One question: header, title, body, footer. Subclasses fill `body` in `fill`."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        theme = look.theme
        self.page = 0
        self._header: Header | None = None
        self._recipe: tuple[Any, ...] | None = None
        self.header, self._head = bar(look, "header")
        self.footer, self._foot = bar(look, "footer")
        middle = column(spacing=theme.px("gap"))
        side = theme.px("pad", 1.6)
        middle.setContentsMargins(side, theme.px("pad"), side, theme.px("pad", 0.8))
        self.title = Line.wrapped(kind="title")
        middle.addWidget(self.title)
        middle.addLayout(self.body, 1)
        self.whole.addWidget(self.header)
        self.whole.addLayout(middle, 1)
        self.whole.addWidget(self.footer)

    def draw(self, snapshot: Any) -> None:
        self.draw_header(snapshot.header)
        clear(self.body)
        self.fill(snapshot.body)
        self.title.setVisible(bool(self.title.text()))
        self.read_in_order(self.header, self.title, *widgets_in(self.body), self.footer)

    def draw_header(self, header: Header) -> None:
        if header != self._header:
            self._header = header
            clear(self._head)
            _head_line(self.look, self._head, header)

    def fill(self, body: Any) -> None:
        raise NotImplementedError

    def turned(self, page: int) -> None:
        """The page somebody turned to stays when a new snapshot is drawn."""
        self.page = page

    def foot(
        self, *left: Button, right: tuple[Button, ...] = (), main: Button | None = None
    ) -> None:
        """The footer: ways back on the left, ways on to the right, the main one last. The same
        buttons are left standing, so that a press never falls on one that is being replaced."""
        ways_on = (*right, main) if main is not None else right
        recipe = tuple((b.text(), b.isEnabled(), b.property("needs")) for b in (*left, *ways_on))
        if recipe == self._recipe:
            for button in (*left, *ways_on):
                button.deleteLater()
            return
        self._recipe, self.main = recipe, main
        clear(self._foot)
        for button in left:
            self._foot.addWidget(button)
        self._foot.addStretch(1)
        for button in ways_on:
            self._foot.addWidget(button)
        self.footer.setVisible(bool(recipe))

    def once_more(self, body: Any) -> tuple[Button, ...]:
        """The way to have a damaged disc read once more, where that may add something."""
        if not body.read_on:
            return ()
        text = f"button.read-{body.read_on.value}"
        return (self.button(text, "read-on", icon="retry", intake=body.intake),)

    def button(
        self, message_id: str, command: str, kind: str = "wide", icon: str = "", **needs: Any
    ) -> Button:
        text = self.look.words(message_id)
        button = Button(self.look, text, lambda: self.ask(command, **needs), kind, icon)
        button.setProperty("needs", f"{command} {sorted(needs.items())}")
        return button


def bar(look: Look, role: str) -> tuple[QFrame, QHBoxLayout]:
    """A strip across the screen and the row inside it."""
    theme, frame = look.theme, QFrame()
    frame.setProperty("role", role)
    layout = row(frame, spacing=theme.px("gap"))
    up = theme.px("gap", 0.8)
    layout.setContentsMargins(theme.px("pad", 1.6), up, theme.px("pad", 1.6), up)
    return frame, layout


def _head_line(look: Look, layout: QHBoxLayout, header: Header) -> None:
    words, theme = look.words, look.theme
    layout.addWidget(Picture(theme, "disc", "accent"))
    layout.addWidget(Line(safe(header.site, 40), "strong"))
    layout.addWidget(Line(safe(header.station, 24), "muted"))
    layout.addStretch(1)
    if header.steps:
        layout.addWidget(Line(words("label.step", n=header.step, m=header.steps), "muted"))
        layout.addStretch(1)
    if header.caution is not None:
        layout.addWidget(Line(words.say(header.caution), "small", "care", elide=True), 4)
    if header.operator:
        layout.addWidget(Picture(theme, "person", "muted", 5.4))
        layout.addWidget(Line(safe(header.operator, 32), "muted"))
    layout.addWidget(Line(clock(header.at), "strong"))


class DeskScreen(Screen):
    """A screen at a workstation: title and clock on top, work in the middle, actions below."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        theme = look.theme
        self._top, self._head = bar(look, "header")
        self.footer, self._foot = bar(look, "footer")
        middle = column()
        side = theme.px("pad", 1.2)
        middle.setContentsMargins(side, theme.px("pad"), side, theme.px("pad"))
        middle.addLayout(self.body, 1)
        self.whole.addWidget(self._top)
        self.whole.addLayout(middle, 1)
        self.whole.addWidget(self.footer)
        self.footer.hide()

    def draw(self, snapshot: Any) -> None:
        self.draw_desk(snapshot)
        self.read_in_order(self._top, *widgets_in(self.body), self.footer)

    def draw_desk(self, snapshot: Any) -> None:
        raise NotImplementedError

    def head(self, title: str, header: Header) -> None:
        clear(self._head)
        line = Line(title, "title")
        line.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._head.addWidget(line)
        self._head.addStretch(1)
        if header.caution is not None:
            caution = Line(self.look.words.say(header.caution), "small", "care", elide=True)
            self._head.addWidget(caution, 2)
        self._head.addWidget(Line(safe(header.site, 40), "strong"))
        self._head.addWidget(Picture(self.look.theme, "person", "muted", 4.0))
        self._head.addWidget(Line(safe(header.operator, 24), "muted"))
        self._head.addWidget(Line(clock(header.at), "strong"))

    def foot(self, *left: Button, main: Button | None = None) -> None:
        for button in left:
            self._foot.addWidget(button)
        self._foot.addStretch(1)
        if main is not None:
            self._foot.addWidget(main)
        self.footer.show()
