"""What a screen reader finds on each screen: role, name and state, kept as text beside the test.

A change is reviewed like code: write them anew with `KIOSK_WRITE_TREES=1`, look at the diff.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QAccessible, QAccessibleInterface

from tests.ui.conftest import Opened
from tests.ui.test_pictures import SNAPSHOTS

TREES = Path(__file__).parent / "trees"
SCREENS = (
    "K1-idle",
    "K2-name",
    "K2-pin",
    "A3-people",
    "K3-found",
    "K5-reading",
    "K6-choose",
    "K6-two-people",
    "K7-small",
    "K7-different",
    "K8-him",
    "K9-checked",
    "K14-unsafe",
    "D1-worklist",
    "D2-compare",
    "D3-queue",
    "D3-view",
    "A1-health",
    "D4-deliveries",
)
SAID = {
    QAccessible.Role.StaticText,
    QAccessible.Role.Button,
    QAccessible.Role.CheckBox,
    QAccessible.Role.EditableText,
    QAccessible.Role.ComboBox,
    QAccessible.Role.ProgressBar,
    QAccessible.Role.Table,
    QAccessible.Role.Cell,
    QAccessible.Role.ColumnHeader,
}


def lines(found: QAccessibleInterface, depth: int = 0) -> Iterator[str]:
    """What is said, in the order in which it is read."""
    state = found.state()
    if state.invisible:
        return
    name = found.text(QAccessible.Text.Name).strip()
    if found.role() in SAID and name:
        states = [n for n in ("disabled", "checked") if getattr(state, n)]
        if state.focusable and found.role() is QAccessible.Role.StaticText:
            states.append("focusable")
        yield f"{found.role().name}: {name}{' (' + ', '.join(states) + ')' if states else ''}"
    for number in range(found.childCount()):
        child = found.child(number)
        if child is not None:
            yield from lines(child, depth + 1)


@pytest.mark.parametrize("name", SCREENS)
def test_a_reader_finds_the_screen_as_it_was_reviewed(name: str, opened: Opened) -> None:
    """Roles, names, states, in reading order."""
    screen = opened(SNAPSHOTS[name], size=(1280, 1024))
    tree = "\n".join(lines(QAccessible.queryAccessibleInterface(screen))) + "\n"
    kept = TREES / f"{name}.txt"
    if os.environ.get("KIOSK_WRITE_TREES"):
        TREES.mkdir(exist_ok=True)
        kept.write_text(tree, encoding="utf-8")
    assert tree == kept.read_text(encoding="utf-8")
