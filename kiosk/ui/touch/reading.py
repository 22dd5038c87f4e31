"""K5: at once what the disc is, then how far reading is, then the disc back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QProgressBar, QWidget

from kiosk.desk.snapshots import Mood, Notice, Phase, Reading, say
from kiosk.ui.parts.cells import Card, Line, Look, NoticePanel, Picture, across, row
from kiosk.ui.parts.frame import TouchScreen
from kiosk.ui.touch.studies import Pages, StudyCard

PHASES = tuple(Phase)


class ReadingScreen(TouchScreen):
    """Bars never go back: the furthest of each intake is kept, whatever a second pass reports."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._furthest: tuple[int, int] = (0, 0)
        self._still: Reading | None = None

    def draw(self, snapshot: Any) -> None:
        """Only the bar moves where only the figures did: nothing under a finger is replaced."""
        still = replace(snapshot.body, bytes_done=0, files_done=0, seconds_left=-1)
        if still == self._still:
            self.draw_header(snapshot.header)
            self._move(snapshot.body)
        else:
            self._still = still
            super().draw(snapshot)

    def fill(self, body: Reading) -> None:
        look, words = self.look, self.look.words
        self.title.setText("")
        self.body.addWidget(self._verdict(body))
        if body.copied:
            out = Notice(Mood.GOOD, say("KX-102"))
            self.body.addWidget(NoticePanel(look, out, "strong"))
        for notice in body.notices[:2]:
            self.body.addWidget(NoticePanel(look, notice))
        self.body.addWidget(self._how_far(body))
        if body.studies:
            self.body.addWidget(Line(words("label.found"), "smallstrong"))
            self.body.addWidget(self._pages(body), 1)
        else:
            self.body.addStretch(1)
        self._ways_on(body)

    def _verdict(self, body: Reading) -> QWidget:
        look, words = self.look, self.look.words
        card = Card(look)
        label = "label.first-look" if body.first_look else "label.on-the-disc"
        card.add(Line(words(label), "smallstrong"))
        verdict = body.verdict or say("verdict.looking")
        card.add(Line.wrapped(words.say(verdict), "title"))
        return card

    def _how_far(self, body: Reading) -> QWidget:
        look = self.look
        card = Card(look)
        card.add(across(look, *(_phase(look, p, body.phase) for p in PHASES), None, gap=3.0))
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 100)
        self._bar.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        card.add(self._bar)
        self._share, self._files = Line("", "strong"), Line("", "muted")
        self._left = Line("", "muted")
        card.add(across(look, self._share, self._files, None, self._left, gap=2.0))
        self._move(body)
        return card

    def _move(self, body: Reading) -> None:
        """The figures that change four times a second."""
        words, percent = self.look.words, self._percent(body)
        said = words("label.percent", p=percent)
        self._bar.setValue(percent)
        self._bar.setAccessibleName(said)
        self._share.setText(said)
        files = words("label.files-of", n=body.files_done, m=body.files_total)
        self._files.setText(files if body.files_total else "")
        self._left.setText(_time_left(self.look, body))

    def _percent(self, body: Reading) -> int:
        share = body.bytes_done * 100 // body.bytes_total if body.bytes_total else 0
        if body.phase is not Phase.COPYING:
            share = 100
        intake, before = self._furthest
        furthest = max(share, before) if intake == body.intake else share
        self._furthest = (body.intake, min(100, furthest))
        return self._furthest[1]

    def _pages(self, body: Reading) -> QWidget:
        pairs = [body.studies[i : i + 2] for i in range(0, len(body.studies), 2)]
        return Pages(self.look, pairs, self._pair, self.page, self.turned)

    def _pair(self, pair: object) -> QWidget:
        holder = QWidget()
        holder.setProperty("role", "plain")
        line = row(holder, spacing=self.look.theme.px("gap"))
        assert isinstance(pair, tuple)
        for study in pair:
            line.addWidget(StudyCard(self.look, study), 1)
        if len(pair) == 1:
            line.addStretch(1)
        return holder

    def _ways_on(self, body: Reading) -> None:
        who = self.button("title.find", "find", icon="person", intake=body.intake, text="")
        longer = self.once_more(body)
        if not body.drive:
            self.foot(who, right=longer)
            return
        out = self.button("button.take-out", "eject", "main", "eject", drive=body.drive)
        out.setEnabled(body.copied)
        self.foot(who, right=longer, main=out)


def _phase(look: Look, phase: Phase, now: Phase) -> QWidget:
    """Done, under way or still to come: icon, weight of the word, colour."""
    place, here = PHASES.index(phase), PHASES.index(now)
    icon, token = ("good", "good") if place < here else ("busy", "accent")
    if place > here:
        icon, token = "todo", "muted"
    holder = QWidget()
    holder.setProperty("role", "plain")
    line = row(holder, spacing=look.theme.px("gap", 0.6))
    line.addWidget(Picture(look.theme, icon, token))
    word = look.words(f"phase.{phase.value}")
    line.addWidget(Line(word, "strong" if place == here else "muted"))
    state = "done" if place < here else "now" if place == here else "later"
    holder.setAccessibleName(f"{word}: {look.words(f'phase-state.{state}')}")
    return holder


def _time_left(look: Look, body: Reading) -> str:
    """Rounded, because it is an estimate (UX 3)."""
    if body.phase is not Phase.COPYING or body.seconds_left < 0:
        return ""
    if body.seconds_left < 60:
        return look.words("label.under-a-minute")
    return look.words("label.minutes-left", n=round(body.seconds_left / 60))
