"""The machine's hand: the pipeline table, its steps, workers with leases, children that read."""

from kiosk.engine.delivering import take_report
from kiosk.engine.parts import Site
from kiosk.engine.reaching import Place, reach
from kiosk.engine.worker import AlreadyRunning, Engine, alone, place_of

__all__ = ["AlreadyRunning", "Engine", "Place", "Site", "alone", "place_of", "reach", "take_report"]
