"""Steps of a Delivery, on its destination's own thread: sending what is not there yet, then the
proof that it arrived."""

from kiosk.engine.delivering.asking import take_report
from kiosk.engine.delivering.proving import prove
from kiosk.engine.delivering.sending import send

__all__ = ["prove", "send", "take_report"]
