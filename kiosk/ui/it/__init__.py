"""The IT desk: A1, health, D4, deliveries, A3, people and roles, and D5, reports."""

from kiosk.ui.it.deliveries import DeliveriesScreen
from kiosk.ui.it.health import HealthScreen
from kiosk.ui.it.people import PeopleScreen
from kiosk.ui.it.reports import ReportsScreen

__all__ = ["DeliveriesScreen", "HealthScreen", "PeopleScreen", "ReportsScreen"]
