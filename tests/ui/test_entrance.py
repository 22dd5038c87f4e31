"""K1, K2 and K10 over a real desk: who is here, and what stays of what was typed."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QAccessible, QAccessibleInterface, QKeyEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from kiosk.desk import Role
from kiosk.desk.snapshots import (
    CompareSnapshot,
    HealthSnapshot,
    HimFinishes,
    Idle,
    PeopleSnapshot,
    SignIn,
    WorklistSnapshot,
)
from kiosk.ui.entrance import Secret, SignInScreen
from kiosk.ui.entrance.wedge import Burst
from kiosk.ui.window import Window
from tests.desk.conftest import World
from tests.ui.conftest import look
from tests.ui.test_windows import Opener, press, words_in

PIN, BADGE, PASSWORD = "908172", "04A1B2C3", "correct horse battery"
KEYS = {"\r": Qt.Key.Key_Return}


def scan(window: Window, number: str, gap: int = 8, at: int = 10_000) -> None:
    """As a badge reader types: with the times of the display server."""
    for letter in f"{number}\r":
        at += gap
        key = KEYS.get(letter, Qt.Key(ord(letter)))
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            event = QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier, letter)
            event.setTimestamp(at)
            QCoreApplication.sendEvent(QApplication.focusWidget() or window, event)


def shows(window: Window, kind: type) -> Callable[[], bool]:
    return lambda: isinstance(getattr(window.snapshot, "body", window.snapshot), kind)


def field(window: Window) -> Secret:
    found = window.stack.currentWidget().findChildren(Secret)
    assert found
    return found[0]


def sign_in(qtbot: QtBot, window: Window, name: str, secret: str = PASSWORD) -> None:
    qtbot.waitUntil(lambda: isinstance(window.stack.currentWidget(), SignInScreen))
    line = window.stack.currentWidget().findChildren(QLineEdit)[0]
    line.setText(name)
    qtbot.keyClicks(field(window), secret)
    qtbot.keyClick(field(window), Qt.Key.Key_Return)


def everything_said(window: QWidget) -> str:
    """Texts, accessible names and values, properties: all that can be asked of the widgets."""
    said = [words_in(window)]
    for widget in (window, *window.findChildren(QWidget)):
        said += [widget.accessibleName(), widget.accessibleDescription(), widget.toolTip()]
        said += [str(widget.property(name)) for name in ("kind", "mood", "role", "needs")]
        if isinstance(widget, QLineEdit):
            said.append(widget.text())

    def tree(found: QAccessibleInterface) -> None:
        said.extend(found.text(kind) for kind in (QAccessible.Text.Name, QAccessible.Text.Value))
        for number in range(found.childCount()):
            if (child := found.child(number)) is not None:
                tree(child)

    tree(QAccessible.queryAccessibleInterface(window))
    return "\n".join(said)


# -- badges ------------------------------------------------------------------------------------


def test_a_burst_is_a_scan_and_what_comes_slower_was_typed() -> None:
    """Under 35 ms a character, four of them at least, and the suffix as fast."""
    for gap, count, expected in ((34, 8, True), (35, 8, False), (8, 4, True), (8, 3, False)):
        burst, at = Burst(), 1000
        for letter in "12345678"[:count]:
            at += gap
            burst.key(letter, at)
        assert bool(burst.end(at + gap)) is expected
    burst = Burst()
    burst.key("9", 1000)  # typed, long before the badge
    for n, letter in enumerate(BADGE):
        burst.key(letter, 2000 + 8 * n)
    assert burst.end(2000 + 8 * len(BADGE)) == BADGE
    unknown = Burst()
    for letter in BADGE:
        unknown.key(letter, 0)  # without a time nothing is known
    assert unknown.end(0) == ""


def test_a_badge_at_the_idle_screen_asks_for_its_pin_and_the_pin_signs_in(
    world: World, window: Opener, qtbot: QtBot
) -> None:
    """K1 to K2 and back, signed in; typed digits are dots and nothing else."""
    world.person("anna", Role.FRONT_DESK, badge=BADGE, pin=PIN)
    shown = window(world.closed_desk(), "touch")
    assert "Start" in words_in(shown)
    scan(shown, BADGE)
    qtbot.waitUntil(lambda: "Your PIN, anna" in words_in(shown))
    for digit in PIN[:5]:
        press(qtbot, shown, digit)
    assert field(shown).text() == "●" * 5
    press(qtbot, shown, "Delete")
    assert field(shown).count == 4
    qtbot.keyClicks(field(shown), PIN[4:])
    assert PIN not in everything_said(shown)
    press(qtbot, shown, "Sign in")
    qtbot.waitUntil(lambda: shows(shown, Idle)() and shown.snapshot.header.operator == "anna")
    qtbot.waitUntil(lambda: "Sign out" in words_in(shown))
    press(qtbot, shown, "Sign out")
    qtbot.waitUntil(lambda: "Start" in words_in(shown))


def test_a_badge_in_the_middle_of_typing_takes_its_letters_back(
    world: World, window: Opener, qtbot: QtBot
) -> None:
    """They went into the field with the focus, and its Enter is no press of a button."""
    world.person("anna", Role.FRONT_DESK, badge=BADGE, pin=PIN)
    shown = window(world.closed_desk(), "touch")
    press(qtbot, shown, "Start")
    qtbot.waitUntil(shows(shown, SignIn))
    line = shown.stack.currentWidget().findChildren(QLineEdit)[0]
    line.setFocus()
    qtbot.waitUntil(line.hasFocus)
    scan(shown, BADGE)
    assert line.text() == ""
    qtbot.waitUntil(lambda: "Your PIN, anna" in words_in(shown))
    qtbot.waitUntil(lambda: field(shown).hasFocus())
    qtbot.keyClicks(field(shown), "12")
    scan(shown, BADGE, at=90_000)
    assert field(shown).count in (0, 2)


def test_an_unknown_badge_and_a_wrong_pin_are_said(
    world: World, window: Opener, qtbot: QtBot
) -> None:
    """KX-401 leads to the name; the PIN is gone after each try, and the tries are counted."""
    world.person("anna", Role.FRONT_DESK, badge=BADGE, pin=PIN)
    shown = window(world.closed_desk(), "touch")
    scan(shown, "99999999")
    qtbot.waitUntil(lambda: "Your badge is not known here" in words_in(shown))
    qtbot.waitUntil(shows(shown, SignIn))
    scan(shown, BADGE, at=90_000)
    qtbot.waitUntil(lambda: "Your PIN, anna" in words_in(shown))
    qtbot.keyClicks(field(shown), "111222")
    qtbot.keyClick(field(shown), Qt.Key.Key_Return)
    assert field(shown).count == 0
    qtbot.waitUntil(lambda: "That PIN is not right. 4 tries left." in words_in(shown))


# -- canary ------------------------------------------------------------------------------------


def test_a_pin_is_in_no_widget_no_accessible_tree_and_no_log(
    world: World, window: Opener, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    """While it is typed, after it was wrong, after it was right, after the screen locked."""
    caplog.set_level(logging.DEBUG)
    world.person("anna", Role.FRONT_DESK, badge=BADGE, pin=PIN)
    shown = window(world.closed_desk(), "touch")
    scan(shown, BADGE)
    qtbot.waitUntil(lambda: "Your PIN, anna" in words_in(shown))
    for typed in (PIN[::-1], PIN):
        qtbot.keyClicks(field(shown), typed)
        assert typed not in everything_said(shown)
        qtbot.keyClick(field(shown), Qt.Key.Key_Return)
        qtbot.waitUntil(
            lambda: "not right" in words_in(shown) or shown.snapshot.header.operator == "anna"
        )
        assert typed not in everything_said(shown)
    qtbot.waitUntil(lambda: shown.snapshot.header.operator == "anna")
    gc.collect()
    said = everything_said(shown) + caplog.text + repr(world.lines(""))
    assert not [canary for canary in (PIN, PIN[::-1], BADGE) if canary in said]


# -- K10 ---------------------------------------------------------------------------------------


def test_after_still_there_the_screen_locks_and_the_same_person_goes_on_at_the_step(
    world: World, window: Opener, qtbot: QtBot, awaiting: int
) -> None:
    """HIM's comparison: nothing of it stays in the window meanwhile."""
    world.person("berta", Role.HIM, password=PASSWORD)
    shown = window(world.closed_desk(), "him")
    assert not shown.rail.isVisible()  # type: ignore[attr-defined]
    sign_in(qtbot, shown, "berta")
    qtbot.waitUntil(shows(shown, WorklistSnapshot))
    shown.ask("open-case", {"case": awaiting})
    qtbot.waitUntil(shows(shown, CompareSnapshot))
    shown.cover()
    mask = shown._mask
    assert mask is not None
    assert "Locking in 20 seconds." in words_in(mask)
    for second in range(19, 0, -1):
        mask.tick()
        assert f"Locking in {second} second" in words_in(mask)
    mask.tick()
    qtbot.waitUntil(lambda: "This screen is locked. berta can go on here" in words_in(shown))
    qtbot.waitUntil(lambda: "JON" not in everything_said(shown))
    sign_in(qtbot, shown, "berta")
    qtbot.waitUntil(shows(shown, CompareSnapshot))
    assert [k for k, _, _ in world.lines("access")][-1] == "access.resumed"


