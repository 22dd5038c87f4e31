"""The face: Qt Widgets over frozen snapshots. It draws, asks, and decides nothing."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication

from kiosk.desk import Desk
from kiosk.ui.parts.cells import Look
from kiosk.ui.parts.messages import LANGUAGES, Words
from kiosk.ui.parts.theme import Theme
from kiosk.ui.threads import Guarded
from kiosk.ui.window import DeskWindow, TouchWindow, Window

__all__ = ["run"]

log = logging.getLogger("kiosk.ui")

MM_PER_INCH = 25.4
LIKELY_DPI = (60.0, 240.0)  # EDID often lies: what lies outside is taken as 96


def run(desk: Desk, which: str = "touch", language: str = "en") -> int:
    """The desk's window until it is closed: `touch`, `him` or `it`. The exit code of Qt."""
    application = QApplication.instance() or QApplication(sys.argv[:1])
    window = window_for(desk, which, language, dots_per_mm(application))
    on_defect(window.broke.emit)
    window.start()
    wanted = QSize(1280, 1024) if which == "touch" else QSize(1600, 960)
    window.resize(wanted.boundedTo(application.primaryScreen().availableSize()))
    window.show()
    return int(application.exec())


def on_defect(tell: Callable[[str], None]) -> None:
    """A defect of ours in any thread is logged by its place (its text could hold a name) and told:
    the window says KX-599 and ends, and whoever supervises it starts a new one."""

    def place_of(kind: type[BaseException], trace: TracebackType | None) -> None:
        frames = traceback.extract_tb(trace)
        place = f"{Path(frames[-1].filename).stem}-{frames[-1].lineno}" if frames else "?"
        log.error("%s at %s", kind.__name__, place)
        tell(place)

    sys.excepthook = lambda kind, _error, trace: place_of(kind, trace)
    threading.excepthook = lambda args: place_of(args.exc_type, args.exc_traceback)


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
