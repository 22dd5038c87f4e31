"""The decision of D2: a choice and a reason, both by hand; only then can it be pressed."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QButtonGroup, QComboBox, QLineEdit

from kiosk.desk.roles import Doing
from kiosk.desk.snapshots import CompareSnapshot
from kiosk.model.matching import Action
from kiosk.ui.him.grid import REFUSE, REVOKE, summary
from kiosk.ui.parts.cells import Button, Card, Line, Look, clear, column

REASONS = {
    Action.LINK: ("typed-wrong", "name-changed", "two-identifiers", "asked-patient", "other"),
    Action.IMPORT_ONLY: ("not-registered", "cannot-tell", "other"),
    Action.NOT_OURS: ("wrong-disc", "other-person", "not-wanted", "other"),
    REFUSE: ("refused-apart", "asked-patient", "other"),
    REVOKE: ("revoked-wrong", "revoked-mixed", "other"),
}
KEYS = {"i": Action.IMPORT_ONLY.value, "r": Action.NOT_OURS.value}


class Decision(Card):
    """`chosen` is a candidate's number as text, an action, that a candidate is somebody else or an
    earlier judgement is taken back (`refuse:1`, `revoke:7`), or "" until somebody chooses."""

    asked = Signal(str, object)
    changed = Signal()

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._look = look
        self._snapshot: CompareSnapshot | None = None
        self.chosen = ""
        self.setFixedWidth(look.theme.px(86))
        words = look.words
        self.add(Line(words("title.decide"), "large"))
        self._choices = column(spacing=look.theme.px("gap", 0.8))
        self.add(self._choices)
        self._group = QButtonGroup(self)
        self.add(Line(words("label.reason"), "smallstrong"))
        self.reason = QComboBox()
        self.reason.setAccessibleName(words("label.reason"))
        self.reason.currentIndexChanged.connect(lambda _: self._enable())
        self.add(self.reason)
        self.note = QLineEdit()
        self.note.setMaxLength(200)
        self.note.setPlaceholderText(words("label.note"))
        self.note.setAccessibleName(words("label.note"))
        self.note.textChanged.connect(lambda _: self._enable())
        self.add(self.note)
        self.inside.addStretch(1)
        self.said = Line.wrapped(words("decide.choose"), "muted")
        self.add(self.said)
        self.decide = Button(look, words("button.decide"), self._decide, "main")
        self.add(self.decide)
        self._fill_reasons()

    def present(self, snapshot: CompareSnapshot) -> None:
        """A new case starts without a choice; the same case keeps what was chosen, unless its
        candidates changed under it."""
        old = self._snapshot
        self._snapshot = snapshot
        moved = old is None or old.case != snapshot.case
        if moved or _standing(old) != _standing(snapshot):
            self.chosen = ""
            self.note.clear()
            self._fill_reasons()
        self._draw_choices(snapshot)
        self._enable()

    def _draw_choices(self, snapshot: CompareSnapshot) -> None:
        clear(self._choices)
        words = self._look.words
        for candidate in snapshot.candidates[:4]:
            name = candidate.local.identity.name
            text = words("decide.link", n=candidate.number, name=name)
            self._choices.addWidget(self._choice(str(candidate.number), text))
        for action in (Action.IMPORT_ONLY, Action.NOT_OURS):
            self._choices.addWidget(self._choice(action.value, words(f"decide.{action.value}")))

    def _choice(self, value: str, text: str) -> Button:
        button = Button(self._look, text, lambda: self.choose(value), "choice")
        button.setCheckable(True)
        button.setChecked(value == self.chosen)
        button.setEnabled(self._may())
        self._group.addButton(button)
        return button

    def _may(self) -> bool:
        snapshot = self._snapshot
        return (
            snapshot is not None
            and snapshot.blocked is None
            and Doing.DECIDE in snapshot.header.may
        )

    def choose(self, value: str) -> None:
        if not self._may() or self._snapshot is None:
            return
        if value.isdigit() and not 1 <= int(value) <= len(self._snapshot.candidates):
            return
        before, self.chosen = self.chosen, value
        if _kind(before) != _kind(value):
            self._fill_reasons()
        self._draw_choices(self._snapshot)
        self._enable()
        self.changed.emit()

    def key(self, pressed: str) -> bool:
        """Whether the key chose something."""
        value = KEYS.get(pressed, pressed if pressed.isdigit() and pressed != "0" else "")
        if value:
            self.choose(value)
        return bool(value)

    def _fill_reasons(self) -> None:
        kind = _kind(self.chosen)
        self.reason.clear()
        self.reason.addItem(self._look.words("label.pick-reason"), "")
        for code in REASONS[kind] if kind else ():
            self.reason.addItem(self._look.words(f"why-decided.{code}"), code)

    def _enable(self) -> None:
        code = self.reason.currentData()
        given = bool(code) and (code != "other" or bool(self.note.text().strip()))
        self.decide.setEnabled(bool(self.chosen) and given and self._may())
        if self._snapshot is not None:
            self.said.setText(summary(self._look, self._snapshot, self.chosen))
        self.reason.setEnabled(bool(self.chosen))
        self.note.setEnabled(bool(self.chosen))

    def _decide(self) -> None:
        kind = _kind(self.chosen)
        if self._snapshot is None or not kind:
            return
        parts = (self.reason.currentData(), self.note.text().strip())
        needs = {"case": self._snapshot.case, "reason": ": ".join(part for part in parts if part)}
        if kind == REVOKE:
            remembered = int(self.chosen.removeprefix(REVOKE))
            self.asked.emit("revoke", {**needs, "remembered": remembered})
            return
        number = self.chosen.removeprefix(REFUSE)
        local = self._snapshot.candidates[int(number) - 1].local if number.isdigit() else None
        needs |= {
            "local_key": local.key if local else "",
            "shown": local.identity if local else None,
        }
        if kind == REFUSE:
            self.asked.emit("refuse", needs)
        else:
            self.asked.emit("resolve", {**needs, "action": Action(kind)})

    def minimumSizeHint(self) -> QSize:
        return QSize(self._look.theme.px(86), 0)


def _kind(chosen: str) -> str:
    """The action, or what is said of one candidate or judgement; "" for no choice."""
    if not chosen:
        return ""
    if chosen.isdigit():
        return Action.LINK
    kind, colon, _ = chosen.partition(":")
    return kind + colon


def _standing(snapshot: CompareSnapshot) -> list[object]:
    """What a choice rests on: a change of it takes the choice away."""
    of_candidates = [(c.local, c.earlier) for c in snapshot.candidates]
    return [*of_candidates, snapshot.earlier]
