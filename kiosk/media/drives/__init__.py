"""What media come in: optical drives, sticks and cards; their states, their events, their trays,
and read-only mounts. `optical` asks the kernel, `sticks` and `watching` ask udev, `udisks` asks
the system's disk service for what the kernel grants to nobody but root."""

from kiosk.media.drives.mounts import Mounts
from kiosk.media.drives.optical import await_disc, eject, is_audio, is_blank, last_session
from kiosk.media.drives.udisks import Mount, cannot_mount
from kiosk.media.drives.watching import Watch, drives, watch

__all__ = [
    "Mount",
    "Mounts",
    "Watch",
    "await_disc",
    "cannot_mount",
    "drives",
    "eject",
    "is_audio",
    "is_blank",
    "last_session",
    "watch",
]
