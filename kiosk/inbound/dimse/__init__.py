"""A DICOM acceptor of our own for C-STORE, C-ECHO and commitment reports: one blocking thread for
each association."""

from kiosk.inbound.dimse.association import Reported, serve

__all__ = ["Reported", "serve"]
