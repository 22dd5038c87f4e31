"""What of a disc goes out: the policy's word on each study, what was chosen after the others, and
the pictures by which people choose."""

from kiosk.engine.choosing.judging import expire, judge
from kiosk.engine.choosing.picturing import make_pictures

__all__ = ["expire", "judge", "make_pictures"]
