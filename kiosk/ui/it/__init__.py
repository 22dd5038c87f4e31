"""The IT desk: A1, health, D4, deliveries, and A3, people and roles."""

from kiosk.ui.it.deliveries import DeliveriesScreen
from kiosk.ui.it.health import HealthScreen
from kiosk.ui.it.people import PeopleScreen

__all__ = ["DeliveriesScreen", "HealthScreen", "PeopleScreen"]
