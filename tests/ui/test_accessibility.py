"""The accessibility lint: names, target sizes, contrast, focus, no clipped text, any screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from kiosk.desk.snapshots import Grade, SamePerson
from kiosk.ui.parts.cells import Button, Line, Marked, Picture
from kiosk.ui.parts.frame import TouchScreen
from kiosk.ui.parts.tokens import PAIRS, PALETTES, contrast
from tests.ui import samples
from tests.ui.conftest import DOTS, Opened, look
from tests.ui.test_pictures import SNAPSHOTS

CONTROLS = (QAbstractButton, QLineEdit, QComboBox, QTableView)
TOUCH_TARGET_MM = 12.0
DESK_TARGET_PX = 24


def controls(screen: QWidget) -> list[QWidget]:
    return [
        w
        for kind in CONTROLS
        for w in screen.findChildren(kind)
        if w.isVisible() and w.metaObject().className() != "QTableCornerButton"
    ]


def problems(screen: QWidget, touch: bool) -> Iterator[str]:
    """What a person with a reader, a large finger or weak eyes would stumble over."""
    smallest = TOUCH_TARGET_MM * DOTS["touch"] if touch else DESK_TARGET_PX
    for control in controls(screen):
        name = control.accessibleName()
        if not name.strip():
            yield f"{type(control).__name__} has no accessible name"
        if min(control.width(), control.height()) < smallest - 1:
            yield f"{name!r} is {control.width()} x {control.height()} px"
        takes_focus = control.focusPolicy() & Qt.FocusPolicy.TabFocus
        by_mouse = control.property("kind") in ("key", "pad")  # their letters are on a keyboard
        if control.isEnabled() and not takes_focus and not by_mouse:
            yield f"{name!r} cannot be reached with Tab"
    for label in screen.findChildren(QLabel):
        plain = label.textFormat() == Qt.TextFormat.PlainText or isinstance(label, Picture)
        if label.isVisible() and not plain:
            yield f"{label.text()!r} is not plain text"


def clipped(screen: QWidget) -> Iterator[str]:
    """Texts that do not fit their widget, or their window, by font metrics. Those that end in an
    ellipsis on purpose say the whole in their accessible name."""
    whole = QRect(0, 0, screen.width(), screen.height())
    for line in screen.findChildren(Line):
        if not line.isVisible() or not line.text():
            continue
        top_left = line.mapTo(screen, line.rect().topLeft())
        scrolls = any(w.metaObject().className() == "QScrollArea" for w in above(line, screen))
        if not scrolls and not whole.contains(QRect(top_left, line.size())):
            yield f"{line.text()!r} is outside of the window"
        if line.wordWrap() and line.heightForWidth(line.width()) > line.height() + 1:
            yield f"{line.text()!r} needs {line.heightForWidth(line.width())}, has {line.height()}"
        elides = line.sizePolicy().horizontalPolicy() == line.sizePolicy().Policy.Ignored
        if not line.wordWrap() and not elides and line.sizeHint().width() > line.width() + 1:
            yield f"{line.text()!r} is wider than its {line.width()} px"
        if line.height() < QFontMetrics(line.font()).height() - 2:
            yield f"{line.text()!r} is only {line.height()} px high"
    for button in screen.findChildren(QPushButton):
        tight = button.isVisible() and button.width() < button.sizeHint().width() - 1
        if tight and button.text() and button.property("kind") not in ("key", "choice"):
            yield f"button {button.text()!r} is narrower than its text"


def above(widget: QWidget, top: QWidget) -> Iterator[QWidget]:
    parent = widget.parentWidget()
    while parent is not None and parent is not top:
        yield parent
        parent = parent.parentWidget()


@pytest.mark.parametrize("language", ["en", "es", "de"])
@pytest.mark.parametrize("name", SNAPSHOTS)
def test_every_control_can_be_found_and_hit_and_every_text_read(
    name: str, language: str, opened: Opened
) -> None:
    """In each language at the smallest size of each desk, where things are tight: names, target
    sizes, Tab order; and by font metrics nothing is clipped."""
    touch = name in samples.TOUCH
    size = (1024, 768) if touch else (1280, 1024)
    screen = opened(SNAPSHOTS[name], language=language, size=size)
    found = [*problems(screen, touch), *clipped(screen)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", ["K1-idle", "K5-reading", "K8-him", "K9-checked", "K14-unsafe"])
def test_no_text_is_clipped_in_the_pseudo_language(name: str, opened: Opened) -> None:
    """40 % longer than English, on a 1280 x 1024 screen."""
    screen = opened(SNAPSHOTS[name], language="en-XA", size=(1280, 1024))
    assert not (found := list(clipped(screen))), "\n".join(found)


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_every_pair_of_colours_has_its_contrast(
    front: str, back: str, least: float, palette: str
) -> None:
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for what one must see to use it."""
    colours = PALETTES[palette]
    assert contrast(colours[front], colours[back]) >= least


def test_the_contrast_is_that_of_the_standard() -> None:
    """Black on white is 21, grey #999 on white is too little for text."""
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#999999", "#FFFFFF") < 3


