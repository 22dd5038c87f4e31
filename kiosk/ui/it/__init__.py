"""The IT desk: A1, health, and D4, deliveries."""

from kiosk.ui.it.deliveries import DeliveriesScreen
from kiosk.ui.it.health import HealthScreen

__all__ = ["DeliveriesScreen", "HealthScreen"]
