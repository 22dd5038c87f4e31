"""A DICOM acceptor of our own for C-STORE and C-ECHO: one blocking thread for each association."""

from kiosk.inbound.dimse.association import serve

__all__ = ["serve"]
