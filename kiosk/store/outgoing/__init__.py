"""What archives do and say: how each destination is, what their commitment reports said."""

from kiosk.store.outgoing.commitments import Commitments
from kiosk.store.outgoing.destinations import Destinations, DestinationState
from kiosk.store.outgoing.recalls import Recalls

__all__ = ["Commitments", "DestinationState", "Destinations", "Recalls"]
