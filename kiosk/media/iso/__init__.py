"""Discs and disc images, read raw: our own tolerant ISO 9660 reader (levels 1-3, Joliet, Rock
Ridge, multi-extent files, the last session), without any file system code of the kernel."""

from kiosk.media.iso.bounded import BoundedSectors, Work
from kiosk.media.iso.disc import Disc
from kiosk.media.iso.sectors import SECTOR, Sectors, gone, raw_layout

__all__ = ["SECTOR", "BoundedSectors", "Disc", "Sectors", "Work", "gone", "raw_layout"]
