"""Which studies are wanted, and the pictures by which people tell."""

from kiosk.store.choosing.choices import Choices
from kiosk.store.choosing.pictures import Pictures, Wish

__all__ = ["Choices", "Pictures", "Wish"]
