"""What archives do and say: how each destination is, what their commitment reports said."""

from kiosk.store.outgoing.commitments import Commitments
from kiosk.store.outgoing.destinations import Destinations, DestinationState
from kiosk.store.outgoing.images import Images, Known
from kiosk.store.outgoing.recalls import Recalls
from kiosk.store.outgoing.steps import StepRow, Steps
from kiosk.store.outgoing.withholding import Withholding

__all__ = [
    "Commitments",
    "DestinationState",
    "Destinations",
    "Images",
    "Known",
    "Recalls",
    "StepRow",
    "Steps",
    "Withholding",
]
