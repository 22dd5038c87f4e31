"""The receivers, each a process of its own that the engine keeps running: registrations, C-STORE,
STOW-RS, watched folders."""

from kiosk.cli.receiving.arrivals import app
from kiosk.cli.receiving.process import tend, until_told

__all__ = ["app", "tend", "until_told"]
