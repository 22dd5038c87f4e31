"""An archive reached by DICOMweb: STOW-RS to send, QIDO-RS to ask what arrived (PS3.18)."""

from kiosk.delivery.dicomweb.qido import echo, find
from kiosk.delivery.dicomweb.stow import store

__all__ = ["echo", "find", "store"]