def test_the_lint_finds_what_is_planted(qtbot: QtBot) -> None:
    """An unnamed button, a small one, rich text, and a sentence in too small a box."""
    screen = QWidget()
    qtbot.addWidget(screen)
    screen.resize(400, 300)
    small = QPushButton("", screen)
    small.setGeometry(0, 0, 22, 22)
    rich = QLabel("<b>DOE</b>", screen)
    rich.setTextFormat(Qt.TextFormat.RichText)
    long = Line.wrapped("Put the disc in, printed side up. Reading starts by itself.")
    long.setParent(screen)
    long.setGeometry(0, 50, 60, 10)
    screen.show()
    qtbot.waitExposed(screen)
    found = "\n".join(problems(screen, touch=True))
    assert "no accessible name" in found
    assert "22 x 22" in found
    assert "not plain text" in found
    assert list(clipped(screen))


@pytest.mark.parametrize("name", [n for n in samples.TOUCH if n.startswith("K7")])
def test_enter_does_nothing_on_amber_and_red(name: str, opened: Opened, qtbot: QtBot) -> None:
    """A wrong patient is never one key away; on green Enter sends."""
    snapshot = samples.touch(name)
    screen = opened(snapshot)
    asked: list[str] = []
    screen.asked.connect(lambda command, needs: asked.append(command))
    qtbot.keyClick(screen, Qt.Key.Key_Return)
    qtbot.keyClick(screen, Qt.Key.Key_Enter)
    assert isinstance(snapshot.body, SamePerson)
    green = snapshot.body.grade is Grade.MATCH
    assert bool(asked) is green
    mains = [b for b in screen.findChildren(Button) if b.property("kind") == "main"]
    assert bool(mains) is green


PROBLEMS = [n for n in samples.TOUCH if n[:3] in ("K11", "K12", "K13", "K14", "K15")]


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_screen_has_no_main_button(name: str, opened: Opened, qtbot: QtBot) -> None:
    """Line one says what to do; nothing green invites to go on."""
    screen = opened(samples.touch(name))
    assert isinstance(screen, TouchScreen)
    assert screen.main is None
    assert screen.title.text()


HOSTILE = "\u202eENAJ\u202c <b>X</b>\x07\x00 " + "A" * 400


def test_hostile_text_is_shown_plain_boxed_and_clipped(opened: Opened) -> None:
    """Direction overrides, markup, control characters and 400 letters do not get out of hand."""
    from dataclasses import replace

    from kiosk.model.patient import PersonName

    evil = replace(samples.JANE, names=(PersonName(HOSTILE, HOSTILE),))
    line = replace(samples.CHECKED.patients[0], stated=evil, local=evil)
    study = replace(samples.CT, description=HOSTILE, institution=HOSTILE)
    body = replace(samples.CHECKED, patients=(replace(line, studies=(study,)),), ticket=HOSTILE)
    screen = opened(replace(samples.touch("K9-checked"), body=body), size=(1024, 768))
    shown = [label.text() for label in screen.findChildren(QLabel)]
    assert not any("\u202e" in text or "\x07" in text for text in shown)
    assert max(map(len, shown)) <= 200
    assert not list(clipped(screen))


def test_a_palette_changes_colours_and_nothing_else(opened: Opened) -> None:
    """Light, dark and high contrast have the same texts in the same places."""
    screens = [opened(SNAPSHOTS["K9-checked"], palette) for palette in PALETTES]
    texts = [[(x.text(), x.geometry()) for x in s.findChildren(Line)] for s in screens]
    assert texts[0] == texts[1] == texts[2]
    assert look().theme.style() != look(palette="dark").theme.style()


@pytest.mark.parametrize(
    "name", ["K7-small", "K3-found", "K9-checked", "D1-worklist", "D2-compare"]
)
def test_tab_walks_in_reading_order(name: str, opened: Opened, qtbot: QtBot) -> None:
    """From top to bottom, the footer last, and back to where it began."""
    screen = opened(SNAPSHOTS[name], size=(1280, 1024))
    walked: list[QWidget] = []
    for _ in range(60):
        qtbot.keyClick(screen.focusWidget() or screen, Qt.Key.Key_Tab)
        here = screen.focusWidget()
        if here in walked:
            break
        walked.append(here)
    reached = [w for w in controls(screen) if w.isEnabled() and w in walked]
    skipped = ("key", "pad", "choice")  # no focus by design; one of a group, the arrows do the rest
    expected = [w for w in controls(screen) if w.isEnabled() and w.property("kind") not in skipped]
    assert set(expected) <= set(reached)
    footer = screen.footer
    after = [footer.isAncestorOf(w) for w in walked if isinstance(w, QAbstractButton)]
    start = after.index(False) if False in after else 0
    turned = after[start:] + after[:start]
    assert turned == sorted(turned)


def test_a_difference_never_hides_behind_an_ellipsis(qtbot: QtBot) -> None:
    """Marked text goes on in the next line, letter by letter if it must."""
    text = Marked(look(), (("SCHMIDT-ROTTLUFF-VON-", False), ("D", True), ("ER HEIDE", False)))
    qtbot.addWidget(text)
    text.resize(120, 400)
    assert text.heightForWidth(120) > text.heightForWidth(2000)
    drawn = "".join(piece for piece, *_ in text._places(120))
    assert drawn == text.text()
    assert all(left < 120 for *_, left, _line in text._places(120))
