"""K1: a disc wakes it, and it says so."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from PySide6.QtCore import Qt

from kiosk.desk.snapshots import DriveLine, Idle, Mood, Notice
from kiosk.model.medium import DriveState
from kiosk.ui.parts.cells import Card, Line, Look, NoticePanel, Picture, across, column
from kiosk.ui.parts.cells import Chip as StateChip
from kiosk.ui.parts.frame import TouchScreen
from kiosk.ui.parts.messages import LANGUAGES
from kiosk.ui.parts.text import safe

DRIVES: dict[DriveState, Mood] = {
    DriveState.NO_DISC: Mood.GOOD,
    DriveState.TRAY_OPEN: Mood.NOTE,
    DriveState.NOT_READY: Mood.BUSY,
    DriveState.DISC_OK: Mood.BUSY,
    DriveState.SICK: Mood.STOP,
    DriveState.UNPLUGGED: Mood.STOP,
}


class IdleScreen(TouchScreen):
    def draw(self, snapshot: Any) -> None:
        self._minute = datetime.fromisoformat(snapshot.header.at).minute
        super().draw(snapshot)

    def fill(self, body: Idle) -> None:
        look, words, theme = self.look, self.look.words, self.look.theme
        self.title.setText("")
        # Moves by a few pixels every minute, so that nothing burns into the screen.
        self.body.addStretch(3 + self._minute % 3)
        if body.off is not None:
            self._off(body)
        else:
            picture = Picture(theme, "insert", "accent", 74.0)
            self.body.addWidget(picture, 0, Qt.AlignmentFlag.AlignHCenter)
            self.body.addSpacing(theme.px("gap"))
            self.body.addWidget(_centred(words("label.idle"), "huge"))
            self.body.addWidget(_centred(words("label.idle-how"), "lead"))
        self.body.addSpacing(theme.px("pad"))
        chips = [_drive(look, drive) for drive in body.drives]
        self.body.addLayout(across(look, None, *chips, None, gap=2.0))
        self.body.addStretch(3)
        for notice in body.notices:
            self.body.addWidget(NoticePanel(look, notice))
        self._languages()

    def _off(self, body: Idle) -> None:
        assert body.off is not None
        look = self.look
        picture = Picture(look.theme, "stop", "stop", 32.0)
        self.body.addWidget(picture, 0, Qt.AlignmentFlag.AlignHCenter)
        self.body.addWidget(_centred(look.words("label.intake-off"), "huge"))
        self.body.addWidget(NoticePanel(look, Notice(Mood.STOP, body.off), "strong"))
        self.body.addWidget(_centred(body.off.id, "code"))

    def _languages(self) -> None:
        buttons = []
        for code in LANGUAGES:
            button = self.button(f"language.{code}", "language", kind="", code=code)
            button.setCheckable(True)
            button.setChecked(self.look.words.language.startswith(code))
            buttons.append(button)
        theme = self.button("button.theme", "theme", kind="", icon="theme")
        header = self._header
        if header is None or not header.signs_in:
            self.foot(*buttons, right=(theme,))
        elif header.role is None:
            self.foot(*buttons, right=(theme,), main=self.button("button.start", "start", "main"))
        else:
            out = self.button("button.sign-out", "sign-out", kind="")
            self.foot(*buttons, right=(out, theme))

    def scanned(self, number: str) -> None:
        """A badge, before anybody has touched the screen."""
        self.ask("badge", number=number)


def _centred(text: str, kind: str) -> Line:
    line = Line.wrapped(text, kind)
    line.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    return line


def _drive(look: Look, drive: DriveLine) -> Card:
    card = Card(look, across=True)
    card.inside.addWidget(Picture(look.theme, "drive", "muted", 10.0))
    texts = column(spacing=look.theme.px("gap", 0.4))
    texts.addWidget(Line(safe(drive.name, 24), "strong"))
    in_it = drive.stick and drive.state is DriveState.DISC_OK
    word = look.words("drive.stick" if in_it else f"drive.{drive.state.value}")
    texts.addWidget(StateChip(look, DRIVES[drive.state], word))
    card.inside.addLayout(texts)
    card.setAccessibleName(f"{safe(drive.name, 24)}: {word}")
    return card
