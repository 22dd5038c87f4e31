"""What was brought: optical discs, USB sticks, disc images, ZIP files and folders, identified, read
once and copied as staged, hashed files; the drives they come in. Everything on a medium is
hostile, every file on it is accounted for, and nothing on it is ever run, followed or altered."""

from kiosk.media.drives import Mount, Mounts, Watch, cannot_mount, drives, eject, watch
from kiosk.media.glimpse import glimpse
from kiosk.media.opening import identify, refuse_blank
from kiosk.media.reading import read
from kiosk.media.source import MediaError

__all__ = [
    "MediaError",
    "Mount",
    "Mounts",
    "Watch",
    "cannot_mount",
    "drives",
    "eject",
    "glimpse",
    "identify",
    "read",
    "refuse_blank",
    "watch",
]
