"""What was sent: DICOM C-STORE and DICOMweb STOW-RS receivers, whose scans are staged as those of a
disc are. Knows the wire and a folder of its own, nothing of rows: the caller is told of each closed
session, and makes an intake of it."""

from kiosk.inbound.receiver import Receiver, listen
from kiosk.inbound.sessions import Arrived

__all__ = ["Arrived", "Receiver", "listen"]
