"""What HIM sees of a candidate beside the fields."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from kiosk.ui.him.grid import _candidate_head
from tests.ui.conftest import look
from tests.ui.samples import COMPARE


def test_an_earlier_decision_on_the_same_identity_stands_with_its_candidate(qtbot: QtBot) -> None:
    said = "Earlier decision: same person, by berta on 2026-11-24"
    head = _candidate_head(look("desk"), replace(COMPARE.candidates[0], earlier=said))
    qtbot.addWidget(head)
    assert said in [label.text() for label in head.findChildren(QLabel)]
    plain = _candidate_head(look("desk"), COMPARE.candidates[0])
    qtbot.addWidget(plain)
    assert said not in [label.text() for label in plain.findChildren(QLabel)]
