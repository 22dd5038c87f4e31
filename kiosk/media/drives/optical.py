"""Optical drives: which there are, what state they are in, what is in them, and the tray.

A drive that hangs in the kernel is left to the thread that asked it, called sick, and the others
carry on.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pyudev

from kiosk.media.drives import udisks
from kiosk.media.drives.naming import named
from kiosk.media.source import MediaError
from kiosk.model.medium import Drive, DriveState

_CDROMEJECT = 0x5309
_CDROMMULTISESSION = 0x5310
_CDROM_DRIVE_STATUS = 0x5326
_CDROM_DISC_STATUS = 0x5327
_CDROM_LOCKDOOR = 0x5329
_CURRENT_SLOT = 0x7FFFFFFF
_LBA = 1
_AUDIO_DISC = 100
_STATES = {
    1: DriveState.NO_DISC,
    2: DriveState.TRAY_OPEN,
    3: DriveState.NOT_READY,
    4: DriveState.DISC_OK,
}
_ANSWER_SECONDS = 10.0
_EJECT_SECONDS = 30.0
_SPIN_UP_SECONDS = 30.0
_ASK_AGAIN_SECONDS = 0.5

T = TypeVar("T")


class _Hung(Exception):
    """The drive does not answer."""


# One thread per device that has not come back: asking a hung drive again would only add threads.
_asking: dict[str, threading.Thread] = {}


def eject(device: str) -> None:
    """Opens the tray, by UDisks2 where the kernel cannot. Raises MediaError when the drive does
    not obey."""
    try:
        _patiently(device, _EJECT_SECONDS, _open_tray)
    except OSError:
        _eject_otherwise(device)
    except _Hung as e:
        raise _stays_shut() from e


def _eject_otherwise(device: str) -> None:
    try:
        udisks.eject(device)
    except MediaError as e:
        raise _stays_shut() from e


def _stays_shut() -> MediaError:
    return MediaError(
        "eject-failed",
        "The drive does not open. The disc is still in it; nothing that was read is lost. "
        "Press the button on the drive, or use a straightened paper clip in its small hole.",
    )


def await_disc(device: str) -> None:
    """Waits for a disc to spin up. Raises MediaError when there is none, or no answer."""
    until = time.monotonic() + _SPIN_UP_SECONDS
    while (state := _state(device)) is DriveState.NOT_READY and time.monotonic() < until:
        time.sleep(_ASK_AGAIN_SECONDS)
    if state is DriveState.SICK:
        raise MediaError(
            "drive-sick",
            "The drive does not answer. Nothing was read. Use another drive, and tell IT to "
            "switch this one off and on.",
        )
    if state is not DriveState.DISC_OK:
        raise MediaError(
            "medium-missing",
            "There is no disc in the drive, or it cannot be recognised. Nothing was read. Put "
            "the disc in with the printed side up and close the tray.",
        )


def is_audio(fd: int) -> bool:
    """Whether the drive says that its disc has music and no data. This and what else is asked below
    works in the locked-in child, which has no udev: it may neither read /sys nor run a program, as
    finding a library does."""
    try:
        return bool(fcntl.ioctl(fd, _CDROM_DISC_STATUS, 0) == _AUDIO_DISC)
    except OSError:
        return False


def is_blank(device: Path) -> bool:
    """Whether udev knows that nothing was ever written on the disc; False where it cannot tell."""
    try:
        known = pyudev.Devices.from_device_file(pyudev.Context(), str(device)).properties
    except (pyudev.DeviceNotFoundError, OSError, ValueError):
        return False
    return bool(known.get("ID_CDROM_MEDIA_STATE") == "blank")


def last_session(fd: int) -> int | None:
    """The sector at which the drive's table of contents says that the last session starts."""
    request = bytearray(struct.pack("@iBB2x", 0, 0, _LBA))
    try:
        fcntl.ioctl(fd, _CDROMMULTISESSION, request)
    except OSError:
        return None
    address, several = struct.unpack_from("@iB", request)
    return int(address) if several else None


def optical_drives(context: pyudev.Context) -> Iterator[Drive]:
    """Those that udev knows, each asked for its state."""
    found = context.list_devices(subsystem="block")
    for serial, name, device in named(d for d in found if _is_optical(d) and d.device_node):
        node = str(device.device_node)
        yield Drive(serial, node, name, _state(node))


def _is_optical(device: pyudev.Device) -> bool:
    return device.properties.get("ID_CDROM") == "1" or str(device.sys_name).startswith("sr")


def _state(device: str) -> DriveState:
    try:
        answer = _patiently(device, _ANSWER_SECONDS, _ask_state)
    except _Hung:
        return DriveState.SICK
    except OSError as e:
        return DriveState.NO_DISC if e.errno == errno.ENOMEDIUM else DriveState.SICK
    return _STATES.get(answer, DriveState.NOT_READY)


def _ask_state(fd: int) -> int:
    return fcntl.ioctl(fd, _CDROM_DRIVE_STATUS, _CURRENT_SLOT)


def _open_tray(fd: int) -> int:
    try:
        fcntl.ioctl(fd, _CDROM_LOCKDOOR, 0)
    except OSError:
        pass  # not every drive has a lock; the ejection itself tells
    return fcntl.ioctl(fd, _CDROMEJECT, 0)


def _patiently(device: str, seconds: float, ask: Callable[[int], T]) -> T:
    """Asks an opened drive in a thread, which can be left behind. Raises OSError or _Hung."""
    if (earlier := _asking.get(device)) and earlier.is_alive():
        raise _Hung
    answer: list[T | OSError] = []

    def run() -> None:
        try:
            fd = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                answer.append(ask(fd))
            finally:
                os.close(fd)
        except OSError as e:
            answer.append(e)

    thread = threading.Thread(target=run, name=f"ask {device}", daemon=True)
    _asking[device] = thread
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise _Hung
    (result,) = answer
    if isinstance(result, OSError):
        raise result
    return result
