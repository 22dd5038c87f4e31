"""A theme: one palette and one density at one screen's resolution; icons drawn in its colours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QImage, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from kiosk.ui.parts import assets
from kiosk.ui.parts.tokens import PALETTES, SIZES

FAMILIES = ("Inter", "Noto Sans", "Open Sans", "DejaVu Sans")
_PLACE = re.compile(r"@([a-z_]+)(?:\*([0-9.]+))?")


@dataclass(frozen=True, slots=True)
class Theme:
    """`dots_per_mm` comes from the screen's physical size, or the configuration where EDID lies."""

    palette: str = "light"
    density: str = "touch"
    dots_per_mm: float = 3.6

    def colour(self, token: str) -> QColor:
        return QColor(PALETTES[self.palette][token])

    def px(self, size: str | float, times: float = 1.0) -> int:
        """A named size of the density, or millimetres, in whole pixels."""
        mm = SIZES[self.density][size] if isinstance(size, str) else size
        return max(1, round(mm * times * self.dots_per_mm))

    def font(self, size: str = "base", bold: bool = False) -> QFont:
        font = QFont()
        font.setFamilies(list(FAMILIES))
        font.setPixelSize(self.px(size))
        font.setBold(bold)
        return font

    def style(self) -> str:
        """assets/theme.qss with this theme's values in the place of its `@tokens`."""
        return _styled(self)

    def value(self, place: re.Match[str]) -> str:
        """What stands for `@token` or `@size*2.5`."""
        token, times = place.group(1), float(place.group(2) or 1)
        if token in PALETTES[self.palette]:
            return PALETTES[self.palette][token]
        return f"{self.px(token, times)}px"

    def icon(self, name: str, tint: str = "text", size: str | float = "icon") -> QIcon:
        icon = QIcon(QPixmap.fromImage(self._image(name, tint, size, 1)))
        grey = QPixmap.fromImage(self._image(name, "muted", size, 1))
        icon.addPixmap(grey, QIcon.Mode.Disabled)
        return icon

    def pixmap(self, name: str, tint: str = "text", size: str | float = "icon") -> QPixmap:
        return QPixmap.fromImage(self._image(name, tint, size, 2))

    def _image(self, name: str, tint: str, size: str | float, ratio: int) -> QImage:
        return _draw(name, PALETTES[self.palette][tint], self.px(size), ratio)


@cache
def _styled(theme: Theme) -> str:
    sheet = (assets() / "theme.qss").read_text(encoding="utf-8")
    return _PLACE.sub(theme.value, sheet)


@cache
def _drawing(name: str) -> str:
    return (assets() / "icons" / f"{name}.svg").read_text(encoding="utf-8")


@cache
def _draw(name: str, colour: str, pixels: int, ratio: int) -> QImage:
    """The icon in `colour` (for `currentColor`), `ratio` dots to a pixel: 2 keeps edges sharp on
    any screen."""
    svg = _drawing(name).replace("currentColor", colour)
    image = QImage(pixels * ratio, pixels * ratio, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    whole = QRectF(0, 0, pixels * ratio, pixels * ratio)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, whole)
    painter.end()
    image.setDevicePixelRatio(ratio)
    return image
