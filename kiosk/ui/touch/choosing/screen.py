"""K6: what is on the disc, ticked as the policy suggests; and the account of every file."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QWidget

from kiosk.desk.snapshots import Chip as Kind
from kiosk.desk.snapshots import ChoiceGroup, Choose, Mood, StudyChoice
from kiosk.model.relevance.choice import Triage
from kiosk.ui.parts.cells import Button, Card, Chip, Line, Look, NoticePanel, across, column
from kiosk.ui.parts.frame import TouchScreen
from kiosk.ui.parts.text import date_words, identifier_of, safe, who
from kiosk.ui.touch.studies import Pages, facts_of, title_of
from kiosk.ui.triage.tile import Tile

MOODS = {
    Kind.SUGGESTED: Mood.GOOD,
    Kind.OLDER: Mood.IDLE,
    Kind.HERE: Mood.NOTE,
    Kind.REPORT: Mood.GOOD,
    Kind.UNWANTED: Mood.IDLE,
}


class ChooseScreen(TouchScreen):
    """The ticks in the making live here: what the policy suggests until somebody changes one."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._intake = 0
        self._changed: dict[int, bool] = {}
        self._sheet = False
        self._shown_body: Choose | None = None

    def fill(self, body: Choose) -> None:
        look, words = self.look, self.look.words
        if body.intake != self._intake:
            self._intake, self._changed, self._sheet = body.intake, {}, False
        self._shown_body = body
        self.title.setText(words("title.sheet" if self._sheet else "title.choose"))
        if self._sheet:
            self._account(body)
            return
        for notice in body.notices[:2]:
            self.body.addWidget(NoticePanel(look, notice, "strong"))
        items: list[object] = []
        for group in body.groups:
            items.append(group)
            items += group.studies
        self.body.addWidget(Pages(look, items, self._item, self.page, self.turned), 1)
        total = sum(count for _, count in body.ledger)
        account = Button(
            look, words("button.account", n=body.files, m=total), self._turn_sheet, icon="list"
        )
        every = Button(look, words("button.select-all"), self._all)
        only_one = len(body.groups) == 1  # of several people nobody's are ticked by one press
        self.body.addLayout(across(look, every if only_one else None, None, account))
        self._ways_on(body)

    def _item(self, item: object) -> QWidget:
        if isinstance(item, ChoiceGroup):
            return person_card(self.look, item)
        assert isinstance(item, StudyChoice)
        return self._study(item)

    def _study(self, choice: StudyChoice) -> Card:
        look, words, line = self.look, self.look.words, choice.line
        card = Card(look, across=True)
        card.inside.addWidget(self._box(choice))
        card.inside.addWidget(Tile(look, choice.picture, 17.0))
        texts = column(spacing=0)
        texts.addWidget(Line(title_of(look, line), "strong", elide=True))
        texts.addWidget(Line(facts_of(look, line), "small", elide=True))
        count = words("count.of", n=line.images - line.damaged, m=line.images)
        if line.damaged:
            count = f"{count}  ({words('label.damaged', n=line.damaged)})"
        texts.addWidget(Line(count, "small", "care" if line.damaged else "", elide=True))
        card.inside.addLayout(texts, 1)
        if choice.seen_first is not Triage.NOBODY:
            text = words(f"triage.for-{choice.seen_first.value}")
            card.inside.addWidget(Chip(look, Mood.CARE, text))
        card.inside.addWidget(Chip(look, MOODS[choice.chip], words(f"chip.{choice.chip.value}")))
        return card

    def _box(self, choice: StudyChoice) -> Button:
        """As large as a finger; what may not be ticked says so by its chip."""
        theme = self.look.theme
        box = Button(self.look, "", kind="filter")
        box.setCheckable(True)
        box.setFixedSize(theme.px("target"), theme.px("target"))
        box.setIconSize(QSize(theme.px("icon"), theme.px("icon")))
        box.setAccessibleName(title_of(self.look, choice.line))
        box.setEnabled(choice.tickable)
        box.setChecked(self.is_ticked(choice))

        def show(on: bool) -> None:
            box.setIcon(theme.icon("good", "good") if on else QIcon())

        show(box.isChecked())
        box.toggled.connect(show)
        box.toggled.connect(lambda on: self._tick(choice.study, on))
        return box

    # -- ticks -----------------------------------------------------------------------------

    def is_ticked(self, choice: StudyChoice) -> bool:
        return choice.tickable and self._changed.get(choice.study, choice.ticked)

    def ticked(self) -> tuple[StudyChoice, ...]:
        assert self._shown_body is not None
        groups = self._shown_body.groups
        return tuple(each for g in groups for each in g.studies if self.is_ticked(each))

    def _tick(self, study: int, on: bool) -> None:
        self._changed[study] = on
        assert self._shown_body is not None
        self._ways_on(self._shown_body)

    def _all(self) -> None:
        """Every one that may be ticked."""
        assert self._shown_body is not None
        for group in self._shown_body.groups:
            self._changed |= {each.study: True for each in group.studies if each.tickable}
        self._again()

    def _turn_sheet(self) -> None:
        self._sheet = not self._sheet
        self._again()

    def _again(self) -> None:
        self.draw(self._shown)

    def _ways_on(self, body: Choose) -> None:
        words, chosen = self.look.words, self.ticked()
        images = sum(each.line.images - each.line.damaged for each in chosen)
        rows = tuple(each.study for each in chosen)
        needs = {"intake": body.intake, "ticked": rows}
        send = self.button("button.send-none", "choose", **needs)
        if chosen:
            send = self.button("button.send", "choose", "main", "send", **needs)
            send.setText(words("button.send-chosen", n=len(chosen), m=images))
        left = []
        if body.drive:
            left.append(self.button("button.take-out", "eject", icon="eject", drive=body.drive))
        if chosen:
            self.foot(*left, main=send)
        else:
            self.foot(*left, right=(send,))  # Enter leaves nothing out

    # -- the account -----------------------------------------------------------------------

    def _account(self, body: Choose) -> None:
        look, words = self.look, self.look.words
        card = Card(look)
        for bucket, count in body.ledger:
            name = words(f"ledger.{bucket}")
            card.add(across(look, Line(name), None, Line(str(count), "strong")))
        total = sum(count for _, count in body.ledger)
        said = words("label.balance", n=body.files, m=total)
        card.add(across(look, Line(said, "large")))
        self.body.addWidget(card)
        self.body.addStretch(1)
        back = Button(look, words("button.back"), self._turn_sheet, "wide", "back")
        back.setProperty("needs", "sheet")
        self.foot(back)


def person_card(look: Look, group: ChoiceGroup) -> Card:
    """Whose scans these are, as the disc says."""
    words, card, stated = look.words, Card(look, "sunken", across=True), group.stated
    texts = column(spacing=0)
    texts.addWidget(Line(who(stated), "strong", elide=True))
    born = date_words(stated.birth_date, words.language)
    parts = [words("label.born", d=born) if born else "", identifier_of(str(stated.identifier))]
    parts.append(safe(next((s.line.institution for s in group.studies), ""), 32))
    texts.addWidget(Line("  ·  ".join(p for p in parts if p), "small", elide=True))
    card.inside.addLayout(texts, 1)
    return card
