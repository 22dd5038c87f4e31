"""Pictures for looking: one frame, recording or text at a time, from a staged file. Decodes bytes
that came off a medium, so it runs in a child only."""

from kiosk.fileset.pictures.frames import load
from kiosk.fileset.pictures.making import make

__all__ = ["load", "make"]