def test_one_touch_says_still_here_any_number_of_times(
    world: World, window: Opener, qtbot: QtBot, awaiting: int
) -> None:
    """The countdown stops, the step is as it was."""
    world.person("anna", Role.FRONT_DESK, password=PASSWORD)
    shown = window(world.closed_desk(), "touch")
    press(qtbot, shown, "Start") if shows(shown, Idle)() else None
    sign_in(qtbot, shown, "anna")
    qtbot.waitUntil(shows(shown, HimFinishes))
    for _ in range(3):
        shown.cover()
        assert shown._mask is not None
        shown._mask.tick()
        qtbot.keyClick(shown._mask.yes, Qt.Key.Key_Space)
        assert shown._mask is None
    assert "HIM will finish" in words_in(shown)
    assert shown.snapshot.header.operator == "anna"


def test_another_person_takes_over_and_sees_what_the_own_role_may(
    world: World, window: Opener, qtbot: QtBot, awaiting: int
) -> None:
    """From HIM's comparison, at a workstation that IT uses as well."""
    world.person("berta", Role.HIM, password=PASSWORD)
    world.person("carla", Role.HIM_LEAD, password=PASSWORD)
    shown = window(world.closed_desk(), "him")
    sign_in(qtbot, shown, "berta")
    qtbot.waitUntil(shows(shown, WorklistSnapshot))
    assert "Deliveries" not in visible(shown)
    qtbot.keyClick(shown, Qt.Key.Key_F8)
    qtbot.waitUntil(lambda: "berta can go on here" in words_in(shown))
    sign_in(qtbot, shown, "carla")
    qtbot.waitUntil(shows(shown, WorklistSnapshot))
    qtbot.waitUntil(lambda: "Deliveries" in visible(shown))
    lines = [(k, a) for k, a, _ in world.lines("access")]
    assert lines[-2:] == [("access.signed-out", "berta"), ("access.taken-over", "carla")]


