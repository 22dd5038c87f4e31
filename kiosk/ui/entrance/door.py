"""Who is at the window: in by K2, out by a button, locked after K10; and what is kept meanwhile."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject

from kiosk.desk.snapshots import Idle, Message, SignIn
from kiosk.ui.entrance.wedge import Wedge
from kiosk.ui.threads import Query

LOCK_SECONDS = 20


def entrance(desk: Any) -> object:
    return desk.entrance()


class Door(QObject):
    """Belongs to a window. `home` is the first screen of whoever signs in."""

    def __init__(self, window: Any, home: Query) -> None:
        super().__init__(window)
        self._window, self._home = window, home
        self._tell: Message | None = None  # what K2 says when it comes up
        self._kept: Query | None = None  # where the one went on who locked the screen
        self._wedge = Wedge(window, self._wants_badge)
        self._wedge.scanned.connect(self._scanned)
        window.local |= {"start": self.open}

    @property
    def signed_in(self) -> bool:
        header = getattr(self._window.snapshot, "header", None)
        return header is not None and header.signs_in and header.role is not None

    @property
    def lock_seconds(self) -> int:
        """0 where nobody signs in, so nobody could unlock it."""
        return LOCK_SECONDS if self.signed_in else 0

    def open(self) -> None:
        self._window.reader.open(entrance)

    def covers(self) -> bool:
        """Whether there is something to hide now that nobody has touched anything. K1 shows
        nobody's name, and its operator has gone; K2 forgets what was begun."""
        kind = self._kind()
        if kind is Idle and self.signed_in:
            self._window.hands.do("sign_out")
        if kind is SignIn:
            self._window.screens[SignIn].empty()
            self._window.hands.do("back")
        return kind not in (Idle, SignIn)

    def lock(self) -> None:
        """Nothing of the screens stays in the window; the step does."""
        self._kept = self._window.reader.query
        self._window.forget(tuple(self._window.screens))
        self._window.hands.do("lock")

    def came(self, kind: type) -> None:
        """Another kind of screen than before: K2 has no others behind it, and leaves nothing."""
        screens = self._window.screens
        if kind is SignIn:
            self._window.forget(tuple(other for other in screens if other is not SignIn))
            if self._tell is not None:
                self._window.say(self._tell)
            self._tell = None
        elif SignIn in screens:
            self._window.forget((SignIn,))

    def done(self, command: str, refused: bool) -> None:
        """What follows a command about who is here."""
        reader = self._window.reader
        if command == "badge" or (command in ("back", "lock") and not refused):
            reader.open(entrance)
        elif command in ("sign_in", "emergency") and not refused:
            reader.open(self._kept or self._home)
            self._kept = None
        elif command == "sign_out":
            self._kept = None
            reader.open(self._home)

    def refused(self, message: Message) -> None:
        """The reader was: who was signed in is not any more, or may not see this."""
        self._window.say(message)
        reader = self._window.reader
        if message.id == "KX-409":
            self._tell = message
            reader.open(entrance)
        elif message.id == "KX-410" and reader.query is not self._home:
            reader.open(self._home)
        elif message.id == "KX-410":
            self._window.hands.do("sign_out")

    def _kind(self) -> type:
        snapshot = self._window.snapshot
        return type(getattr(snapshot, "body", snapshot))

    def _wants_badge(self) -> bool:
        screen = self._window.stack.currentWidget()
        kept_out = self._kind() is Idle and self.signed_in
        return hasattr(screen, "scanned") and screen.isVisible() and not kept_out

    def _scanned(self, number: str) -> None:
        self._window.stack.currentWidget().scanned(number)
