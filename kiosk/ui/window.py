"""The windows: the touch desk is one screen at a time, the others have a rail on the left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QStackedWidget, QWidget

from kiosk.desk.snapshots import (
    CompareSnapshot,
    DeliveriesSnapshot,
    HealthSnapshot,
    Idle,
    Message,
    Mood,
    Notice,
    TouchSnapshot,
    WorklistSnapshot,
    say,
)
from kiosk.ui.him import CompareScreen, WorklistScreen
from kiosk.ui.it import DeliveriesScreen, HealthScreen
from kiosk.ui.mask import IDLE_SECONDS, Mask, Watch
from kiosk.ui.parts.cells import Button, Look, NoticePanel, column, row
from kiosk.ui.parts.frame import Screen
from kiosk.ui.parts.messages import Words
from kiosk.ui.parts.theme import Theme
from kiosk.ui.parts.tokens import PALETTES
from kiosk.ui.threads import Guarded, Hands, Query, Reader
from kiosk.ui.touch import SCREENS

DESK_SCREENS: dict[type, type[Screen]] = {
    WorklistSnapshot: WorklistScreen,
    CompareSnapshot: CompareScreen,
    HealthSnapshot: HealthScreen,
    DeliveriesSnapshot: DeliveriesScreen,
}
SAID_FOR_MS = 8000


def kind_of(snapshot: Any) -> type:
    """What decides which screen draws it: the touch desk's body, else the snapshot itself."""
    return type(snapshot.body) if isinstance(snapshot, TouchSnapshot) else type(snapshot)


