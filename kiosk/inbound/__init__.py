"""What was sent: by DICOM C-STORE, by DICOMweb STOW-RS, or put into a watched folder. What comes
over the wire is staged as the files of a disc are. Knows the wire and folders of its own, nothing
of rows: the caller is told of each closed session and whole item, and makes an intake of it."""

from kiosk.inbound.folders import Found, Watched
from kiosk.inbound.receiver import Receiver, listen
from kiosk.inbound.sessions import Arrived

__all__ = ["Arrived", "Found", "Receiver", "Watched", "listen"]
