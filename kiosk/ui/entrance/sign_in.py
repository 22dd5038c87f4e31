"""K2: who are you? A badge and its PIN, or a name and a password."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit

from kiosk.desk.snapshots import Asks, Mood, Notice, SignIn, TouchSnapshot, say
from kiosk.ui.entrance.secret import Secret
from kiosk.ui.parts.cells import Button, Line, Look, NoticePanel, Picture, across, clear
from kiosk.ui.parts.frame import TouchScreen
from kiosk.ui.parts.keyboard import Keyboard, PinPad


class SignInScreen(TouchScreen):
    """What is typed stays when only the minute or the disc's verdict has changed."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._body: SignIn | None = None
        self._emergency = False
        self._name = ""
        self._field: QLineEdit | Secret | None = None
        self._verdict: Line | None = None

    def draw(self, snapshot: TouchSnapshot) -> None:
        body, old = snapshot.body, self._body
        assert isinstance(body, SignIn)
        if old is not None and replace(old, verdict=None) == replace(body, verdict=None):
            self._body = body
            self.draw_header(snapshot.header)
            self._say_verdict()
            return
        self._body, self._emergency = body, False
        super().draw(snapshot)

    def fill(self, body: SignIn) -> None:
        words = self.look.words
        if self._emergency:
            self._draw_emergency()
            return
        self.title.setText(
            words("title.sign-in")
            if body.asks is Asks.NAME
            else words(f"title.sign-in-{body.asks.value}", who=body.who)
        )
        if body.locked:
            locked = Notice(Mood.NOTE, say("label.screen-locked", who=body.locked))
            self.body.addWidget(NoticePanel(self.look, locked))
        for notice in body.notices:
            self.body.addWidget(NoticePanel(self.look, notice, "strong"))
        self._verdict = Line.wrapped("", "lead")
        self.body.addWidget(self._verdict)
        self._say_verdict()
        if body.asks is Asks.NAME:
            self._draw_name(body)
        elif body.asks is Asks.PIN:
            self._draw_pin()
        else:
            self._draw_password()

    def _say_verdict(self) -> None:
        if self._verdict is not None and self._body is not None:
            found = self._body.verdict
            self._verdict.setText(self.look.words.say(found) if found else "")
            self._verdict.setVisible(found is not None)

    # -- the three questions ---------------------------------------------------------------

    def _draw_name(self, body: SignIn) -> None:
        words = self.look.words
        head = across(self.look, Picture(self.look.theme, "person", "accent", 9.0), gap=2.0)
        head.addWidget(Line.wrapped(words("label.scan-badge"), "lead"), 1)
        self.body.addLayout(head)
        name = self._text_field("label.user-name")
        name.setText(self._name)
        secret = self._secret("label.password", lambda: self._sign_in(name))
        name.textChanged.connect(self._named)
        name.returnPressed.connect(secret.setFocus)
        self._typing(name, secret)
        ways = [self.button("button.back", "show-touch", icon="back")] if self._touch else []
        if body.emergency and self._touch:
            emergency = self.button("button.emergency", "emergency-page", icon="care")
            emergency.clicked.disconnect()
            emergency.clicked.connect(self._open_emergency)
            ways.append(emergency)
        main = self._main("button.sign-in", lambda: self._sign_in(name))
        self._ready(main, lambda: bool(name.text().strip()) and secret.count > 0, name, secret)
        self.foot(*ways, main=main)
        (secret if self._name else name).setFocus()

    def _draw_pin(self) -> None:
        secret = self._secret("label.pin", self._sign_in)
        secret.setAlignment(Qt.AlignmentFlag.AlignCenter)
        pad = PinPad(self.look)
        pad.typed.connect(secret.insert)
        pad.deleted.connect(secret.backspace)
        secret.setFixedWidth(max(pad.sizeHint().width(), self.look.theme.px(70)))
        middle = Qt.AlignmentFlag.AlignHCenter
        self.body.addStretch(1)
        self.body.addWidget(secret, 0, middle)
        self.body.addWidget(pad, 0, middle)
        self.body.addStretch(2)
        self._after_badge(secret)

    def _draw_password(self) -> None:
        secret = self._secret("label.password", self._sign_in)
        self._typing(secret)
        self._after_badge(secret)

    def _after_badge(self, secret: Secret) -> None:
        main = self._main("button.sign-in", self._sign_in)
        self._ready(main, lambda: secret.count > 0, secret)
        self.foot(self.button("button.back", "back", icon="back"), main=main)
        secret.setFocus()

    def _draw_emergency(self) -> None:
        self.title.setText(self.look.words("title.emergency"))
        how = Notice(Mood.CARE, say("label.emergency-how"))
        self.body.addWidget(NoticePanel(self.look, how))
        name, why = self._text_field("label.your-name"), self._text_field("label.why-access")
        why.setMaxLength(200)
        self._typing(name, why)
        back = self.button("button.back", "leave-emergency", icon="back")
        back.clicked.disconnect()
        back.clicked.connect(self._leave_emergency)
        go = self._main(
            "button.open-emergency",
            lambda: self.ask("emergency", name=name.text(), reason=why.text()),
        )
        self._ready(go, lambda: bool(name.text().strip() and why.text().strip()), name, why)
        self.foot(back, main=go)
        name.setFocus()

    def _open_emergency(self) -> None:
        self._turn(True)

    def _leave_emergency(self) -> None:
        self._turn(False)

    def _turn(self, emergency: bool) -> None:
        self._emergency = emergency
        if self._body is not None:
            clear(self.body)
            self.fill(self._body)

    # -- its parts -------------------------------------------------------------------------

    @property
    def _touch(self) -> bool:
        return self.look.theme.density == "touch"

    def _text_field(self, label: str) -> QLineEdit:
        field = QLineEdit()
        field.setMaxLength(64)
        field.setAccessibleName(self.look.words(label))
        field.setPlaceholderText(self.look.words(label))
        return field

    def _secret(self, label: str, entered: Any) -> Secret:
        secret = Secret(self.look, self.look.words(label))
        secret.entered.connect(lambda: entered() if secret.count else None)
        self._field = secret
        return secret

    def _typing(self, *fields: QLineEdit | Secret) -> None:
        """The fields, and on a touch screen the keyboard that types into the one with the focus."""
        line = across(self.look, gap=2.0)
        for field in fields:
            line.addWidget(field, 1)
        self.body.addLayout(line)
        self.body.addStretch(1)
        if not self._touch:
            return
        keys = Keyboard(self.look, whole=True)
        keys.typed.connect(lambda text: self._focused(fields).insert(text))
        keys.deleted.connect(lambda: self._focused(fields).backspace())
        self.body.addWidget(keys)

    def _focused(self, fields: tuple[QLineEdit | Secret, ...]) -> QLineEdit | Secret:
        return next((field for field in fields if field.hasFocus()), fields[0])

    def _main(self, label: str, do: Any) -> Button:
        button = Button(self.look, self.look.words(label), do, "main", "person")
        button.setProperty("needs", label)
        return button

    def _ready(self, button: Button, is_ready: Any, *fields: QLineEdit | Secret) -> None:
        button.setEnabled(is_ready())
        for field in fields:
            signal = field.changed if isinstance(field, Secret) else field.textChanged
            signal.connect(lambda *_: button.setEnabled(is_ready()))

    def _named(self, text: str) -> None:
        self._name = text

    # -- what is asked ---------------------------------------------------------------------

    def _sign_in(self, name: QLineEdit | None = None) -> None:
        if isinstance(self._field, Secret) and self._field.count:
            whose = name.text().strip() if name is not None else ""
            self.ask("sign-in", secret=self._field.take(), name=whose)

    def scanned(self, number: str) -> None:
        """A badge: its letters are taken out of the field that they were typed into."""
        for field in self.findChildren(QLineEdit):
            if field.text().endswith(number):
                field.setText(field.text().removesuffix(number))
        if self._field is not None and isinstance(self._field, Secret) and self._field.hasFocus():
            self._field.backspace(len(number))
        self.ask("badge", number=number)

    def empty(self) -> None:
        """Nobody is here any more: nothing of what was typed stays."""
        self._name = ""
        for field in self.findChildren(Secret):
            field.clear()
        for line in self.findChildren(QLineEdit):
            line.clear()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._body is not None:
            if self._emergency:
                self._turn(False)
            else:
                asks_name = self._body.asks is Asks.NAME
                self.ask("show-touch" if asks_name else "back")
        else:
            super().keyPressEvent(event)
