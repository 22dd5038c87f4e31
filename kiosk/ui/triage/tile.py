"""A small picture beside a study: a series' middle image, or a grey field that says why not."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from kiosk.model.relevance.picture import Picture, PictureKind
from kiosk.ui.parts.cells import Look
from kiosk.ui.triage.drawing import image_of


def why_not(look: Look, picture: Picture | None) -> str:
    """In a few words why there is no image to see; "" where there is one."""
    if picture is None:
        return look.words("picture.coming")
    if picture.kind is PictureKind.NOTHING:
        return look.words.either(f"picture.{picture.problem}", picture.problem)
    if picture.kind in (PictureKind.WAVE, PictureKind.TEXT):
        return look.words(f"picture.{picture.kind.value}")
    return ""


class Tile(QWidget):
    """`side` in millimetres. Its name for a reader says what it is."""

    def __init__(self, look: Look, picture: Picture | None, side: float) -> None:
        super().__init__()
        self._look = look
        self._why = why_not(look, picture)
        self._image = image_of(picture) if picture is not None and not self._why else None
        self._aspect = picture.aspect if picture is not None else 1.0
        pixels = look.theme.px(side)
        self.setFixedSize(pixels, pixels)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self._why or look.words("picture.image"))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._image is None:
            self._say_why(painter)
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        tall = self._image.height() * self._aspect
        painter.drawImage(fit(QRectF(self.rect()), self._image.width(), tall), self._image)
        self._mark(painter)

    def _say_why(self, painter: QPainter) -> None:
        theme, font = self._look.theme, self._look.theme.font("small")
        painter.fillRect(self.rect(), theme.colour("quiet_bg"))
        font.setPixelSize(max(9, self.height() // 6))
        painter.setFont(font)
        painter.setPen(theme.colour("muted"))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(self.rect().adjusted(3, 3, -3, -3), int(flags), self._why)

    def _mark(self, painter: QPainter) -> None:
        """Across its lower edge."""
        font = self._look.theme.font("small")
        said = self._look.words("picture.not-diagnosis")
        font.setPixelSize(max(6, min(self.height() // 9, round(1.7 * self.width() / len(said)))))
        painter.setFont(font)
        high = font.pixelSize() * 1.4
        strip = QRectF(0, self.height() - high, self.width(), high)
        painter.fillRect(strip, Qt.GlobalColor.black)
        painter.setPen(Qt.GlobalColor.white)
        painter.drawText(strip, int(Qt.AlignmentFlag.AlignCenter), said)


def fit(area: QRectF, wide: float, tall: float) -> QRectF:
    """The largest rectangle of that shape in the middle of the area."""
    scale = min(area.width() / max(wide, 1), area.height() / max(tall, 1))
    size = (wide * scale, tall * scale)
    left = area.left() + (area.width() - size[0]) / 2
    return QRectF(left, area.top() + (area.height() - size[1]) / 2, *size)
