"""D4: what is under way to each archive, how old the oldest is, and what it said."""

from __future__ import annotations

from PySide6.QtCore import Qt

from kiosk.desk.roles import Doing
from kiosk.desk.snapshots import (
    DeliveriesSnapshot,
    DeliveryRow,
    DestinationLine,
    Header,
    Mood,
    Stage,
    WithdrawalRow,
)
from kiosk.ui.it.health import facts, scrolling
from kiosk.ui.parts.cells import Button, Card, Chip, Line, Look, clear, row
from kiosk.ui.parts.frame import DeskScreen
from kiosk.ui.parts.text import clock, date_words, safe

STAGES = {
    Stage.HIM: Mood.CARE,
    Stage.WAITING: Mood.IDLE,
    Stage.SENDING: Mood.BUSY,
    Stage.RECEIVED: Mood.BUSY,
    Stage.CHECKED: Mood.GOOD,
    Stage.PARTLY: Mood.CARE,
    Stage.STOPPED: Mood.STOP,
}


class DeliveriesScreen(DeskScreen):
    def __init__(self, look: Look) -> None:
        super().__init__(look)
        area, self._list = scrolling(look, look.words("title.deliveries"))
        self.body.addWidget(area)

    def draw_desk(self, snapshot: DeliveriesSnapshot) -> None:
        words = self.look.words
        self.head(words("title.deliveries"), snapshot.header)
        clear(self._list)
        for line in snapshot.destinations:
            self._list.addWidget(self._destination(line, snapshot.header))
        if snapshot.rows:
            self._list.addWidget(Line(words("label.studies-under-way"), "smallstrong"))
        for item in snapshot.rows:
            self._list.addWidget(self._row(item, snapshot.header))
        if snapshot.withdrawals:
            self._list.addWidget(Line(words("stage.withdrawing"), "smallstrong"))
        for back in snapshot.withdrawals:
            self._list.addWidget(self._withdrawal(back, snapshot.header))
        if not snapshot.rows and not snapshot.withdrawals:
            self._list.addWidget(Line.wrapped(words("label.nothing-waits"), "muted"))
        self._list.addStretch(1)

    def _destination(self, line: DestinationLine, header: Header) -> Card:
        card = _destination(self.look, line)
        if Doing.PAUSE in header.may:
            command = "resume" if line.paused else "pause"
            words = self.look.words(f"button.{command}")
            act = Button(self.look, words, lambda: self.ask(command, destination=line.name))
            act.setAccessibleName(f"{words}: {safe(line.name, 32)}")
            card.add(act)
        return card

    def _withdrawal(self, item: WithdrawalRow, header: Header) -> Card:
        look, words = self.look, self.look.words
        card = Card(look)
        line = row(spacing=look.theme.px("pad"))
        place = words("label.at-place", n=item.images, place=item.destination)
        line.addWidget(Line(place, "strong", elide=True), 3)
        line.addWidget(Line(safe(item.ticket, 24), elide=True), 2)
        stage = Stage.STOPPED if item.stuck else Stage.WITHDRAWING
        chip = Chip(look, STAGES.get(stage, Mood.BUSY), words(f"stage.{stage.value}"))
        line.addWidget(chip)
        if Doing.RETRY in header.may and item.stuck:
            again = Button(
                look,
                words("button.retry"),
                lambda: self.ask("withdraw_again", withdrawal=item.withdrawal),
                icon="retry",
            )
            line.addWidget(again)
        card.add(line)
        if item.problem:
            card.add(Line.wrapped(safe(item.problem, 240), "small"))
        return card

    def _row(self, item: DeliveryRow, header: Header) -> Card:
        look, words, study = self.look, self.look.words, item.study
        card = Card(look)
        line = row(spacing=look.theme.px("pad"))
        kind = words.either(f"modality.{study.modality}", study.modality or "?")
        line.addWidget(Line(safe(study.description, 48) or kind, "strong", elide=True), 3)
        line.addWidget(Line(date_words(study.date, words.language), "muted", elide=True), 1)
        line.addWidget(Line(safe(item.ticket, 24), elide=True), 2)
        line.addWidget(Line(safe(item.destination, 24), elide=True), 1)
        sent = words("count.received-of", k=study.received, m=study.images)
        line.addWidget(Line(sent, elide=True), 2)
        line.addWidget(
            Line(words("count.checked-of", k=study.checked, m=study.images), elide=True), 2
        )
        chip = Chip(look, STAGES[study.stage], words(f"stage.{study.stage.value}"))
        line.addWidget(chip)
        if Doing.RETRY in header.may and study.stage is not Stage.CHECKED:
            again = Button(
                look,
                words("button.retry"),
                lambda: self.ask("retry", delivery=item.delivery),
                icon="retry",
            )
            line.addWidget(again)
        card.add(line)
        if item.problem:
            card.add(Line.wrapped(safe(item.problem, 240), "small"))
        for refused in item.refused:
            card.add(Line(safe(refused, 160), "small", elide=True))
        return card


def _destination(look: Look, line: DestinationLine) -> Card:
    words, card = look.words, Card(look)
    top = row(spacing=look.theme.px("gap"))
    top.addWidget(Line(safe(line.name, 32), "large"))
    top.addWidget(Chip(look, line.mood, words(f"destination.{line.mood.value}")))
    top.addWidget(Line(safe(line.address, 64), "muted", elide=True), 1)
    card.add(top)
    age = words("span.none") if line.oldest_seconds < 0 else span(look, line.oldest_seconds)
    pairs = [
        (words("label.queue"), str(line.queue)),
        (words("label.oldest"), age),
        (words("label.held-back"), str(line.held)),
        (words("label.verify-level"), words(f"verify.{line.verify_level}")),
    ]
    if line.next_try_at:
        pairs.append((words("label.next-try"), clock(line.next_try_at)))
    card.add(facts(look, tuple(pairs)))
    if line.problem:
        problem = Line.wrapped(safe(line.problem, 240), "", line.mood.value)
        problem.setAlignment(Qt.AlignmentFlag.AlignLeft)
        card.add(problem)
    return card


def span(look: Look, seconds: int) -> str:
    if seconds < 90:
        return look.words("span.seconds", n=seconds)
    if seconds < 5400:
        return look.words("span.minutes", n=round(seconds / 60))
    return look.words("span.hours", n=round(seconds / 3600))
