"""The face: Qt Widgets over frozen snapshots. It draws, asks, and decides nothing."""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QApplication

from kiosk.desk import Desk
from kiosk.ui.parts.cells import Look
from kiosk.ui.parts.messages import LANGUAGES, Words
from kiosk.ui.parts.theme import Theme
from kiosk.ui.threads import Guarded
from kiosk.ui.window import DeskWindow, TouchWindow, Window

__all__ = ["run"]

MM_PER_INCH = 25.4
LIKELY_DPI = (60.0, 240.0)  # EDID often lies: what lies outside is taken as 96


def run(desk: Desk, which: str = "touch", language: str = "en") -> int:
    """The desk's window until it is closed: `touch`, `him` or `it`. The exit code of Qt."""
    application = QApplication.instance() or QApplication(sys.argv[:1])
    window = window_for(desk, which, language, dots_per_mm(application))
    window.start()
    window.resize(1280, 1024) if which == "touch" else window.resize(1600, 960)
    window.show()
    return int(application.exec())


def window_for(desk: Desk, which: str, language: str, dots: float) -> Window:
    """The window of a desk, not yet started; no thread runs and nothing was asked."""
    words = Words(language if language in LANGUAGES else "en")
    guarded = Guarded(desk)
    if which == "touch":
        return TouchWindow(guarded, Look(Theme("light", "touch", dots), words))
    return DeskWindow(guarded, Look(Theme("light", "desk", dots), words), which)


def dots_per_mm(application: QApplication) -> float:
    """From the first screen's physical size."""
    dpi = application.primaryScreen().physicalDotsPerInch()
    lowest, highest = LIKELY_DPI
    return (dpi if lowest <= dpi <= highest else 96.0) / MM_PER_INCH
