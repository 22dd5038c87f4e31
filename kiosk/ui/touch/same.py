"""K7: is it the same person? Green may go on; amber and red have no main action."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from kiosk.desk.roles import Doing
from kiosk.desk.snapshots import FieldLine, Grade, Mood, Notice, Outcome, SamePerson
from kiosk.ui.parts.cells import Button, Card, Chip, Line, Look, Marked, NoticePanel
from kiosk.ui.parts.frame import TouchScreen
from kiosk.ui.parts.text import field_pieces

GRADES: dict[Grade, Mood] = {
    Grade.MATCH: Mood.GOOD,
    Grade.SMALL: Mood.CARE,
    Grade.DIFFERENT: Mood.STOP,
}
OUTCOMES: dict[Outcome, tuple[Mood, str]] = {
    Outcome.SAME: (Mood.GOOD, "equal"),
    Outcome.SIMILAR: (Mood.CARE, "near"),
    Outcome.DIFFERENT: (Mood.STOP, "differs"),
    Outcome.MISSING: (Mood.IDLE, "idle"),
}


class SamePersonScreen(TouchScreen):
    def draw(self, snapshot: object) -> None:
        self._may = snapshot.header.may  # type: ignore[attr-defined]
        super().draw(snapshot)

    def fill(self, body: SamePerson) -> None:
        look, words = self.look, self.look.words
        self.title.setText(words(f"title.same-{body.grade.value}"))
        self.body.addWidget(NoticePanel(look, Notice(GRADES[body.grade], body.question), "strong"))
        self.body.addWidget(self._table(body))
        for notice in body.notices:
            self.body.addWidget(NoticePanel(look, notice))
        self.body.addStretch(1)
        self._ways_on(body)

    def _table(self, body: SamePerson) -> QWidget:
        look, theme = self.look, self.look.theme
        card = Card(look)
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.px("pad"))
        grid.setVerticalSpacing(theme.px("gap", 1.8))
        for number, (label, stretch) in enumerate(
            (("", 2), ("label.disc", 4), ("label.chosen", 4), ("", 3))
        ):
            grid.setColumnStretch(number, stretch)
            if label:
                grid.addWidget(Line(look.words(label), "smallstrong"), 0, number)
        for number, line in enumerate(body.fields, 1):
            self._row(grid, number, line)
        card.add(grid)
        return card

    def _row(self, grid: QGridLayout, number: int, line: FieldLine) -> None:
        look, words = self.look, self.look.words
        grid.addWidget(Line(words(f"field.{line.field}"), "muted"), number, 0)
        grid.addWidget(_value(look, line.field, line.disc, line.disc_marks), number, 1)
        grid.addWidget(_value(look, line.field, line.ours, line.ours_marks), number, 2)
        mood, icon = OUTCOMES[line.outcome]
        chip = Chip(look, mood, words(f"outcome.{line.outcome.value}"), icon)
        grid.addWidget(chip, number, 3, Qt.AlignmentFlag.AlignLeft)

    def _ways_on(self, body: SamePerson) -> None:
        same = {"case": body.case, "local_key": body.local_key, "shown": body.shown}
        back = [
            self.button("button.other-patient", "find", icon="search", intake=body.intake, text="")
        ]
        if body.drive:
            back.append(self.button("button.give-back", "eject", icon="eject", drive=body.drive))
        to_him = self.button("button.to-him", "to-him", icon="people", case=body.case)
        if body.grade is Grade.MATCH:
            send = self.button("button.send", "confirm", "main", "send", **same)
            send.setText(self.look.words("button.send-n", n=body.studies))
            send.setAccessibleName(send.text())
            self.foot(back[0], main=send)
            return
        right: tuple[Button, ...] = (to_him,)
        if body.grade is Grade.SMALL and Doing.CONFIRM in self._may:
            right = (to_him, self.button("button.same-person", "confirm", icon="good", **same))
        self.foot(*back, right=right)


def _value(look: Look, field: str, raw: str, marks: tuple) -> QWidget:
    if not raw:
        return Line(look.words("label.unknown"), "muted")
    return Marked(look, field_pieces(field, raw, marks, look.words.language), size="large")
