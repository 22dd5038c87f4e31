"""K6: what is on the disc, and what of it is wanted."""

from kiosk.ui.touch.choosing.screen import ChooseScreen

__all__ = ["ChooseScreen"]
