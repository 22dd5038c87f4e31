"""The front desk on a touch screen: one question per screen, K1 to K15."""

from __future__ import annotations

from kiosk.desk.snapshots import (
    Choose,
    Find,
    HimFinishes,
    Idle,
    Problem,
    Reading,
    Receipt,
    Result,
    SamePerson,
)
from kiosk.ui.parts.frame import TouchScreen
from kiosk.ui.receipt import ReceiptScreen
from kiosk.ui.touch.choosing import ChooseScreen
from kiosk.ui.touch.find import FindScreen
from kiosk.ui.touch.idle import IdleScreen
from kiosk.ui.touch.problem import ProblemScreen
from kiosk.ui.touch.reading import ReadingScreen
from kiosk.ui.touch.result import ResultScreen
from kiosk.ui.touch.same import SamePersonScreen
from kiosk.ui.touch.ticket import TicketScreen

SCREENS: dict[type, type[TouchScreen]] = {
    Find: FindScreen,
    Idle: IdleScreen,
    Reading: ReadingScreen,
    Choose: ChooseScreen,
    SamePerson: SamePersonScreen,
    HimFinishes: TicketScreen,
    Result: ResultScreen,
    Problem: ProblemScreen,
    Receipt: ReceiptScreen,
}

__all__ = ["SCREENS"]
