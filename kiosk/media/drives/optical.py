"""Optical drives: which there are, what state they are in, when that changes, and the tray.

A drive is known by its serial: its device name changes when it is plugged in again. A drive that
hangs in the kernel is left to the thread that asked it, called sick, and the others carry on.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pyudev

from kiosk.media.drives import udisks
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
_SETTLE_SECONDS = 0.5  # kernel and udev send an insertion twice, 0.2 s apart
_ASK_AGAIN_SECONDS = 1.0

T = TypeVar("T")


class _Hung(Exception):
    """The drive does not answer."""


# One thread per device that has not come back: asking a hung drive again would only add threads.
_asking: dict[str, threading.Thread] = {}


def drives() -> tuple[Drive, ...]:
    """The optical drives that udev knows, by serial."""
    return tuple(sorted(_present(pyudev.Context()), key=lambda d: d.serial))


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


class Watch:
    """Calls `on_change` with each drive at the start, and with a drive whenever its state changes
    or another disc is in it, from a thread of its own, until `stop`."""

    def __init__(self, on_change: Callable[[Drive], None]) -> None:
        self._on_change = on_change
        self._context = pyudev.Context()
        self._monitor = pyudev.Monitor.from_netlink(self._context)
        self._monitor.filter_by("block")
        self._monitor.start()
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._known: dict[str, Drive] = {}
        self._thread = threading.Thread(target=self._run, name="drives", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        os.close(self._stop)

    def _run(self) -> None:
        changed: set[str] = set()
        while True:
            self._compare(changed)
            unsettled = any(d.state is DriveState.NOT_READY for d in self._known.values())
            event = self._next(_ASK_AGAIN_SECONDS if unsettled else None)
            if event == "stop":
                return
            changed = {event} if event else set()
            until = time.monotonic() + _SETTLE_SECONDS
            while event and (left := until - time.monotonic()) > 0:
                event = self._next(left)
                if event == "stop":
                    return
                changed |= {event} if event else set()

    def _next(self, seconds: float | None) -> str:
        """The device node of the next drive event, `stop`, or "" when time is up."""
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            wait = None if until is None else max(0.0, until - time.monotonic())
            ready, _, _ = select.select([self._stop, self._monitor.fileno()], [], [], wait)
            if self._stop in ready:
                return "stop"
            device = self._monitor.poll(0) if ready else None
            if device is not None and _is_optical(device):
                return str(device.device_node or device.sys_path)
        return ""

    def _compare(self, changed: set[str]) -> None:
        present = {d.serial: d for d in _present(self._context)}
        for serial, drive in present.items():
            swapped = drive.device in changed and drive.state is DriveState.DISC_OK
            if swapped or self._known.get(serial) != drive:
                self._on_change(drive)
        for serial in self._known.keys() - present.keys():
            self._on_change(replace(self._known[serial], state=DriveState.UNPLUGGED))
        self._known = present


def watch(on_change: Callable[[Drive], None]) -> Watch:
    """Starts watching all optical drives."""
    return Watch(on_change)


def await_disc(device: str) -> None:
    """Waits for a disc to spin up. Raises MediaError when there is none, or no answer."""
    until = time.monotonic() + _SPIN_UP_SECONDS
    while (state := _state(device)) is DriveState.NOT_READY and time.monotonic() < until:
        time.sleep(_ASK_AGAIN_SECONDS / 2)
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


def disc_kind(fd: int, device: str) -> str:
    """`audio`, `blank` or `data`, as udev or the drive say; `data` where neither can."""
    try:
        known = pyudev.Devices.from_device_file(pyudev.Context(), device).properties
    except (pyudev.DeviceNotFoundError, OSError, ValueError):
        known = {}
    if known.get("ID_CDROM_MEDIA_STATE") == "blank":
        return "blank"
    try:
        status = fcntl.ioctl(fd, _CDROM_DISC_STATUS, 0)
    except OSError:
        status = 0
    return "audio" if status == _AUDIO_DISC else "data"


def last_session(fd: int) -> int | None:
    """The sector at which the drive's table of contents says that the last session starts."""
    request = bytearray(struct.pack("@iBB2x", 0, 0, _LBA))
    try:
        fcntl.ioctl(fd, _CDROMMULTISESSION, request)
    except OSError:
        return None
    address, several = struct.unpack_from("@iB", request)
    return int(address) if several else None


def _present(context: pyudev.Context) -> list[Drive]:
    found = [d for d in context.list_devices(subsystem="block") if _is_optical(d) and d.device_node]
    serials = Counter(_serial(d) for d in found)
    return [_drive(d, unique=serials[_serial(d)] == 1) for d in found]


def _is_optical(device: pyudev.Device) -> bool:
    return device.properties.get("ID_CDROM") == "1" or str(device.sys_name).startswith("sr")


def _serial(device: pyudev.Device) -> str:
    known = device.properties
    return str(known.get("ID_SERIAL") or known.get("ID_PATH") or device.sys_name)


def _drive(device: pyudev.Device, unique: bool) -> Drive:
    serial = _serial(device)
    if not unique:  # two of a kind without a serial number: told apart by where they are plugged
        serial = f"{serial}@{device.properties.get('ID_PATH') or device.sys_name}"
    name = str(device.properties.get("ID_MODEL") or "").replace("_", " ").strip()
    return Drive(serial, str(device.device_node), name, _state(str(device.device_node)))


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
