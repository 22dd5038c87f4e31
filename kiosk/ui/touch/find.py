"""K3: the right patient, by two identifiers asked aloud."""

from __future__ import annotations

from datetime import date, datetime

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QGridLayout, QLineEdit

from kiosk.desk.snapshots import Find, Mood, PatientCard
from kiosk.ui.parts.cells import Button, Chip, Line, Look, NoticePanel, across, clear, column, row
from kiosk.ui.parts.frame import TouchScreen
from kiosk.ui.parts.keyboard import Keyboard
from kiosk.ui.parts.text import clock, date_words, identifier_of, safe, who


class FindScreen(TouchScreen):
    """First typing with the keyboard, then the cards, then two ticks on one of them."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._typing, self._text, self._chosen = True, "", -1
        self._body: Find | None = None

    def fill(self, body: Find) -> None:
        old, self._body = self._body, body
        if old is None or (old.intake, old.text) != (body.intake, body.text):
            self._typing, self._text = not body.text, body.text
        if old is None or old.patients != body.patients:
            self._chosen = -1
        self.title.setText(self.look.words("title.find"))
        for notice in body.notices:
            self.body.addWidget(NoticePanel(self.look, notice))
        if self._typing:
            self._type(body)
        else:
            self._cards(body)

    def _again(self) -> None:
        if self._body is not None:
            clear(self.body)
            self.fill(self._body)

    # -- typing ----------------------------------------------------------------------------

    def _type(self, body: Find) -> None:
        words = self.look.words
        self.body.addWidget(Line.wrapped(words("label.find-how"), "lead"))
        self.field = QLineEdit(self._text)
        self.field.setMaxLength(64)
        self.field.setAccessibleName(words("label.find-text"))
        self.field.setPlaceholderText(words("label.find-text"))
        self.field.textChanged.connect(self._typed)
        self.field.returnPressed.connect(self._search)
        self.body.addWidget(self.field)
        self.body.addStretch(1)
        keys = Keyboard(self.look)
        keys.typed.connect(self.field.insert)
        keys.deleted.connect(self.field.backspace)
        keys.cleared.connect(self.field.clear)
        self.body.addWidget(keys)
        back = self.button("button.back", "show-touch", icon="back")
        search = self.button("button.search", "search", "main", "search")
        search.clicked.disconnect()
        search.clicked.connect(self._search)
        search.setEnabled(bool(self._text.strip()))
        self.foot(back, main=search)
        self.field.setFocus()

    def _typed(self, text: str) -> None:
        self._text = text
        if self.main is not None:
            self.main.setEnabled(bool(text.strip()))

    def _search(self) -> None:
        text = self._text.strip()
        if text and self._body is not None:
            self._typing = text != self._body.text
            self.ask("find", intake=self._body.intake, text=text)
            self._again()

    # -- choosing --------------------------------------------------------------------------

    def _cards(self, body: Find) -> None:
        look, words = self.look, self.look.words
        self.body.addWidget(Line(safe(body.text, 40), "lead"))
        if not body.patients:
            self.body.addWidget(Line.wrapped(words("label.nobody-found"), "large"))
        grid = QGridLayout()
        grid.setSpacing(look.theme.px("gap"))
        for number, card in enumerate(body.patients):
            grid.addWidget(self._card(number, card), number // 2, number % 2)
        self.body.addLayout(grid)
        self.body.addStretch(1)
        self._ticks(body)

    def _card(self, number: int, card: PatientCard) -> Button:
        """A card is one large button, so that a finger and the Tab key find all of it."""
        look, words, identity = self.look, self.look.words, card.identity
        button = Button(look, "", lambda: self.choose(number), "card")
        button.setCheckable(True)
        button.setChecked(number == self._chosen)
        inside = column(button, spacing=look.theme.px("gap", 0.3))
        pad = look.theme.px("pad", 0.7)
        inside.setContentsMargins(pad, pad, pad, pad)
        first = row(spacing=look.theme.px("gap"))
        first.addWidget(Line(who(identity), "strong", elide=True), 1)
        if card.alike:
            first.addWidget(Chip(look, Mood.CARE, words("label.look-alike")))
        inside.addLayout(first)
        inside.addWidget(Line(born_words(look, identity.birth_date, self._today()), "", elide=True))
        parts = [safe(identity.sex, 8), identifier_of(str(identity.identifier))]
        if card.appointment:
            parts.append(words("label.appointment", t=clock(card.appointment)))
        inside.addWidget(Line("  ·  ".join(p for p in parts if p), "small", elide=True))
        button.setAccessibleName(f"{who(identity)}, {identity.birth_date}")
        return button

    def _today(self) -> date:
        assert self._header is not None
        return datetime.fromisoformat(self._header.at).date()

    def choose(self, number: int) -> None:
        self._chosen = number
        self._again()

    def _ticks(self, body: Find) -> None:
        """Both identifiers were asked aloud: only then is there a way on."""
        look, words = self.look, self.look.words
        ticks = [self._tick(words(f"tick.{name}")) for name in ("name", "born")]
        if self._chosen >= 0:
            self.body.addLayout(across(look, *ticks))
        back = self.button("button.back", "find-again", icon="back")
        back.clicked.disconnect()
        back.clicked.connect(self._back)
        this = self.button("button.this-patient", "pick", "main", "good", chosen=self._chosen)
        this.clicked.disconnect()
        this.clicked.connect(lambda: self._done(body))
        this.setEnabled(False)
        self.foot(back, main=this)
        for tick in ticks:
            tick.toggled.connect(lambda _: self._enable(ticks))

    def _tick(self, text: str) -> Button:
        button = Button(self.look, text, None, "tick", "todo")
        button.setCheckable(True)
        theme = self.look.theme
        button.toggled.connect(
            lambda on: button.setIcon(
                theme.icon("good" if on else "todo", "good" if on else "text")
            )
        )
        return button

    def _enable(self, ticks: list[Button]) -> None:
        if self.main is not None:
            self.main.setEnabled(self._chosen >= 0 and all(tick.isChecked() for tick in ticks))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape is Back, wherever Back leads."""
        if event.key() == Qt.Key.Key_Escape:
            self.ask("show-touch") if self._typing else self._back()
        else:
            super().keyPressEvent(event)

    def _back(self) -> None:
        self._typing = True
        self._again()

    def _done(self, body: Find) -> None:
        picked = body.patients[self._chosen].identity.identifier
        self.ask("pick", intake=body.intake, picked=picked)


def born_words(look: Look, da: str, today: date) -> str:
    """`14 MAR 1962 (64)`: the age helps to look at the right person."""
    shown = date_words(da, look.words.language)
    try:
        born = datetime.strptime(da, "%Y%m%d")  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return shown
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return f"{shown}  ({age})"
