"""The drives that discs come in: their states, their events, their trays. `optical` asks the
kernel and udev, `udisks` the system's disk service where the kernel's own call does not help."""

from kiosk.media.drives.optical import (
    Watch,
    await_disc,
    disc_kind,
    drives,
    eject,
    last_session,
    watch,
)

__all__ = ["Watch", "await_disc", "disc_kind", "drives", "eject", "last_session", "watch"]
