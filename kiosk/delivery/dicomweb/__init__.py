"""An archive reached by DICOMweb: STOW-RS to send, QIDO-RS to ask what arrived, WADO-RS to fetch it
back (PS3.18)."""

from kiosk.delivery.dicomweb.exchange import name
from kiosk.delivery.dicomweb.qido import echo, find
from kiosk.delivery.dicomweb.stow import store
from kiosk.delivery.dicomweb.wado import fetch

__all__ = ["echo", "fetch", "find", "name", "store"]