class Window(QWidget):
    """Shows what the reader brings and passes on what people press. `local` are the commands that
    need no desk: another screen, another language."""

    broke = Signal(str)

    def __init__(self, desk: Guarded, look: Look, query: Query) -> None:
        super().__init__()
        self.look = look
        self.reader = Reader(desk, query)
        self.hands = Hands(desk)
        self.snapshot: Any = None
        self.screens: dict[type, Screen] = {}
        self.stack = QStackedWidget()
        self.local: dict[str, Callable[..., None]] = {
            "language": self._speak,
            "theme": self._next_palette,
        }
        self.setWindowTitle("Kiosk")
        self.setProperty("role", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._said: NoticePanel | None = None
        self._mask: Mask | None = None
        self._watch = Watch(self, IDLE_SECONDS[look.theme.density])
        self._watch.still.connect(self.cover)
        self._hush = QTimer(self)
        self._hush.setSingleShot(True)
        self._hush.timeout.connect(self.unsay)
        self.reader.fresh.connect(self.present)
        self.reader.refused.connect(self.say)
        self.hands.done.connect(self._done)
        self.broke.connect(self._broken)

    def start(self) -> None:
        self.reader.start()
        self.hands.start()

    def screen_for(self, kind: type) -> type[Screen]:
        raise NotImplementedError

    def present(self, snapshot: Any) -> None:
        """The snapshot on its screen, which is made when it is first needed."""
        self.snapshot = snapshot
        kind = kind_of(snapshot)
        if kind is Idle:
            self.uncover()
        if kind not in self.screens:
            screen = self.screen_for(kind)(self.look)
            screen.asked.connect(self.ask)
            self.screens[kind] = screen
            self.stack.addWidget(screen)
        screen = self.screens[kind]
        changed = self.stack.currentWidget() is not screen
        self.stack.setCurrentWidget(screen)
        screen.present(snapshot)
        if changed:
            self.unsay()
            screen.greet()
            self.left(kind)

    def left(self, kind: type) -> None:
        """Hook for when another kind of screen than before has come up."""

    def forget(self, kinds: tuple[type, ...]) -> None:
        """The screens of these kinds are gone, with everything that is written on them."""
        for kind in kinds:
            screen = self.screens.pop(kind)
            self.stack.removeWidget(screen)
            screen.setParent(None)
            screen.deleteLater()

    def cover(self) -> None:
        """K10: nothing of the screen can be seen or read out until somebody says yes."""
        if self._mask is not None or self.snapshot is None or kind_of(self.snapshot) is Idle:
            return
        self._mask = Mask(self.look)
        self._mask.lifted.connect(self.uncover)
        self.stack.hide()
        self.layout().addWidget(self._mask)
        self._mask.show()
        self._mask.yes.setFocus()

    def uncover(self) -> None:
        if self._mask is not None:
            self.layout().removeWidget(self._mask)
            self._mask.hide()
            self._mask.deleteLater()
            self._mask = None
            self.stack.show()

    def ask(self, command: str, needs: dict[str, Any]) -> None:
        if command in self.local:
            self.local[command](**needs)
        else:
            self.hands.do(command.replace("-", "_"), **needs)

    def _done(self, command: str, refusal: Message | None) -> None:
        if refusal is not None:
            self.say(refusal)
        else:
            self.answered(command)
        self.reader.now()

    def answered(self, command: str) -> None:
        """Hook for what follows a command that was done."""

    def say(self, message: Message) -> None:
        """A refusal, over the screen until the next step or for a while."""
        self.unsay()
        self._said = NoticePanel(self.look, Notice(Mood.CARE, message), "strong")
        self._said.setParent(self)
        self._said.setStyleSheet(self.look.theme.style())
        self._place_said()
        self._said.show()
        self._said.raise_()
        self._hush.start(SAID_FOR_MS)

    def unsay(self) -> None:
        if self._said is not None:
            self._said.hide()
            self._said.deleteLater()
            self._said = None

    def _broken(self, place: str) -> None:
        self.say(say("KX-599", id=place))
        end = QTimer(self)
        end.setSingleShot(True)
        end.timeout.connect(lambda: QCoreApplication.exit(1))
        end.start(SAID_FOR_MS)

    def _place_said(self) -> None:
        if self._said is not None:
            wide = min(self.width() - 40, self.look.theme.px(240))
            tall = max(self._said.heightForWidth(wide), self._said.sizeHint().height())
            self._said.setGeometry((self.width() - wide) // 2, self.height() // 12, wide, tall)

    def _speak(self, code: str) -> None:
        self._renew(Look(self.look.theme, Words(code)))

    def _next_palette(self) -> None:
        names = list(PALETTES)
        theme = self.look.theme
        after = names[(names.index(theme.palette) + 1) % len(names)]
        self._renew(Look(Theme(after, theme.density, theme.dots_per_mm), self.look.words))

    def _renew(self, look: Look) -> None:
        """Every screen is made anew in another language or palette."""
        self.look = look
        self.forget(tuple(self.screens))
        self.setStyleSheet(look.theme.style())
        if self.snapshot is not None:
            self.present(self.snapshot)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_F9:
            self._next_palette()
        elif event.key() == Qt.Key.Key_F8:
            self.cover()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.reader.stop()
        self.hands.stop()
        super().closeEvent(event)


class TouchWindow(Window):
    def __init__(self, desk: Guarded, look: Look) -> None:
        super().__init__(desk, look, lambda d: d.touch())
        self.local |= {"find": self._find, "show-touch": self._follow}
        layout = column(self)
        layout.addWidget(self.stack)
        self.setStyleSheet(look.theme.style())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """F4 takes the disc out as soon as it is copied, like the button."""
        body = getattr(self.snapshot, "body", None)
        drive = getattr(body, "drive", "")
        if event.key() == Qt.Key.Key_F4 and drive and getattr(body, "copied", True):
            self.ask("eject", {"drive": drive})
        else:
            super().keyPressEvent(event)

    def left(self, kind: type) -> None:
        """A hidden screen would still hold the last patient's name."""
        self.forget(tuple(other for other in self.screens if other is not kind))

    def _find(self, intake: int, text: str) -> None:
        self.reader.open(lambda d: d.find(intake, text))

    def _follow(self) -> None:
        self.reader.open(lambda d: d.touch())

    def answered(self, command: str) -> None:
        if command == "pick":
            self._follow()

    def screen_for(self, kind: type) -> type[Screen]:
        return SCREENS[kind]


QUERIES: dict[str, Query] = {
    "worklist": lambda d: d.worklist(),
    "deliveries": lambda d: d.deliveries(),
    "health": lambda d: d.health(),
}
LEAVES = frozenset({"resolve", "recall", "propose_recall", "keep_sent"})  # back to the worklist
RAIL_ICONS = {"worklist": "list", "deliveries": "send", "health": "health"}
RAILS = {"him": ("worklist",), "it": ("health", "deliveries")}


class DeskWindow(Window):
    """HIM and IT: the rail says where one is, the screen is opened by its query."""

    def __init__(self, desk: Guarded, look: Look, which: str) -> None:
        places = RAILS[which]
        super().__init__(desk, look, QUERIES[places[0]])
        self.local |= {"open-case": self._open_case, "show-worklist": self._worklist}
        self._places = places
        self._buttons: dict[str, Button] = {}
        layout = row(self)
        if len(places) > 1:
            layout.addWidget(self._rail())
        layout.addWidget(self.stack, 1)
        self.setStyleSheet(look.theme.style())
        if places[0] == "health":
            self.hands.do("check")

    def _rail(self) -> QFrame:
        theme, rail = self.look.theme, QFrame()
        rail.setProperty("role", "rail")
        layout = column(rail, spacing=theme.px("gap"))
        pad = theme.px("pad", 0.8)
        layout.setContentsMargins(pad, pad, pad, pad)
        for place in self._places:
            text = self.look.words(f"rail.{place}")
            button = Button(self.look, text, lambda p=place: self.go(p), "rail", RAIL_ICONS[place])
            button.setCheckable(True)
            button.setChecked(place == self._places[0])
            self._buttons[place] = button
            layout.addWidget(button)
        layout.addStretch(1)
        return rail

    def go(self, place: str) -> None:
        for name, button in self._buttons.items():
            button.setChecked(name == place)
        self.reader.open(QUERIES[place])

    def _open_case(self, case: int) -> None:
        self.hands.do("assign", case=case)
        self.reader.open(lambda d: d.compare(case))

    def _worklist(self) -> None:
        self.go("worklist")

    def answered(self, command: str) -> None:
        if command in LEAVES:
            self._worklist()

    def screen_for(self, kind: type) -> type[Screen]:
        return DESK_SCREENS[kind]