def seen(screen: QWidget, kind: type) -> list[Any]:
    return [each for each in screen.findChildren(kind) if each.isVisible()]


def visible(window: Window) -> list[str]:
    every = [*window.findChildren(QAbstractButton), *window.findChildren(QLabel)]
    return [each.text().strip() for each in every if each.isVisible()]


def test_an_idle_screen_signs_its_operator_out(world: World, window: Opener, qtbot: QtBot) -> None:
    """There is nothing to hide, and nobody there."""
    world.person("anna", Role.FRONT_DESK, password=PASSWORD)
    shown = window(world.closed_desk(), "touch")
    press(qtbot, shown, "Start")
    sign_in(qtbot, shown, "anna")
    qtbot.waitUntil(lambda: shown.snapshot.header.operator == "anna")
    shown.cover()
    assert shown._mask is None
    qtbot.waitUntil(lambda: "Start" in words_in(shown))


def test_who_has_nothing_to_do_at_a_desk_is_out_again(
    world: World, window: Opener, qtbot: QtBot
) -> None:
    """The right password, but the role may nothing here: said, and signed out."""
    world.person("audrey", Role.AUDITOR, password=PASSWORD)
    shown = window(world.closed_desk(), "him")
    sign_in(qtbot, shown, "audrey")
    qtbot.waitUntil(lambda: "Your role may not do this" in words_in(shown))
    qtbot.waitUntil(lambda: "access.signed-out" in [k for k, _, _ in world.lines("access")])
    qtbot.waitUntil(shows(shown, SignIn))


