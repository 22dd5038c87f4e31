"""K10: nobody has touched anything for a while, so nobody's name stays on the screen."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QWidget

from kiosk.ui.parts.cells import Button, Line, Look, Picture, column
from kiosk.ui.parts.frame import ENTER

IDLE_SECONDS = {"touch": 60, "desk": 300}
TOUCHED = {
    QEvent.Type.MouseButtonPress,
    QEvent.Type.MouseMove,
    QEvent.Type.KeyPress,
    QEvent.Type.TouchBegin,
    QEvent.Type.Wheel,
}


class Watch(QObject):
    """Says `still` when no person has done anything for so many seconds."""

    still = Signal()

    def __init__(self, parent: QObject, seconds: float) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(round(seconds * 1000))
        self._timer.timeout.connect(self.still)
        QApplication.instance().installEventFilter(self)
        self._timer.start()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in TOUCHED:
            self._timer.start()
        return False


class Mask(QWidget):
    """Covers the window; the work goes on underneath. One press and the step is back."""

    lifted = Signal()

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.setProperty("role", "screen")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(look.theme.style())
        middle = Qt.AlignmentFlag.AlignHCenter
        layout = column(self, spacing=look.theme.px("pad"))
        layout.addStretch(2)
        layout.addWidget(Picture(look.theme, "clock", "accent", 24.0), 0, middle)
        for text, kind in (("label.still-there", "huge"), ("label.covered", "lead")):
            line = Line.wrapped(look.words(text), kind)
            line.setAlignment(middle)
            layout.addWidget(line)
        self.yes = Button(look, look.words("button.still-here"), self.lifted.emit, "main", "good")
        layout.addWidget(self.yes, 0, middle)
        layout.addStretch(3)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in ENTER:
            self.lifted.emit()
        else:
            super().keyPressEvent(event)
