"""Which studies are wanted: the front desk ticks, triage looks, HIM chooses what was left."""

from kiosk.desk.choosing.commands import Choosing
from kiosk.desk.choosing.views import choose

__all__ = ["Choosing", "choose"]
