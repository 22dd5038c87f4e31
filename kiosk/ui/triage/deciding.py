"""What may be done about a study: let it go, hold it, discard it, want it after all."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QLineEdit

from kiosk.desk.snapshots import ViewSnapshot
from kiosk.model.relevance.choice import Standing
from kiosk.ui.parts.cells import Button, Line, Look, clear, column
from kiosk.ui.parts.text import safe

OUT = (Standing.LEFT, Standing.DISCARDED, Standing.OPEN)


class DecidingPanel(QFrame):
    """The reason in the making and the ticked archives live here."""

    asked = Signal(str, object)

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._study = 0
        self._to: dict[str, QCheckBox] = {}
        self.setProperty("role", "card")
        self.setFixedWidth(look.theme.px(80))
        self._inside = column(self, spacing=look.theme.px("gap", 0.7))
        pad = look.theme.px("pad", 0.8)
        self._inside.setContentsMargins(pad, pad, pad, pad)
        self.reason = QLineEdit()
        self.reason.setMaxLength(200)
        self.reason.setMinimumHeight(look.theme.px("target"))
        self.reason.setPlaceholderText(look.words("label.reason"))
        self.reason.setAccessibleName(look.words("label.reason"))
        self.reason.textChanged.connect(lambda _text: self._enable())
        self._above = column(spacing=look.theme.px("gap", 0.5))
        self._buttons = column(spacing=look.theme.px("gap", 0.7))
        self._inside.addLayout(self._above)
        self._inside.addStretch(1)
        self._inside.addWidget(self.reason)
        self._inside.addLayout(self._buttons)

    def present(self, snapshot: ViewSnapshot) -> None:
        words = self._look.words
        if snapshot.row.study != self._study:
            self._study = snapshot.row.study
            self.reason.clear()
        clear(self._above)
        for name, value in snapshot.facts:
            self._above.addWidget(Line(words(f"fact.{name}"), "small"))
            self._above.addWidget(Line(safe(value, 40), "strong", elide=True))
        self._above.addWidget(Line(words("label.goes-to"), "smallstrong"))
        for place in snapshot.goes:
            self._above.addWidget(Line.wrapped(safe(place, 120)))
        self._draw_elsewhere(snapshot)
        self._draw_buttons(snapshot)

    def _draw_elsewhere(self, snapshot: ViewSnapshot) -> None:
        ticked = {name for name, box in self._to.items() if box.isChecked()}
        self._to = {}
        if not snapshot.elsewhere or snapshot.blocked is not None:
            return
        self._above.addWidget(Line(self._look.words("label.or-only-to"), "smallstrong"))
        for name in snapshot.elsewhere:
            box = QCheckBox(safe(name, 32).replace("&", "&&"))
            box.setAccessibleName(safe(name, 32))
            box.setMinimumHeight(self._look.theme.px("target"))
            box.setChecked(name in ticked)
            box.toggled.connect(lambda _on: self._enable())
            self._to[name] = box
            self._above.addWidget(box)

    def _draw_buttons(self, snapshot: ViewSnapshot) -> None:
        look, words = self._look, self._look.words
        clear(self._buttons)
        self.accept = self.hold = self.discard = self.want = None
        if snapshot.row.standing in OUT:
            self.want = Button(look, words("button.want"), lambda: self._ask("want"), icon="send")
            self._buttons.addWidget(self.want)
        elif snapshot.blocked is None:
            self.accept = Button(look, words("button.release-one"), self._accept, "main", "send")
            self.hold = Button(look, words("button.hold"), lambda: self._ask("hold"))
            self.discard = Button(look, words("button.discard"), lambda: self._ask("discard"))
            for button in (self.accept, self.hold, self.discard):
                self._buttons.addWidget(button)
        self.reason.setVisible(snapshot.blocked is None or self.want is not None)
        self._enable()

    def _enable(self) -> None:
        """A reason for everything but letting it go where the rules say."""
        given = bool(self.reason.text().strip())
        for button in (self.hold, self.discard, self.want):
            if button is not None:
                button.setEnabled(given)
        if self.accept is not None:
            self.accept.setEnabled(given or not self.chosen)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The archives that it is to go to instead."""
        return tuple(name for name, box in self._to.items() if box.isChecked())

    def _accept(self) -> None:
        needs = {"study": self._study, "reason": self.reason.text(), "to": self.chosen}
        self.asked.emit("accept", needs)

    def _ask(self, command: str) -> None:
        self.asked.emit(command, {"study": self._study, "reason": self.reason.text()})
