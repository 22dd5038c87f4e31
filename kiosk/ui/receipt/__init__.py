"""The receipt on the screen and on paper: one page, painted once, the same on both."""

from kiosk.ui.receipt.screen import ReceiptScreen

__all__ = ["ReceiptScreen"]
