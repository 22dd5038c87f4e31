"""A look in every palette, and screens by the kind of their snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from kiosk.desk import Desk
from kiosk.desk.snapshots import TouchSnapshot
from kiosk.ui import window_for
from kiosk.ui.parts.cells import Look
from kiosk.ui.parts.frame import Screen
from kiosk.ui.parts.messages import Words
from kiosk.ui.parts.theme import Theme
from kiosk.ui.touch import SCREENS
from kiosk.ui.window import DESK_SCREENS, Window
from tests.desk.conftest import awaiting, world

__all__ = ["awaiting", "world"]

DOTS = {"touch": 3.38, "desk": 3.62}  # a 19 inch 1280 x 1024 touch screen, a 24 inch full HD one

Opened = Callable[..., Screen]


def look(density: str = "touch", palette: str = "light", language: str = "en") -> Look:
    return Look(Theme(palette, density, DOTS[density]), Words(language))


def settle() -> None:
    """Qt shows what was added to a visible window when it next handles its events."""
    QApplication.processEvents()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()


@pytest.fixture
def opened(qtbot: QtBot) -> Opened:
    """`opened(snapshot)`: the snapshot's own screen, shown at a size, ready to be looked at."""

    def open_(
        snapshot: Any,
        palette: str = "light",
        language: str = "en",
        size: tuple[int, int] = (1280, 1024),
    ) -> Screen:
        touch = isinstance(snapshot, TouchSnapshot)
        kinds: dict[type, type[Screen]] = {**DESK_SCREENS, **SCREENS}
        kind = kinds[type(snapshot.body) if touch else type(snapshot)]
        screen = kind(look("touch" if touch else "desk", palette, language))
        qtbot.addWidget(screen)
        screen.resize(*size)
        screen.show()
        screen.present(snapshot)
        screen.greet()
        qtbot.waitExposed(screen)
        settle()
        return screen

    return open_


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[Callable[[Desk, str], Window]]:
    """`window(desk, "touch")`: a running window with its two threads, stopped at the end."""
    running: list[Window] = []

    def open_(desk: Desk, which: str) -> Window:
        made = window_for(desk, which, "en", DOTS["touch" if which == "touch" else "desk"])
        running.append(made)
        made.resize(1280, 1024)
        made.show()
        made.start()
        qtbot.waitUntil(lambda: made.snapshot is not None)
        return made

    yield open_
    for made in running:
        made.close()
        made.deleteLater()
