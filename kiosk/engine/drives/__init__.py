"""The drives and sticks of this kiosk: a medium that goes in becomes an intake, a tray that is
asked to open opens. `watching` takes in, `trays` gives back."""

from kiosk.engine.drives.trays import EJECT_ASKED
from kiosk.engine.drives.watching import Drives

__all__ = ["EJECT_ASKED", "Drives"]
