"""The recall of a case that went out: where it lies, what a recall does, a reason, the button."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QComboBox, QLineEdit

from kiosk.desk.roles import Doing
from kiosk.desk.snapshots import CompareSnapshot, Mood, Place, SentCase, Stage
from kiosk.ui.parts.cells import Button, Card, Chip, Line, Look, across, clear, column
from kiosk.ui.parts.text import safe

REASONS = {
    "wrong-patient": "113037",
    "wrong-order": "113038",
    "registration": "113037",
    "other": "113037",
}
MOODS = {
    Stage.CHECKED: Mood.GOOD,
    Stage.WITHDRAWN: Mood.GOOD,
    Stage.STOPPED: Mood.STOP,
    Stage.PARTLY: Mood.CARE,
}


class RecallPanel(Card):
    """Stands where the decision stands as long as a case is not sent. No default here either."""

    asked = Signal(str, object)

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._look = look
        self._snapshot: CompareSnapshot | None = None
        words = look.words
        self.setFixedWidth(look.theme.px(86))
        self.add(Line(words("title.sent-case"), "large"))
        self._facts = column(spacing=look.theme.px("gap", 0.8))
        self.add(self._facts)
        self.label = Line(words("label.reason"), "smallstrong")
        self.add(self.label)
        self.reason = QComboBox()
        self.reason.setAccessibleName(words("label.reason"))
        self.reason.addItem(words("label.pick-reason"), "")
        for code in REASONS:
            self.reason.addItem(words(f"why-recalled.{code}"), code)
        self.reason.currentIndexChanged.connect(lambda _: self._enable())
        self.add(self.reason)
        self.note = QLineEdit()
        self.note.setMaxLength(200)
        self.note.setPlaceholderText(words("label.note"))
        self.note.setAccessibleName(words("label.note"))
        self.note.textChanged.connect(lambda _: self._enable())
        self.add(self.note)
        self.inside.addStretch(1)
        self.said = Line.wrapped("", "muted")
        self.add(self.said)
        self.keep = Button(look, words("button.keep-sent"), lambda: self._ask("keep-sent"))
        self.propose = Button(
            look, words("button.propose-recall"), lambda: self._ask("propose-recall")
        )
        self.recall = Button(look, words("button.recall"), self._recall, "main")
        for button in (self.keep, self.propose, self.recall):
            self.add(button)

    def present(self, snapshot: CompareSnapshot) -> None:
        if self._snapshot is None or self._snapshot.case != snapshot.case:
            self.reason.setCurrentIndex(0)
            self.note.clear()
        self._snapshot = snapshot
        if snapshot.sent is not None:
            self._draw(snapshot.sent)
        self._enable()

    def _draw(self, sent: SentCase) -> None:
        words = self._look.words
        clear(self._facts)
        if sent.filed is not None:
            filed = words("label.filed-as", name=sent.filed.name, id=str(sent.filed.identifier))
            self._facts.addWidget(Line.wrapped(filed, "strong"))
        if sent.by:
            by = words("label.filed-by", who=safe(sent.by, 40))
            self._facts.addWidget(Line(by, "small", elide=True))
        for place in sent.places:
            self._place(place)
        if sent.proposed_by and not sent.recalled:
            said = words("recall.proposed", who=sent.proposed_by, why=sent.proposed_why)
            self._facts.addWidget(Line.wrapped(said, "strong", "care"))
        self.said.setText(self._consequences(sent))
        for part in (self.label, self.reason, self.note, self.keep, self.propose, self.recall):
            part.setVisible(not sent.recalled)

    def _place(self, place: Place) -> None:
        look, words = self._look, self._look.words
        text = words("label.at-place", n=place.images, place=place.destination)
        chip = Chip(look, MOODS.get(place.stage, Mood.BUSY), words(f"stage.{place.stage.value}"))
        self._facts.addLayout(across(look, Line(text, elide=True), chip))
        if place.because:
            self._facts.addWidget(Line.wrapped(safe(place.because, 120), "small"))
        if place.problem:
            self._facts.addWidget(Line.wrapped(safe(place.problem, 300), "small", "care"))
        if place.withdrawal and place.stage is Stage.STOPPED:
            self._facts.addWidget(self._by_hand(place))

    def _by_hand(self, place: Place) -> Button:
        text = self._look.words("button.taken-out")
        needs = {"withdrawal": place.withdrawal, "reason": text}
        button = Button(self._look, text, lambda: self.asked.emit("taken-out", needs))
        button.setEnabled(self._may(Doing.RECALL))
        return button

    def _consequences(self, sent: SentCase) -> str:
        words = self._look.words
        if sent.recalled:
            return words("recall.under-way")
        count = len({place.destination for place in sent.places})
        rest = words("recall.then" if sent.here else "recall.gone")
        return f"{words('recall.first', n=count)} {rest}"

    def _may(self, doing: Doing) -> bool:
        return self._snapshot is not None and doing in self._snapshot.header.may

    def _enable(self) -> None:
        code = self.reason.currentData()
        given = bool(code) and (code != "other" or bool(self.note.text().strip()))
        self.keep.setEnabled(given and self._may(Doing.DECIDE))
        self.propose.setEnabled(given and self._may(Doing.PROPOSE_RECALL))
        self.recall.setEnabled(given and self._may(Doing.RECALL))

    def _why(self) -> str:
        parts = (self.reason.currentData(), self.note.text().strip())
        return ": ".join(part for part in parts if part)

    def _ask(self, command: str) -> None:
        if self._snapshot is not None:
            self.asked.emit(command, {"case": self._snapshot.case, "reason": self._why()})

    def _recall(self) -> None:
        if self._snapshot is not None:
            code = REASONS[self.reason.currentData()]
            needs = {"case": self._snapshot.case, "reason": self._why(), "code": code}
            self.asked.emit("recall", needs)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._look.theme.px(86), 0)
