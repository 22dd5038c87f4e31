"""K6 ticks what the policy suggests and asks for no more; D3 shows, marks, and asks for frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from kiosk.model.relevance.choice import Standing
from kiosk.model.relevance.picture import Picture, PictureKind
from kiosk.ui.touch.choosing import ChooseScreen
from kiosk.ui.triage import ViewScreen
from kiosk.ui.triage.canvas import Canvas
from kiosk.ui.triage.drawing import image_of
from tests.ui import samples, triage_samples
from tests.ui.conftest import Opened, look, settle


def asked_of(screen: Any) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    screen.asked.connect(lambda command, needs: found.append((command, needs)))
    return found


def test_what_the_policy_suggests_is_ticked_and_sent_by_one_press(opened: Opened) -> None:
    screen = opened(samples.touch("K6-choose"))
    assert isinstance(screen, ChooseScreen)
    found = asked_of(screen)
    assert screen.main is not None
    assert screen.main.text().strip() == "Send 3 studies (416 images)"
    screen.main.click()
    assert found == [("choose", {"intake": 7, "ticked": (1, 2, 5)})]


def test_select_all_ticks_no_copy_that_the_archive_has(opened: Opened, qtbot: QtBot) -> None:
    screen = opened(samples.touch("K6-choose"))
    assert isinstance(screen, ChooseScreen)
    screen._all()
    assert [each.study for each in screen.ticked()] == [1, 2, 3, 5]


def test_of_two_people_nothing_is_ticked_and_enter_leaves_nothing_out(
    opened: Opened, qtbot: QtBot
) -> None:
    screen = opened(samples.touch("K6-two-people"))
    assert isinstance(screen, ChooseScreen)
    found = asked_of(screen)
    assert screen.ticked() == ()
    assert screen.main is None
    qtbot.keyClick(screen, Qt.Key.Key_Return)
    assert found == []


def test_every_file_is_accounted_for_on_one_sheet(opened: Opened) -> None:
    screen = opened(samples.touch("K6-choose"))
    assert isinstance(screen, ChooseScreen)
    screen._turn_sheet()
    settle()
    names = {widget.accessibleName() for widget in screen.findChildren(QWidget)}
    assert {"952 files = 952 accounted for", "Viewer program", "21"} <= names


def marked(image: QImage) -> int:
    """Bright pixels in the middle of the lowest strip, where the watermark stands."""
    low = image.height() - 24
    return sum(
        image.pixelColor(x, y).lightness() > 200
        for y in range(low, image.height())
        for x in range(image.width() // 4, 3 * image.width() // 4)
    )


@pytest.mark.parametrize(
    "picture",
    [
        triage_samples.GREY,
        triage_samples.COLOUR,
        triage_samples.WAVE,
        triage_samples.REPORT,
        triage_samples.DAMAGED,
        replace(triage_samples.GREY, inverse=True, windows=()),
        Picture(PictureKind.GREY, width=9, height=9, data=b"no picture"),
        None,
    ],
)
def test_every_grab_of_the_viewer_says_not_for_diagnosis(
    picture: Picture | None, qtbot: QtBot
) -> None:
    """Whatever is shown, white or black, zoomed or whole, or nothing at all."""
    canvas = Canvas(look("desk"))
    qtbot.addWidget(canvas)
    canvas.resize(600, 480)
    canvas.show_picture(picture, "1 of 1")
    canvas.zoom(8)
    assert marked(canvas.grab().toImage()) > 100


def test_a_window_is_put_over_the_stored_values() -> None:
    """Below it black, above it white; the sender's first one until another is chosen."""
    shown = image_of(triage_samples.GREY)
    assert shown is not None
    middle = shown.pixelColor(triage_samples.SIDE // 2, triage_samples.SIDE // 2)
    assert middle.lightness() == 255
    assert image_of(replace(triage_samples.GREY, data=b"short")) is None


def test_the_viewer_goes_through_presets_and_back(qtbot: QtBot) -> None:
    canvas = Canvas(look("desk"))
    qtbot.addWidget(canvas)
    canvas.show_picture(triage_samples.GREY, "1 of 1")
    names = []
    for _ in range(3):
        assert canvas.window_now is not None
        names.append(canvas.window_now.name)
        qtbot.keyClick(canvas, Qt.Key.Key_W)
    assert names == ["SOFT", "full", "SOFT"]
    canvas.shift_window(0.5, 1.0)
    assert canvas.window_now is not None
    assert (canvas.window_now.center, canvas.window_now.width) == (2000.0, 6000.0)
    qtbot.keyClick(canvas, Qt.Key.Key_0)
    assert canvas.window_now.name == "full"


def test_frames_are_asked_for_ahead_and_shown_when_they_come(opened: Opened) -> None:
    """Never more than 32 at once; the place says which one it is."""
    screen = opened(samples.HIM["D3-view"], size=(1600, 960))
    assert isinstance(screen, ViewScreen)
    found = asked_of(screen)
    screen.go(100)
    assert found[-1] == ("look", {"study": 1, "series": 11, "first": 100, "count": 32})
    frames = tuple(replace(triage_samples.GREY, position=n) for n in range(100, 132))
    screen.receive(11, frames)
    assert screen.canvas.picture == frames[0]
    assert screen.canvas.place == "101 of 412"
    before = len(found)
    screen.step(1)
    assert len(found) == before
    assert screen.canvas.picture == frames[1]
    screen.receive(99, (replace(triage_samples.GREY, position=101),))
    assert screen.canvas.picture is frames[1]


def test_a_reason_is_needed_for_all_but_letting_it_go(opened: Opened) -> None:
    screen = opened(samples.HIM["D3-view"], size=(1600, 960))
    assert isinstance(screen, ViewScreen)
    panel, found = screen.deciding, asked_of(screen)
    assert panel.accept is not None
    assert panel.accept.isEnabled()
    assert panel.hold is not None
    assert not panel.hold.isEnabled()
    panel.reason.setText("ask the sender")
    assert panel.hold.isEnabled()
    panel.hold.click()
    assert found == [("hold", {"study": 1, "reason": "ask the sender"})]


def test_what_was_left_out_can_be_brought_in_after_all(opened: Opened) -> None:
    snapshot = samples.HIM["D3-view"]
    left = replace(snapshot, row=replace(snapshot.row, standing=Standing.LEFT))  # type: ignore[type-var]
    screen = opened(left, size=(1600, 960))
    assert isinstance(screen, ViewScreen)
    assert screen.deciding.accept is None
    assert screen.deciding.want is not None
    QApplication.processEvents()
    assert screen.deciding.want.isVisible()