def test_whose_account_is_locked_elsewhere_is_out_at_the_next_look(
    world: World, window: Opener, qtbot: QtBot
) -> None:
    """IT locks; the screen that is open closes."""
    berta = world.person("berta", Role.HIM, password=PASSWORD)
    shown = window(world.closed_desk(), "him")
    sign_in(qtbot, shown, "berta")
    qtbot.waitUntil(shows(shown, WorklistSnapshot))
    world.desk(Role.IT, "ina").set_standing(berta, "locked", "left")
    qtbot.waitUntil(shows(shown, SignIn))
    assert "Sign in first." in words_in(shown)


def test_emergency_access_is_a_page_of_its_own_with_what_it_means(
    world: World, window: Opener, qtbot: QtBot
) -> None:
    """Name and reason; without both there is no way on."""
    world.set(emergency=True)
    shown = window(world.closed_desk(), "touch")
    press(qtbot, shown, "Start")
    qtbot.waitUntil(shows(shown, SignIn))
    press(qtbot, shown, "Emergency access")
    assert "Your supervisors and IT are told at once" in words_in(shown)
    screen = shown.stack.currentWidget()
    assert isinstance(screen, SignInScreen)
    assert screen.main is not None
    qtbot.waitUntil(lambda: len(seen(screen, QLineEdit)) == 2)
    name, why = seen(screen, QLineEdit)
    name.setText("Dr. Rose")
    assert not screen.main.isEnabled()
    why.setText("trauma")
    press(qtbot, shown, "Open and alert")
    qtbot.waitUntil(lambda: shown.snapshot.header.operator == "emergency: Dr. Rose")


# -- A3 ----------------------------------------------------------------------------------------


def test_it_adds_a_person_with_badge_and_pin_at_its_desk(
    world: World, window: Opener, qtbot: QtBot
) -> None:
    """Name, role, reason; then the badge is scanned and the PIN typed twice."""
    world.person("ina", Role.IT, password=PASSWORD)
    shown = window(world.closed_desk(), "it")
    sign_in(qtbot, shown, "ina")
    qtbot.waitUntil(shows(shown, HealthSnapshot))
    shown.go("people")  # type: ignore[attr-defined]
    qtbot.waitUntil(shows(shown, PeopleSnapshot))
    press(qtbot, shown, "Add a person")
    screen = shown.stack.currentWidget()

    def fill(*texts: str) -> None:
        qtbot.waitUntil(lambda: len(seen(screen, QLineEdit)) == len(texts))
        fields = seen(screen, QLineEdit)
        for line, text in zip(fields, texts, strict=True):
            line.setText(text)

    fill("nora", "Nora Hill", "new here")
    press(qtbot, shown, "Save")
    qtbot.waitUntil(lambda: len(shown.snapshot.rows) == 2)
    qtbot.waitUntil(lambda: "nora" in words_in(shown))
    press(qtbot, shown, "Give a badge")
    fill("her first badge")
    scan(shown, BADGE)
    qtbot.waitUntil(lambda: any(row.badge for row in shown.snapshot.rows))
    press(qtbot, shown, "New PIN")
    qtbot.waitUntil(lambda: len(seen(screen, Secret)) == 2)
    first, again = seen(screen, Secret)
    fill("chosen by her")
    qtbot.keyClicks(first, PIN)
    qtbot.keyClicks(again, "908173")
    press(qtbot, shown, "Save")
    assert "The two are not the same" in words_in(shown)
    qtbot.keyClicks(again, PIN)
    press(qtbot, shown, "Save")
    qtbot.waitUntil(lambda: any(row.pin for row in shown.snapshot.rows))
    assert PIN not in everything_said(shown)
    desk = world.closed_desk()
    desk.badge(BADGE)
    desk.sign_in(PIN)
    assert desk.operator.name == "nora"


def test_a_secret_field_hands_over_what_was_typed_and_forgets_it(qtbot: QtBot) -> None:
    secret = Secret(look(), "PIN")
    qtbot.addWidget(secret)
    secret.insert("12\x073\n4")
    assert (secret.text(), secret.count) == ("●●●●", 4)
    assert secret.accessibleName() == "PIN: 4 characters typed"
    assert secret.take() == "1234"
    assert (secret.text(), secret.count) == ("PIN", 0)
    secret.insert("x" * 500)
    assert secret.count == 64
