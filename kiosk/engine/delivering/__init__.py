"""Steps of a Delivery, on its destination's own thread: sending what is not there yet, then the
proof that it arrived."""

from kiosk.engine.delivering.asking import take_report
from kiosk.engine.delivering.performing import tell
from kiosk.engine.delivering.proving import prove
from kiosk.engine.delivering.sending import send
from kiosk.engine.delivering.withdrawing import prove_rejected, reject

__all__ = ["prove", "prove_rejected", "reject", "send", "take_report", "tell"]
