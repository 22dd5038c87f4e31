"""Every screen can be opened from a hand-made snapshot, and is kept as a picture to be looked at.

`build/screens/index.html` is the contact sheet; the README's pictures come from here too.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from kiosk.ui.him import CompareScreen
from kiosk.ui.touch.find import FindScreen
from tests.ui import samples
from tests.ui.conftest import Opened, settle

FOLDER = Path(__file__).resolve().parents[2] / "build" / "screens"
PALETTES = ("light", "dark", "contrast")
TOUCH_SIZES = ((1280, 1024), (1024, 768))
DESK_SIZES = ((1920, 1080), (1280, 1024))
SNAPSHOTS: dict[str, Any] = {
    **{name: samples.touch(name) for name in samples.TOUCH},
    **samples.HIM,
    **samples.IT,
}


def sizes_of(name: str, palette: str) -> tuple[tuple[int, int], ...]:
    """The light palette at both sizes of its desk, the others, which move nothing, at one."""
    both = TOUCH_SIZES if name in samples.TOUCH else DESK_SIZES
    return both if palette == "light" else both[:1]


def name_of(screen: str, palette: str, size: tuple[int, int]) -> str:
    return f"{screen}.{palette}.{size[0]}x{size[1]}.png"


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("name", SNAPSHOTS)
def test_every_state_opens_from_its_snapshot_and_is_photographed(
    name: str, palette: str, opened: Opened, qtbot: QtBot
) -> None:
    """Each state of each screen draws in each palette and at each size, without an engine."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for size in sizes_of(name, palette):
        screen = opened(SNAPSHOTS[name], palette, size=size)
        if isinstance(screen, CompareScreen) and screen.decision.chosen == "":
            screen.decision.choose("1")
        if isinstance(screen, FindScreen) and SNAPSHOTS[name].body.patients:
            screen.choose(0)
        settle()
        picture = screen.grab()
        assert (picture.width(), picture.height()) == size
        assert picture.save(str(FOLDER / name_of(name, palette, size)))
        screen.close()


def test_the_contact_sheet_shows_every_picture() -> None:
    """One page with all pictures, for a person to look at."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = "".join(_row(name) for name in SNAPSHOTS)
    page = f"<!doctype html><meta charset=utf-8><title>Screens</title>{STYLE}<h1>Screens</h1>{rows}"
    (FOLDER / "index.html").write_text(page, encoding="utf-8")
    assert page.count("<img") == len(SNAPSHOTS) * 4


STYLE = (
    "<style>body{font-family:sans-serif;margin:2em;background:#eef2f5}"
    "img{width:23%;margin:.5%;border:1px solid #99a}h2{margin:1em 0 .2em}</style>"
)


def _row(name: str) -> str:
    files = [name_of(name, p, size) for p in PALETTES for size in sizes_of(name, p)]
    pictures = "".join(f'<a href="{f}"><img loading="lazy" src="{f}" alt="{f}"></a>' for f in files)
    return f"<h2>{html.escape(name)}</h2>{pictures}"
