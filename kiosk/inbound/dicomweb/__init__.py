"""A DICOMweb origin server that stores and does nothing else (PS3.18 10.5)."""

from kiosk.inbound.dicomweb.service import Service

__all__ = ["Service"]
