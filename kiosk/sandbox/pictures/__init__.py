"""Decoding in a child of its own: what a hostile image does to it ends with it. `parent` asks and
believes only shapes, `inside` is the child."""

from kiosk.sandbox.pictures.parent import Died, make

__all__ = ["Died", "make"]
