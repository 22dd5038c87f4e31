"""A3: who may sign in, as what, and with what; every change with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLineEdit

from kiosk.desk.roles import Role
from kiosk.desk.snapshots import Mood, PeopleSnapshot, PersonRow
from kiosk.ui.entrance.secret import Secret
from kiosk.ui.it.health import scrolling
from kiosk.ui.parts.cells import (
    Button,
    Card,
    Chip,
    Line,
    Look,
    NoticePanel,
    across,
    clear,
    column,
    row,
)
from kiosk.ui.parts.frame import DeskScreen
from kiosk.ui.parts.text import moment, safe

NEW = -1


class PeopleScreen(DeskScreen):
    """Left the people, right the one that was chosen and the change in the making, which stays
    when the minute turns."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._snapshot: PeopleSnapshot | None = None
        self._chosen = 0
        self._job = ""  # pin, password, badge
        area, self._list = scrolling(look, look.words("title.people"))
        self._above = column(spacing=look.theme.px("gap"))
        self.body.addLayout(self._above)
        both = row(spacing=look.theme.px("pad"))
        both.addWidget(area, 3)
        self._card = Card(look)
        self._card.setFixedWidth(look.theme.px(110))
        both.addWidget(self._card)
        self.body.addLayout(both, 1)

    def draw_desk(self, snapshot: PeopleSnapshot) -> None:
        old, self._snapshot = self._snapshot, snapshot
        self.head(self.look.words("title.people"), snapshot.header)
        if old is not None and (old.rows, old.notices) == (snapshot.rows, snapshot.notices):
            return
        clear(self._above)
        for notice in snapshot.notices:
            self._above.addWidget(NoticePanel(self.look, notice))
        if old is not None and self._chosen == NEW and len(snapshot.rows) > len(old.rows):
            known = {each.person for each in old.rows}
            self._chosen = next(r.person for r in snapshot.rows if r.person not in known)
        self._job = ""
        self._draw_list()
        self._draw_card()

    # -- the people ------------------------------------------------------------------------

    def _draw_list(self) -> None:
        assert self._snapshot is not None
        clear(self._list)
        for person in self._snapshot.rows:
            self._list.addWidget(self._line(person))
        self._list.addStretch(1)
        clear(self._foot)
        add = Button(
            self.look, self.look.words("button.add-person"), lambda: self.choose(NEW), icon="person"
        )
        self.foot(add)

    def _line(self, person: PersonRow) -> Button:
        look, words = self.look, self.look.words
        button = Button(look, "", lambda: self.choose(person.person), "card")
        button.setCheckable(True)
        button.setChecked(person.person == self._chosen)
        inside = column(button, spacing=look.theme.px("gap", 0.3))
        pad = look.theme.px("pad", 0.6)
        inside.setContentsMargins(pad, pad, pad, pad)
        first = row(spacing=look.theme.px("gap"))
        first.addWidget(Line(safe(person.name, 40), "strong", elide=True), 1)
        first.addWidget(self._standing(person))
        inside.addLayout(first)
        ways = [w for w in ("badge", "pin", "password") if getattr(person, w)]
        ways += ["directory"] * (person.origin == "directory")
        here = moment(person.last_at, words.language) if person.last_at else ""
        last = words("label.last-sign-in", t=here) if here else words("label.never-here")
        role = words(f"role.{person.role.value}")
        texts = (
            role,
            safe(person.full_name, 40),
            " + ".join(words(f"person.{w}") for w in ways),
            last,
        )
        inside.addWidget(Line("  ·  ".join(t for t in texts if t), "small", elide=True))
        button.setAccessibleName(f"{safe(person.name, 40)}, {role}")
        return button

    def _standing(self, person: PersonRow) -> Chip:
        words = self.look.words
        way_in = person.password or (person.pin and person.badge) or person.origin != "local"
        if person.locked_until:
            until = moment(person.locked_until, words.language)
            return Chip(self.look, Mood.CARE, words("label.locked-until", t=until), "lock")
        if person.state == "locked":
            return Chip(self.look, Mood.STOP, words("person.locked"), "lock")
        mood, word = (Mood.GOOD, "active") if way_in else (Mood.NOTE, "no-way-in")
        return Chip(self.look, mood, words(f"person.{word}"))

    def choose(self, person: int) -> None:
        self._chosen, self._job = person, ""
        self._draw_list()
        self._draw_card()

    # -- the one that was chosen -----------------------------------------------------------

    def _person(self) -> PersonRow | None:
        rows = self._snapshot.rows if self._snapshot else ()
        return next((r for r in rows if r.person == self._chosen), None)

    def _draw_card(self) -> None:
        words, card, person = self.look.words, self._card, self._person()
        clear(card.inside)
        if person is None and self._chosen != NEW:
            card.add(Line.wrapped(words("label.people-how"), "muted"))
        elif person is None:
            self._draw_new()
        elif self._job == "badge":
            self._draw_badge(person)
        elif self._job:
            self._draw_secret(person)
        else:
            self._draw_person(person)
        card.inside.addStretch(1)
        self.read_in_order(self._card, self.footer)

    def _draw_new(self) -> None:
        words = self.look.words
        self._card.add(Line(words("title.new-person"), "large"))
        name, full = self._field("label.user-name"), self._field("label.full-name")
        role, why = self._roles(Role.FRONT_DESK), self._field("label.why-access")
        for each in (name, full, role, why):
            self._card.add(each)
        self._save(
            lambda: bool(name.text().strip() and why.text().strip()),
            lambda: self.ask(
                "add-person",
                name=name.text(),
                role=Role(role.currentData()),
                full_name=full.text(),
                reason=why.text(),
            ),
            name,
            why,
        )

    def _draw_person(self, person: PersonRow) -> None:
        words, card = self.look.words, self._card
        card.add(Line(safe(person.name, 40), "large", elide=True))
        jobs = ["badge"] if person.origin != "local" else ["badge", "pin", "password"]
        labels = {"badge": "give-badge", "pin": "new-pin", "password": "new-password"}
        for job in jobs:
            card.add(Button(self.look, words(f"button.{labels[job]}"), lambda j=job: self._do(j)))
        role, why = self._roles(person.role), self._field("label.why-access")
        card.add(role)
        card.add(why)
        locked = person.state == "locked" or bool(person.locked_until)
        standing = "active" if locked else "locked"
        changes: list[tuple[str, str, dict[str, Any]]] = [
            ("unlock-person" if locked else "lock-person", "set-standing", {"standing": standing}),
            ("remove-person", "set-standing", {"standing": "removed"}),
        ]
        if person.badge:
            changes.append(("take-badge", "set-badge", {"number": ""}))
        buttons = [self._change(person, why, *change) for change in changes]
        card.add(across(self.look, *buttons[:2], None))
        for button in buttons[2:]:
            card.add(button)
        self._save(
            lambda: bool(why.text().strip()) and role.currentData() != person.role.value,
            lambda: self._asked(person, why, "set-role", role=Role(role.currentData())),
            why,
            role,
        )

    def _change(
        self, person: PersonRow, why: QLineEdit, label: str, command: str, needs: dict[str, Any]
    ) -> Button:
        text = self.look.words(f"button.{label}")
        button = Button(self.look, text, lambda: self._asked(person, why, command, **needs))
        button.setEnabled(False)
        why.textChanged.connect(lambda text: button.setEnabled(bool(text.strip())))
        return button

    def _asked(self, person: PersonRow, why: QLineEdit, command: str, **needs: Any) -> None:
        self.ask(command, person=person.person, reason=why.text(), **needs)

    def _do(self, job: str) -> None:
        self._job = job
        self._draw_card()

    def _draw_badge(self, person: PersonRow) -> None:
        words = self.look.words
        self._card.add(Line(words("button.give-badge"), "large"))
        self._card.add(Line.wrapped(words("label.scan-for", who=person.name), "lead"))
        self._why = self._field("label.why-access")
        self._card.add(self._why)
        self._card.add(Button(self.look, words("button.back"), lambda: self._do(""), icon="back"))
        self._why.setFocus()

    def scanned(self, number: str) -> None:
        """The badge of whoever was chosen; elsewhere on this screen a scan means nothing."""
        for field in self.findChildren(QLineEdit):
            if field.text().endswith(number):
                field.setText(field.text().removesuffix(number))
        person = self._person()
        if person is not None and self._job == "badge":
            self._asked(person, self._why, "set-badge", number=number)

    def _draw_secret(self, person: PersonRow) -> None:
        words = self.look.words
        self._card.add(Line(words(f"button.new-{self._job}"), "large"))
        self._card.add(Line(safe(person.name, 40), "strong", elide=True))
        first = Secret(self.look, words(f"label.{self._job}"))
        again = Secret(self.look, words("label.once-more"))
        alike = Line.wrapped(words("label.not-alike"), "small", "care")
        why = self._field("label.why-access")
        for each in (first, again, alike, why):
            self._card.add(each)
        alike.setVisible(False)

        def save() -> None:
            if not first.same_as(again):
                again.clear()
                alike.setVisible(True)
                return
            again.clear()
            self._asked(person, why, "set-secret", kind=self._job, secret=first.take())
            self._do("")

        def ready() -> bool:
            return first.count > 0 and again.count >= first.count and bool(why.text().strip())

        self._save(ready, save, first, again, why)
        self._card.add(Button(self.look, words("button.back"), lambda: self._do(""), icon="back"))
        first.setFocus()

    # -- its parts -------------------------------------------------------------------------

    def _field(self, label: str) -> QLineEdit:
        field = QLineEdit()
        field.setMaxLength(200)
        field.setPlaceholderText(self.look.words(label))
        field.setAccessibleName(self.look.words(label))
        return field

    def _roles(self, chosen: Role) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(self.look.words("label.role"))
        for role in Role:
            box.addItem(self.look.words(f"role.{role.value}"), role.value)
        box.setCurrentIndex(list(Role).index(chosen))
        return box

    def _save(self, ready: Callable[[], bool], do: Callable[[], None], *fields: Any) -> None:
        save = Button(self.look, self.look.words("button.save"), do, "main")
        save.setEnabled(False)
        for field in fields:
            signal = (
                field.changed
                if isinstance(field, Secret)
                else field.currentIndexChanged
                if isinstance(field, QComboBox)
                else field.textChanged
            )
            signal.connect(lambda *_: save.setEnabled(ready()))
        self._card.add(save)

    def keyPressEvent(self, event: Any) -> None:
        if event.key() == Qt.Key.Key_Escape and self._job:
            self._do("")
        else:
            super().keyPressEvent(event)
