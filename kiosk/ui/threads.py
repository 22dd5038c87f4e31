"""The only two threads that touch the desk: one reads, one does what people asked for.

The GUI thread never waits: `Reader` polls and emits one signal with the whole snapshot, `Hands`
takes commands and answers with nothing or a refusal in words. The guard makes sure of it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from kiosk.desk import Desk, Refused
from kiosk.desk.snapshots import Message

POLL_SECONDS = 0.25
Query = Callable[[Any], object]


class OnGuiThread(RuntimeError):
    """The desk was called on the thread that draws: every call may wait for a disk or a lock."""


class Guarded:
    """A desk that cannot be called from the thread which made this guard."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._forbidden = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        if threading.get_ident() == self._forbidden:
            raise OnGuiThread(name)
        return getattr(self._desk, name)


class Reader(QObject):
    """Asks the desk's pulse four times a second and reads the open screen's snapshot when it has
    changed, or at once when another screen is opened."""

    fresh = Signal(object)
    refused = Signal(object)

    def __init__(self, desk: Guarded, query: Query) -> None:
        super().__init__()
        self._desk = desk
        self._query = query
        self._again = threading.Event()
        self._stopped = False
        self._asked = True
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def query(self) -> Query:
        """What the open screen asks."""
        return self._query

    def open(self, query: Query) -> None:
        self._query = query
        self.now()

    def now(self) -> None:
        """Read at once: another screen, or a command has changed something."""
        self._asked = True
        self._again.set()

    def stop(self) -> None:
        self._stopped = True
        self._again.set()
        self._thread.join()

    def _run(self) -> None:
        seen: object = None
        while not self._stopped:
            self._again.clear()
            seen = self._read(seen)
            self._again.wait(POLL_SECONDS)

    def _read(self, seen: object) -> object:
        asked, self._asked = self._asked, False
        try:
            pulse = self._desk.pulse()
            if asked or pulse != seen:
                self.fresh.emit(self._query(self._desk))
        except Refused as refusal:
            self.refused.emit(refusal.message)
            return seen
        return pulse


class Hands(QObject):
    """Does one command after the other. `done` carries the command's name and None, or the reason
    why it was refused."""

    done = Signal(str, object)

    def __init__(self, desk: Guarded) -> None:
        super().__init__()
        self._desk = desk
        self._commands: queue.SimpleQueue[tuple[str, dict[str, Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="hands", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def do(self, command: str, **needs: Any) -> None:
        self._commands.put((command, needs))

    def stop(self) -> None:
        """After the commands that are already given."""
        self._commands.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (given := self._commands.get()) is not None:
            command, needs = given
            self.done.emit(command, self._try(command, needs))

    def _try(self, command: str, needs: dict[str, Any]) -> Message | None:
        try:
            getattr(self._desk, command)(**needs)
        except Refused as refusal:
            return refusal.message
        return None
