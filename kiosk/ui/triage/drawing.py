"""A checked picture as a Qt image: windowed here, decoded elsewhere."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage

from kiosk.model.relevance.picture import Picture, PictureKind, Window, shades


def image_of(picture: Picture, window: Window | None = None) -> QImage | None:
    """None for what is no image, or does not fit its own shape."""
    data = picture.bytes()
    if not data:
        return None
    wide, tall = picture.width, picture.height
    if picture.kind is PictureKind.GREY:
        stored = np.frombuffer(data, "<u2").reshape(tall, wide)
        chosen = window or picture.windows[0] if picture.windows else None
        if chosen is None:
            return None
        count = int(stored.max()) + 1
        table = np.frombuffer(shades(picture, chosen, count), np.uint8)
        data = np.ascontiguousarray(table[stored]).tobytes()
        return QImage(data, wide, tall, wide, QImage.Format.Format_Grayscale8).copy()
    if picture.kind is PictureKind.SHOWN:
        return QImage(data, wide, tall, wide, QImage.Format.Format_Grayscale8).copy()
    if picture.kind is PictureKind.COLOUR:
        return QImage(data, wide, tall, 3 * wide, QImage.Format.Format_RGB888).copy()
    return None


def waves_of(picture: Picture) -> np.ndarray | None:
    """Channels by samples, None where they do not fit their shape."""
    data = picture.bytes()
    if picture.kind is not PictureKind.WAVE or not data:
        return None
    return np.frombuffer(data, "<i2").reshape(len(picture.channels), picture.width)
