"""Whatever can be pressed on a screen is a command that the desk takes, with just what it needs."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from kiosk.desk import Desk
from kiosk.ui.him import CompareScreen
from tests.ui.conftest import Opened
from tests.ui.test_pictures import SNAPSHOTS

# What the window does itself (its `local` commands): another screen, language or palette.
WINDOWS = {"find", "show-touch", "language", "theme", "open-case", "show-worklist", "start"}
WINDOWS |= {"open-study", "show-triage", "show-reports", "look"}


def pressed(screen: Any) -> list[tuple[str, dict[str, Any]]]:
    """What every button asks for, pressed one after the other."""
    asked: list[tuple[str, dict[str, Any]]] = []
    screen.asked.connect(lambda command, needs: asked.append((command, needs)))
    for button in screen.findChildren(QPushButton):
        if isValid(button) and button.isEnabled() and button.isVisibleTo(screen):
            button.click()
    return asked


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_every_button_asks_for_what_the_desk_can_do(
    name: str, opened: Opened, qtbot: QtBot
) -> None:
    screen = opened(SNAPSHOTS[name], "light")
    if isinstance(screen, CompareScreen):
        screen.recall.reason.setCurrentIndex(1)
    for command, needs in pressed(screen):
        if command not in WINDOWS:
            method = getattr(Desk, command.replace("-", "_"))
            inspect.signature(method).bind(None, **needs)  # TypeError where it does not fit
