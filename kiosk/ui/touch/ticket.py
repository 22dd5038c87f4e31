"""K8: HIM will finish, the patient can go; the ticket is what connects them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from kiosk.desk.snapshots import HimFinishes, Mood
from kiosk.ui.parts.cells import Card, Chip, Line, Look, NoticePanel, Picture, row
from kiosk.ui.parts.frame import TouchScreen
from kiosk.ui.parts.text import safe


class TicketScreen(TouchScreen):
    def fill(self, body: HimFinishes) -> None:
        look, words = self.look, self.look.words
        self.title.setText(words("title.him"))
        both = row(spacing=look.theme.px("pad"))
        both.addWidget(self._ticket(body), 4)
        both.addWidget(self._next(body), 6)
        self.body.addLayout(both, 1)
        for notice in body.notices:
            self.body.addWidget(NoticePanel(look, notice))
        done = self.button("button.finish", "finish", "main", "next", intake=body.intake)
        back = self.once_more(body)
        if body.drive:
            out = self.button("button.take-out", "eject", icon="eject", drive=body.drive)
            back = (out, *back)
        self.foot(*back, main=done)

    def _ticket(self, body: HimFinishes) -> Card:
        card = ticket_card(self.look, body.ticket)
        paper = self.button("button.receipt", "receipt", icon="ticket", intake=body.intake)
        card.inside.addWidget(paper, 0, Qt.AlignmentFlag.AlignHCenter)
        return card

    def _next(self, body: HimFinishes) -> QWidget:
        look, words = self.look, self.look.words
        card = Card(look)
        card.add(Line.wrapped(words.say(body.notice), "large"))
        chips = [Chip(look, Mood.CARE, words.either(f"reason.{r}", r)) for r in body.reasons[:3]]
        for chip in chips:
            card.add(chip)
        card.add(Line.wrapped(words("label.safe-here", n=body.images, m=body.studies), "muted"))
        card.inside.addStretch(1)
        card.add(Line(words("label.what-next"), "smallstrong"))
        for number in (1, 2, 3):
            card.add(_step(look, number, words(f"him.next-{number}")))
        return card


def ticket_card(look: Look, ticket: str) -> Card:
    """The code that finds it all again, large enough to copy by hand or to photograph."""
    theme, card = look.theme, Card(look)
    card.inside.addStretch(1)
    picture = Picture(theme, "ticket", "accent", 22.0)
    card.inside.addWidget(picture, 0, Qt.AlignmentFlag.AlignHCenter)
    for text, kind in (
        (look.words("label.ticket"), "muted"),
        (safe(ticket, 24), "huge"),
        (look.words("label.ticket-note"), "small"),
    ):
        line = Line.wrapped(text, kind) if kind != "huge" else Line(text, kind)
        line.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        card.add(line)
    card.inside.addStretch(1)
    return card


def _step(look: Look, number: int, text: str) -> QWidget:
    holder = QWidget()
    holder.setProperty("role", "plain")
    line = row(holder, spacing=look.theme.px("gap"))
    line.addWidget(Line(f"{number}.", "strong"), 0, Qt.AlignmentFlag.AlignTop)
    line.addWidget(Line.wrapped(text), 1)
    return holder
