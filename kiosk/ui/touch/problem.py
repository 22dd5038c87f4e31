"""K11 to K15: what to do first, what it means for the scans next; no green button."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from kiosk.desk.snapshots import Mood, Problem, ProblemKind
from kiosk.ui.parts.cells import MOOD_TOKENS, Card, Line, Picture, column, row
from kiosk.ui.parts.frame import TouchScreen
from kiosk.ui.parts.text import safe
from kiosk.ui.touch.studies import Pages, StudyCard

KINDS: dict[ProblemKind, tuple[Mood, str]] = {
    ProblemKind.UNREADABLE: (Mood.CARE, "disc"),
    ProblemKind.NO_SCANS: (Mood.NOTE, "image"),
    ProblemKind.LOCKED: (Mood.CARE, "lock"),
    ProblemKind.UNSAFE: (Mood.STOP, "stop"),
    ProblemKind.AGAIN: (Mood.NOTE, "retry"),
    ProblemKind.PULLED: (Mood.CARE, "eject"),
}


class ProblemScreen(TouchScreen):
    def fill(self, body: Problem) -> None:
        look, theme = self.look, self.look.theme
        mood, icon = KINDS[body.kind]
        self.title.setText(look.words(f"title.{body.kind.value}"))
        both = row(spacing=theme.px("pad", 1.6))
        both.addWidget(
            Picture(theme, icon, MOOD_TOKENS[mood], 40.0), 0, Qt.AlignmentFlag.AlignVCenter
        )
        both.addLayout(self._words(body), 1)
        if not body.studies:
            self.body.addStretch(1)
        self.body.addLayout(both)
        if body.studies:
            self.body.addWidget(Line(look.words("label.read-anyway"), "smallstrong"))
            self.body.addWidget(Pages(look, body.studies, self._study, self.page, self.turned), 1)
        else:
            self.body.addStretch(2)
        self._code(body)
        self._ways_on(body)

    def _words(self, body: Problem) -> column:
        look = self.look
        texts = column(spacing=look.theme.px("gap", 1.4))
        texts.addWidget(Line.wrapped(look.words.say(body.message), "large"))
        if body.facts:
            card = Card(look)
            for fact in body.facts[:4]:
                card.add(Line.wrapped(look.words.say(fact)))
            texts.addWidget(card)
        return texts

    def _study(self, study: object) -> QWidget:
        return StudyCard(self.look, study)  # type: ignore[arg-type]

    def _code(self, body: Problem) -> None:
        words = self.look.words
        code = words("label.code", code=body.message.id, ticket=safe(body.ticket, 24))
        below = row(spacing=self.look.theme.px("gap"))
        below.addWidget(Line(code, "small"), 1)
        if body.kind is not ProblemKind.PULLED:  # it is asked for again
            below.addWidget(self.button("button.receipt", "receipt", intake=body.intake))
        self.body.addLayout(below)

    def _ways_on(self, body: Problem) -> None:
        done = self.button("button.finish", "finish", icon="next", intake=body.intake)
        back = self.once_more(body)
        if body.drive:
            out = self.button("button.give-back", "eject", icon="eject", drive=body.drive)
            back = (out, *back)
        self.foot(*back, right=(done,))
