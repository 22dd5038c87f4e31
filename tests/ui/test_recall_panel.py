"""D2 of a case that went out: nothing is preset, a reason is needed, and the role decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from kiosk.desk.roles import Role
from kiosk.desk.snapshots import CompareSnapshot
from kiosk.ui.him.recall import RecallPanel
from kiosk.ui.parts.cells import Look
from kiosk.ui.parts.messages import Words
from kiosk.ui.parts.theme import Theme
from tests.ui import samples


def panel(qtbot: QtBot, snapshot: CompareSnapshot) -> RecallPanel:
    made = RecallPanel(Look(Theme("light", "desk", 3.8), Words("en")))
    qtbot.addWidget(made)
    made.present(snapshot)
    made.show()
    return made


def asked(qtbot: QtBot, made: RecallPanel, button: str) -> list[Any]:
    with qtbot.waitSignal(made.asked) as seen:
        getattr(made, button).click()
    return list(seen.args)


def test_nothing_can_be_pressed_before_a_reason_is_given(qtbot: QtBot) -> None:
    made = panel(qtbot, samples.SENT)
    assert not made.recall.isEnabled()
    made.reason.setCurrentIndex(made.reason.findData("other"))
    assert not made.recall.isEnabled()  # "other" has to be said in words
    made.note.setText("her sister's")
    assert made.recall.isEnabled()


def test_a_recall_is_asked_for_with_its_reason_and_the_notes_code(qtbot: QtBot) -> None:
    made = panel(qtbot, samples.SENT)
    made.reason.setCurrentIndex(made.reason.findData("wrong-order"))
    needs = {"case": samples.SENT.case, "reason": "wrong-order", "code": "113038"}
    assert asked(qtbot, made, "recall") == ["recall", needs]


@pytest.mark.parametrize(("role", "may"), [(Role.HIM, False), (Role.HIM_LEAD, True)])
def test_only_a_lead_recalls_and_him_proposes(qtbot: QtBot, role: Role, may: bool) -> None:
    made = panel(qtbot, replace(samples.SENT, header=samples.header(role)))
    made.reason.setCurrentIndex(made.reason.findData("wrong-patient"))
    assert made.recall.isEnabled() is may
    assert made.propose.isEnabled()
    needs = {"case": samples.SENT.case, "reason": "wrong-patient"}
    assert asked(qtbot, made, "propose") == ["propose-recall", needs]


def test_what_a_recall_does_is_said_before_it_is_pressed(qtbot: QtBot) -> None:
    made = panel(qtbot, samples.SENT)
    assert "2 archives will take these images out of use" in made.said.text()
    assert "No two patients are merged" in made.said.text()
    sent = samples.SENT.sent
    assert sent is not None
    gone = panel(qtbot, replace(samples.SENT, sent=replace(sent, here=False)))
    assert "put in again" in gone.said.text()


def test_a_recall_under_way_offers_nothing_but_the_hand_where_an_archive_stops(
    qtbot: QtBot,
) -> None:
    made = panel(qtbot, samples.RECALLED)
    assert not made.recall.isVisible()
    assert not made.reason.isVisible()
    assert "being taken back" in made.said.text()
