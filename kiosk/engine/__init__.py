"""The machine's hand: the pipeline table, its steps, workers with leases, children that read."""

from kiosk.engine.parts import Site
from kiosk.engine.worker import AlreadyRunning, Engine, alone

__all__ = ["AlreadyRunning", "Engine", "Site", "alone"]
