"""The viewer: one frame at a time, windowed, zoomed, moved; recordings as lines, reports as text.
"Not for diagnosis" stands in every picture of it."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from kiosk.model.relevance.picture import Picture, PictureKind, Window
from kiosk.ui.parts.cells import Look
from kiosk.ui.parts.text import boxed
from kiosk.ui.triage.drawing import image_of, waves_of
from kiosk.ui.triage.tile import fit, why_not

GROUND, INK, DIM = QColor("#000000"), QColor("#FFFFFF"), QColor("#C8D2DA")
STEPS = {
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_PageDown: 10,
    Qt.Key.Key_PageUp: -10,
}
CLOSEST = 16.0


class Canvas(QWidget):
    """Shows what it is given. `scrolled` is by how many frames somebody wants to go on."""

    scrolled = Signal(int)

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self.picture: Picture | None = None
        self.place = ""
        self.window_: Window | None = None
        self._preset = 0
        self._image: QImage | None = None
        self._zoom, self._moved = 1.0, QPointF()
        self._line = 0
        self._grip: QPointF | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(look.theme.px(60), look.theme.px(50))
        self.setAccessibleName(look.words("picture.viewer"))

    # -- what is shown ---------------------------------------------------------------------

    def show_picture(self, picture: Picture | None, place: str) -> None:
        """Another frame; window and zoom stay, for the frames of one series."""
        self.picture, self.place = picture, place
        self._render()

    def begin(self) -> None:
        """Another series: its own first window, all of it in view."""
        self.window_, self._preset = None, 0
        self._zoom, self._moved, self._line = 1.0, QPointF(), 0
        self.show_picture(None, "")

    @property
    def window_now(self) -> Window | None:
        """The window in force: the one in the making, else the sender's chosen preset."""
        if self.window_ is not None or self.picture is None or not self.picture.windows:
            return self.window_
        return self.picture.windows[min(self._preset, len(self.picture.windows) - 1)]

    def next_window(self) -> None:
        """The sender's next preset; the last is the whole range of the frame."""
        count = len(self.picture.windows) if self.picture else 0
        self._preset = (self._preset + 1) % count if count else 0
        self.window_ = None
        self._render()

    def shift_window(self, center: float, width: float) -> None:
        """Brighter or darker, softer or harder: by shares of the present width."""
        now = self.window_now
        if now is None:
            return
        plain = replace(now, table=(), name="")
        if now.table:
            plain = replace(plain, function="LINEAR")
        self.window_ = replace(
            plain,
            center=now.center + center * now.width,
            width=max(now.width * (1 + width), 1e-3),
        )
        self._render()

    def zoom(self, times: float) -> None:
        self._zoom = min(CLOSEST, max(1.0, self._zoom * times))
        if self._zoom == 1.0:
            self._moved = QPointF()
        self.update()

    def whole(self) -> None:
        """All of the picture, with the sender's window."""
        self._zoom, self._moved, self.window_ = 1.0, QPointF(), None
        self._render()

    def _render(self) -> None:
        self._image = image_of(self.picture, self.window_now) if self.picture else None
        self.setAccessibleDescription(self.place)
        self.update()

    # -- painting --------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), GROUND)
        painter.setFont(self._look.theme.font("base"))
        if self._image is not None:
            self._draw_image(painter, self._image)
        elif self.picture is not None and self.picture.kind is PictureKind.WAVE:
            self._draw_waves(painter, self.picture)
        elif self.picture is not None and self.picture.kind is PictureKind.TEXT:
            self._draw_text(painter, self.picture)
        else:
            self._draw_nothing(painter)
        self._draw_marks(painter)

    def _draw_image(self, painter: QPainter, image: QImage) -> None:
        assert self.picture is not None
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        area = fit(QRectF(self.rect()), image.width(), image.height() * self.picture.aspect)
        middle = area.center() + self._moved
        size = area.size() * self._zoom
        target = QRectF(0, 0, size.width(), size.height())
        target.moveCenter(middle)
        painter.drawImage(target, image)

    def _draw_waves(self, painter: QPainter, picture: Picture) -> None:
        lines = waves_of(picture)
        if lines is None:
            self._draw_nothing(painter)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = self.height() / (len(picture.channels) + 1)
        for number, channel in enumerate(picture.channels):
            values = lines[number]
            every = max(1, len(values) // max(1, self.width()))
            values = values[::every]
            low, high = float(values.min()), float(values.max())
            scale = room * 0.8 / (high - low) if high > low else 0.0
            base = room * (number + 1)
            step = self.width() / max(1, len(values) - 1)
            painter.setPen(QPen(INK, 1))
            painter.drawPolyline(
                QPolygonF(
                    [
                        QPointF(n * step, base - (float(v) - (low + high) / 2) * scale)
                        for n, v in enumerate(values)
                    ]
                )
            )
            painter.setPen(DIM)
            painter.drawText(QPointF(8, base - room * 0.3), boxed(channel.name)[:24])

    def _draw_text(self, painter: QPainter, picture: Picture) -> None:
        metrics = QFontMetrics(painter.font())
        painter.setPen(INK)
        lines = picture.bytes().decode("utf-8", "replace").split("\n")
        self._line = max(0, min(self._line, len(lines) - 1))
        area = QRectF(self.rect()).adjusted(16, metrics.height() * 1.5, -16, -metrics.height() * 2)
        top = area.top()
        flags = int(Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft)
        for untrusted in lines[self._line :]:
            left = area.left() + 4 * (len(untrusted) - len(untrusted.lstrip(" ")))
            room = QRectF(left, top, area.right() - left, area.bottom() - top)
            text = boxed(untrusted.strip())
            tall = painter.boundingRect(room, flags, text).height() if text else metrics.height()
            if top + tall > area.bottom():
                break
            painter.drawText(room, flags, text)
            top += tall

    def _draw_nothing(self, painter: QPainter) -> None:
        text = why_not(self._look, self.picture) or self._look.words("picture.broken")
        panel = QRectF(self.rect()).adjusted(*(24, 24, -24, -24))
        painter.fillRect(panel, QColor("#3A4550"))
        painter.setPen(INK)
        flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
        painter.drawText(panel, flags, text)

    def _draw_marks(self, painter: QPainter) -> None:
        """Watermark below, where we are above; each on a ground of its own."""
        now = self.window_now
        if self._image is not None and now is not None and not now.table:
            shown = self._look.words("picture.window", c=f"{now.center:.6g}", w=f"{now.width:.6g}")
            name = "" if now.name == "full" else boxed(now.name)[:24]
            self._mark(painter, f"{name}  {shown}".strip(), Qt.AlignmentFlag.AlignRight, top=True)
        self._mark(painter, self.place, Qt.AlignmentFlag.AlignLeft, top=True)
        said = self._look.words("picture.not-diagnosis")
        painter.setFont(self._look.theme.font("large", bold=True))
        self._mark(painter, said, Qt.AlignmentFlag.AlignHCenter, top=False)

    def _mark(self, painter: QPainter, text: str, side: Qt.AlignmentFlag, *, top: bool) -> None:
        if not text:
            return
        metrics = QFontMetrics(painter.font())
        wide, tall = metrics.horizontalAdvance(text) + 16, metrics.height() + 6
        left = {
            Qt.AlignmentFlag.AlignLeft: 0,
            Qt.AlignmentFlag.AlignRight: self.width() - wide,
        }.get(side, (self.width() - wide) // 2)
        area = QRectF(left, 0 if top else self.height() - tall, wide, tall)
        painter.fillRect(area, GROUND)
        painter.setPen(INK)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), text)

    # -- hands -----------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Frames; with Ctrl nearer or farther; the lines of a text."""
        by = -1 if event.angleDelta().y() > 0 else 1
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1.25 if by < 0 else 0.8)
        else:
            self._go(by)

    def _go(self, by: int) -> None:
        if self.picture is not None and self.picture.kind is PictureKind.TEXT:
            self._line += 3 * by
            self.update()
        else:
            self.scrolled.emit(by)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus()
        self._grip = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Left: the window. Right, middle or with Shift: the picture itself."""
        if self._grip is None:
            return
        by = event.position() - self._grip
        self._grip = event.position()
        moves = event.buttons() & (Qt.MouseButton.RightButton | Qt.MouseButton.MiddleButton)
        if moves or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._moved = self._moved + by
            self.update()
        else:
            self.shift_window(by.y() / max(1, self.height()), by.x() / max(1, self.width()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grip = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in STEPS:
            self._go(STEPS[key])
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Minus):
            self.zoom(1.25 if key == Qt.Key.Key_Plus else 0.8)
        elif key in (Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketRight):
            self.shift_window(-0.1 if key == Qt.Key.Key_BracketLeft else 0.1, 0.0)
        elif key == Qt.Key.Key_W:
            self.next_window()
        elif key == Qt.Key.Key_0:
            self.whole()
        else:
            super().keyPressEvent(event)
