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
    """Covers the window; the work goes on underneath. One press and the step is back. Where people
    sign in it counts `seconds` down, then says `ran_out`: the screen locks."""

    lifted = Signal()
    ran_out = Signal()

    def __init__(self, look: Look, seconds: int = 0) -> None:
        super().__init__()
        self._look, self._left = look, seconds
        self.setProperty("role", "screen")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(look.theme.style())
        middle = Qt.AlignmentFlag.AlignHCenter
        layout = column(self, spacing=look.theme.px("pad"))
        layout.addStretch(2)
        layout.addWidget(Picture(look.theme, "clock", "accent", 24.0), 0, middle)
        self._countdown = Line.wrapped("", "large")
        texts = ("label.still-there", "huge"), ("label.covered", "lead")
        lines = [Line.wrapped(look.words(text), kind) for text, kind in texts]
        for line in (lines[0], self._countdown, lines[1]):
            line.setAlignment(middle)
            layout.addWidget(line)
        self.yes = Button(look, look.words("button.still-here"), self._lift, "main", "good")
        layout.addWidget(self.yes, 0, middle)
        layout.addStretch(3)
        self._timer = QTimer(self)
        self._timer.setInterval(1000)
        self._timer.timeout.connect(self.tick)
        self._countdown.setVisible(bool(seconds))
        if seconds:
            self._say()
            self._timer.start()

    def tick(self) -> None:
        """A second has passed."""
        self._left -= 1
        if self._left > 0:
            self._say()
        else:
            self._timer.stop()
            self.yes.setEnabled(False)
            self.ran_out.emit()

    def _say(self) -> None:
        self._countdown.setText(self._look.words("label.locking", n=self._left))

    def _lift(self) -> None:
        self._timer.stop()
        self.lifted.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in ENTER and self.yes.isEnabled():
            self._lift()
        else:
            super().keyPressEvent(event)
