"""The windows: the touch desk is one screen at a time, the others have a rail on the left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QFrame, QStackedWidget, QWidget

from kiosk.desk.roles import Doing
from kiosk.desk.snapshots import (
    CompareSnapshot,
    DeliveriesSnapshot,
    Header,
    HealthSnapshot,
    HimFinishes,
    Idle,
    Message,
    Mood,
    Notice,
    PeopleSnapshot,
    Problem,
    ReportsSnapshot,
    Result,
    SignIn,
    TouchSnapshot,
    TriageSnapshot,
    ViewSnapshot,
    WorklistSnapshot,
    say,
)
from kiosk.ui.entrance import Door, SignInScreen
from kiosk.ui.him import CompareScreen, WorklistScreen
from kiosk.ui.it import DeliveriesScreen, HealthScreen, PeopleScreen, ReportsScreen
from kiosk.ui.mask import IDLE_SECONDS, Mask, Watch
from kiosk.ui.parts.cells import Button, Look, NoticePanel, column, row
from kiosk.ui.parts.frame import Screen
from kiosk.ui.parts.messages import Words
from kiosk.ui.parts.theme import Theme
from kiosk.ui.parts.tokens import PALETTES
from kiosk.ui.places import NEEDS, QUERIES, RAIL_ICONS, RAILS, home_of
from kiosk.ui.threads import Guarded, Hands, Query, Reader
from kiosk.ui.touch import SCREENS
from kiosk.ui.triage import Looking, QueueScreen, ViewScreen

DESK_SCREENS: dict[type, type[Screen]] = {
    WorklistSnapshot: WorklistScreen,
    CompareSnapshot: CompareScreen,
    HealthSnapshot: HealthScreen,
    DeliveriesSnapshot: DeliveriesScreen,
    PeopleSnapshot: PeopleScreen,
    ReportsSnapshot: ReportsScreen,
    TriageSnapshot: QueueScreen,
    ViewSnapshot: ViewScreen,
    SignIn: SignInScreen,
}
SAID_FOR_MS = 8000
ENDED = (HimFinishes, Problem, Result)  # a receipt can be had of it


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
        self.door = Door(self, query)
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
        self.reader.refused.connect(self.door.refused)
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
        if kind in (Idle, SignIn):
            self.uncover()
        self.dressed(snapshot.header)
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
            self.door.came(kind)
            self.left(kind)

    def dressed(self, header: Header) -> None:
        """Hook for what stands around the screens: it fits whoever is signed in."""

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
        if self._mask is not None or self.snapshot is None or not self.door.covers():
            return
        self._mask = Mask(self.look, self.door.lock_seconds)
        self._mask.lifted.connect(self.uncover)
        self._mask.ran_out.connect(self.door.lock)
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
        self.door.done(command, refusal is not None)
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
            self.door.lock() if self.door.signed_in else self.cover()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.reader.stop()
        self.hands.stop()
        super().closeEvent(event)


class TouchWindow(Window):
    def __init__(self, desk: Guarded, look: Look) -> None:
        super().__init__(desk, look, lambda d: d.touch())
        self.local |= {"find": self._find, "show-touch": self._follow, "receipt": self._receipt}
        layout = column(self)
        layout.addWidget(self.stack)
        self.setStyleSheet(look.theme.style())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """F4 takes the disc out as soon as it is copied, like the button; Ctrl+P is the receipt."""
        body = getattr(self.snapshot, "body", None)
        drive = getattr(body, "drive", "")
        if event.key() == Qt.Key.Key_F4 and drive and getattr(body, "copied", True):
            self.ask("eject", {"drive": drive})
        elif event.matches(QKeySequence.StandardKey.Print) and isinstance(body, ENDED):
            self.ask("receipt", {"intake": body.intake})
        else:
            super().keyPressEvent(event)

    def left(self, kind: type) -> None:
        """A hidden screen would still hold the last patient's name."""
        self.forget(tuple(other for other in self.screens if other is not kind))

    def _find(self, intake: int, text: str) -> None:
        self.reader.open(lambda d: d.find(intake, text))

    def _receipt(self, intake: int) -> None:
        self.reader.open(lambda d: d.receipt(intake))

    def _follow(self) -> None:
        self.reader.open(lambda d: d.touch())

    def answered(self, command: str) -> None:
        if command in ("pick", "print_receipt"):
            self._follow()

    def screen_for(self, kind: type) -> type[Screen]:
        return SignInScreen if kind is SignIn else SCREENS[kind]


LEAVES = frozenset({"resolve", "recall", "propose_recall", "keep_sent"})  # back to the worklist
TRIAGED = frozenset({"accept", "hold", "discard", "want"})  # back to what waits


class DeskWindow(Window):
    """HIM and IT: the rail says where one is, the screen is opened by its query."""

    def __init__(self, desk: Guarded, look: Look, which: str) -> None:
        places = RAILS[which]
        self._buttons: dict[str, Button] = {}
        super().__init__(desk, look, home_of(places))
        self.local |= {"open-case": self._open_case, "show-worklist": self._worklist}
        self.local |= {"show-reports": self._reports}
        self._looking = Looking(self, desk)
        self._places = places
        layout = row(self)
        self.rail = self._rail()
        layout.addWidget(self.rail)
        layout.addWidget(self.stack, 1)
        self.setStyleSheet(look.theme.style())
        self._looks = places[0] == "health"

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
        self._out = Button(self.look, self.look.words("button.sign-out"), self._sign_out, "rail")
        layout.addWidget(self._out)
        return rail

    def _sign_out(self) -> None:
        self.hands.do("sign_out")

    def dressed(self, header: Header) -> None:
        """The places that this person may go to, and the way out where people sign in."""
        if self._looks and Doing.SEE_HEALTH in header.may:
            self._looks = False
            self.hands.do("check")
        shown = [place for place in self._places if NEEDS[place] in header.may]
        for place, button in self._buttons.items():
            button.setVisible(place in shown)
        self._out.setVisible(header.signs_in)
        leads = len(shown) > 1 or header.signs_in
        self.rail.setVisible(leads and header.role is not None)

    def go(self, place: str) -> None:
        for name, button in self._buttons.items():
            button.setChecked(name == place)
        self.reader.open(QUERIES[place])

    def _open_case(self, case: int) -> None:
        self.hands.do("assign", case=case)
        self.reader.open(lambda d: d.compare(case))

    def _reports(self, by: str, days: int) -> None:
        self.reader.open(lambda d: d.reports(by, days))

    def _worklist(self) -> None:
        self.go("worklist")

    def answered(self, command: str) -> None:
        if command in LEAVES:
            self._worklist()
        elif command in TRIAGED:
            self.go("triage")

    def screen_for(self, kind: type) -> type[Screen]:
        return DESK_SCREENS[kind]
