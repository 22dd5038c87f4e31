"""Composes the README's picture from the screens that `make screens` photographed.

.venv/bin/python assets/readme/compose.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter

ROOT = Path(__file__).parents[2]
SCREENS = ROOT / "build" / "screens"
SHOWN = (  # name, left, top, width: three desks, the front desk's first
    ("K5-reading.light.1280x1024", 0, 0, 600),
    ("K9-checked.light.1280x1024", 620, 0, 600),
    ("D1-worklist.light.1920x1080", 0, 500, 600),
    ("D2-compare.light.1920x1080", 620, 500, 600),
)
SIZE = (1220, 838)


def main() -> None:
    application = QGuiApplication(sys.argv[:1])
    picture = QImage(*SIZE, QImage.Format.Format_RGB32)
    picture.fill(QColor("white"))
    painter = QPainter(picture)
    for name, left, top, width in SHOWN:
        screen = QImage(str(SCREENS / f"{name}.png"))
        if screen.isNull():
            sys.exit(f"{name}: not there. Run `make screens` first.")
        small = screen.scaledToWidth(width, Qt.TransformationMode.SmoothTransformation)
        painter.drawImage(left, top, small)
        painter.setPen(QColor("#9aa7b5"))
        painter.drawRect(QRect(left, top, small.width() - 1, small.height() - 1))
    painter.end()
    picture.save(str(Path(__file__).with_name("screens.png")))
    del application


if __name__ == "__main__":
    main()
