"""What HIM sees of a candidate beside the fields."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from kiosk.desk.snapshots import CompareSnapshot, Earlier, say
from kiosk.ui.him import CompareScreen
from tests.ui.conftest import look
from tests.ui.samples import COMPARE

DAY = date(2026, 11, 23)
NOT_HIM = Earlier(
    7, say("earlier.not-same-person", who="berta", day=DAY), True, revocable=True, against=True
)
NOBODY = Earlier(8, say("earlier.nobody-here", who="carla", day=DAY), True)
KNOWN = replace(
    COMPARE,
    candidates=(replace(COMPARE.candidates[0], earlier=(NOT_HIM,)), *COMPARE.candidates[1:]),
    earlier=(NOBODY,),
)


def screen(qtbot: QtBot, snapshot: CompareSnapshot) -> CompareScreen:
    made = CompareScreen(look("desk"))
    qtbot.addWidget(made)
    made.resize(1400, 900)
    made.present(snapshot)
    return made


def said(made: CompareScreen) -> list[str]:
    return [label.text() for label in made.findChildren(QLabel) if label.isVisibleTo(made)]


def press(qtbot: QtBot, made: CompareScreen, text: str) -> None:
    button = next(
        b for b in made.findChildren(QPushButton) if b.text() == text and b.isVisibleTo(made)
    )
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def asked_by(qtbot: QtBot, made: CompareScreen, reason: str) -> list[object]:
    """What is asked of the desk when the reason is given and Decide pressed."""
    made.decision.reason.setCurrentIndex(made.decision.reason.findData(reason))
    with qtbot.waitSignal(made.asked) as signal:
        press(qtbot, made, "Decide")
    return signal.args


def test_earlier_decisions_stand_with_whom_they_are_about(qtbot: QtBot) -> None:
    shown = said(screen(qtbot, KNOWN))
    assert "Earlier decision: not this person, by berta on 23 NOV 2026." in shown
    assert "Earlier decision: nobody registered here, by carla on 23 NOV 2026." in shown
    assert not any("Earlier" in text for text in said(screen(qtbot, COMPARE)))


def test_only_what_one_may_take_back_has_a_button_for_it(qtbot: QtBot) -> None:
    made = screen(qtbot, KNOWN)
    buttons = [b.text() for b in made.findChildren(QPushButton) if b.isVisibleTo(made)]
    assert buttons.count("Take back") == 1


def test_whom_a_person_ruled_out_need_not_be_ruled_out_again(qtbot: QtBot) -> None:
    """The first candidate is the one on the screen."""

    def offered(snapshot: CompareSnapshot) -> bool:
        shown = screen(qtbot, snapshot).findChildren(QPushButton)
        return "Not this person" in [button.text() for button in shown]

    assert offered(COMPARE)
    assert not offered(KNOWN)


def test_taking_back_says_what_and_needs_a_reason(qtbot: QtBot) -> None:
    made = screen(qtbot, KNOWN)
    press(qtbot, made, "Take back")
    assert not made.decision.decide.isEnabled()
    assert "not this person, by berta" in made.decision.said.text()
    assert asked_by(qtbot, made, "revoked-wrong") == [
        "revoke",
        {"case": COMPARE.case, "remembered": 7, "reason": "revoked-wrong"},
    ]


def test_a_candidate_can_be_said_to_be_somebody_else(qtbot: QtBot) -> None:
    made = screen(qtbot, COMPARE)
    press(qtbot, made, "Not this person")
    local = COMPARE.candidates[0].local
    assert "goes on waiting" in made.decision.said.text()
    needs = {"case": COMPARE.case, "local_key": local.key, "reason": "refused-apart"}
    # The desk is told what was seen: it decides about nothing else.
    assert asked_by(qtbot, made, "refused-apart") == ["refuse", needs | {"shown": local.identity}]


def test_a_choice_goes_when_what_it_rests_on_changes(qtbot: QtBot) -> None:
    made = screen(qtbot, KNOWN)
    press(qtbot, made, "Take back")
    made.present(COMPARE)
    assert made.decision.chosen == ""
    assert not made.decision.decide.isEnabled()
