"""Whom the modality worklist has appointments for: candidates, over the wire of delivery."""

from kiosk.delivery.scheduled.asking import reach, worklist

__all__ = ["reach", "worklist"]
