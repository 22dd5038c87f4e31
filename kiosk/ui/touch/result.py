"""K6 and K9: what was on the disc, what became of it in the order of truth, and the receipt."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from kiosk.desk.snapshots import PatientLine, Result, StudyLine
from kiosk.model.delivery import Change
from kiosk.ui.parts.cells import Card, Chip, Line, Look, NoticePanel, Picture, column, row
from kiosk.ui.parts.frame import TouchScreen
from kiosk.ui.parts.text import date_words, identifier_of, safe, who
from kiosk.ui.touch.studies import STAGES, DeliveryCard, Pages

SHOWN = {
    "PatientName": "field.name",
    "PatientID": "field.identifier",
    "PatientBirthDate": "field.birth_date",
    "PatientSex": "field.sex",
    "AccessionNumber": "field.accession",
}


LOW = 270.0  # millimetres: a lower screen has room for one line where others have three


class ResultScreen(TouchScreen):
    def fill(self, body: Result) -> None:
        look = self.look
        self.title.setText("")
        self.body.addWidget(NoticePanel(look, body.headline, "large"))
        low = self.height() < look.theme.px(LOW)
        for notice in body.notices[: 1 if low else 2]:
            self.body.addWidget(NoticePanel(look, notice))
        both = row(spacing=look.theme.px("pad"))
        aside = QWidget()
        aside.setProperty("role", "plain")
        aside.setLayout(self._aside(body))
        aside.setFixedWidth(max(look.theme.px(96.0), self.width() * 36 // 100))
        both.addWidget(self._studies(body), 1)
        both.addWidget(aside)
        self.body.addLayout(both, 1)
        self._ways_on(body)

    def _studies(self, body: Result) -> QWidget:
        """Each patient's line, then that patient's studies, on as many pages as it takes."""
        items: list[object] = []
        for patient in body.patients:
            items.append(patient)
            items += patient.studies
        return Pages(self.look, items, self._item, self.page, self.turned)

    def _item(self, item: object) -> QWidget:
        if isinstance(item, StudyLine):
            return DeliveryCard(self.look, item)
        assert isinstance(item, PatientLine)
        return patient_card(self.look, item)

    def _aside(self, body: Result) -> column:
        look = self.look
        aside = column(spacing=look.theme.px("gap"))
        room = 1 if self.height() < look.theme.px(LOW) else 3
        order = list(SHOWN)
        changed = sorted(
            (c for p in body.patients for c in p.changes if c.keyword in SHOWN),
            key=lambda change: order.index(change.keyword),
        )
        if changed:
            aside.addWidget(_changes(look, tuple(changed[:room])))
        if body.left_out:
            aside.addWidget(_left_out(look, body, room + 1))
        aside.addStretch(1)
        aside.addWidget(self._receipt(body))
        return aside

    def _receipt(self, body: Result) -> Card:
        look, card = self.look, Card(self.look)
        top = row(spacing=look.theme.px("gap"))
        top.addWidget(Picture(look.theme, "ticket", "accent", 9.0))
        texts = column(spacing=0)
        texts.addWidget(Line(look.words("label.ticket"), "small"))
        code = Line(safe(body.ticket, 24), "large", elide=True)
        code.setAlignment(Qt.AlignmentFlag.AlignLeft)
        texts.addWidget(code)
        top.addLayout(texts, 1)
        card.add(top)
        card.add(self.button("button.receipt", "receipt", intake=body.intake))
        return card

    def _ways_on(self, body: Result) -> None:
        done = self.button("button.next-patient", "finish", "main", "next", intake=body.intake)
        back = self.once_more(body)
        if body.drive:
            out = self.button("button.take-out", "eject", icon="eject", drive=body.drive)
            back = (out, *back)
        self.foot(*back, main=done)


def patient_card(look: Look, patient: PatientLine) -> Card:
    """Whose scans these are: our record where it is decided, else what the disc says."""
    words, card = look.words, Card(look, "sunken", across=True)
    shown = patient.local or patient.stated
    card.inside.addWidget(Picture(look.theme, "person", "accent", 9.0))
    texts = column(spacing=0)
    texts.addWidget(Line(who(shown), "strong", elide=True))
    born = date_words(shown.birth_date, look.words.language)
    parts = [words("label.born", d=born) if born else "", identifier_of(str(shown.identifier))]
    texts.addWidget(Line("  ·  ".join(p for p in parts if p), "small", elide=True))
    card.inside.addLayout(texts, 1)
    if patient.local is None:
        mood = STAGES[patient.stage][0]
        card.inside.addWidget(Chip(look, mood, words(f"stage.{patient.stage.value}")))
    return card


def _changes(look: Look, changes: tuple[Change, ...]) -> Card:
    """Before and after, as it is written into the images."""
    card = Card(look)
    card.add(Line(look.words("label.changed"), "smallstrong"))
    for change in changes:
        card.add(Line(look.words(SHOWN[change.keyword]), "small"))
        pair = row(spacing=look.theme.px("gap", 0.6))
        pair.addWidget(Line(_shown(look, change, change.was), "muted", elide=True), 1)
        pair.addWidget(Picture(look.theme, "next", "muted", 4.0))
        pair.addWidget(Line(_shown(look, change, change.now), "strong", elide=True), 1)
        card.add(pair)
    return card


def _shown(look: Look, change: Change, value: str) -> str:
    if not value:
        return look.words("label.nothing")
    if change.keyword == "PatientBirthDate":
        return date_words(value, look.words.language)
    if change.keyword == "PatientName":
        return safe(value.split("=")[0].replace("^", ", ", 1).replace("^", " ").strip(), 40)
    return safe(value, 40)


def _left_out(look: Look, body: Result, room: int) -> Card:
    """What was on the disc and is not brought in, so that nothing is silently missing."""
    words, card = look.words, Card(look)
    card.add(Line.wrapped(words("label.left-out", n=body.files), "smallstrong"))
    for part in body.left_out[:room]:
        card.add(Line(words(f"left.{part.bucket}", n=part.count), elide=True))
    return card
