"""Which drives and sticks there are, and when that changes: udev tells, each change said once."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pyudev

from kiosk.media.drives.optical import optical_drives
from kiosk.media.drives.sticks import sticks
from kiosk.model.medium import Drive, DriveState

_SETTLE_SECONDS = 0.5  # kernel and udev send an insertion twice, 0.2 s apart
_ASK_AGAIN_SECONDS = 1.0
_NOT_PLUGGED_IN = ("loop", "dm-", "md", "zram", "ram", "nbd")
_STOP, _NOTHING, _SOMETHING = "stop", "", "something"


def drives() -> tuple[Drive, ...]:
    """The optical drives and the sticks that udev knows, by serial."""
    return tuple(sorted(_present(pyudev.Context()), key=lambda d: d.serial))


def _present(context: pyudev.Context) -> list[Drive]:
    return [*optical_drives(context), *sticks(context)]


class Watch:
    """Calls `on_change` with each drive and stick at the start, and with one whenever its state
    changes or another medium is in it, from a thread of its own, until `stop`."""

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
            changed = set()
            until = time.monotonic() + _SETTLE_SECONDS
            while event:
                if event == _STOP:
                    return
                changed.add(event)
                event = self._next(max(0.0, until - time.monotonic()))

    def _next(self, seconds: float | None) -> str:
        """The node of a device with a fresh medium, `something` for any other event, `stop`, or
        "" when time is up."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            wait = None if until is None else max(0.0, until - time.monotonic())
            ready, _, _ = select.select([self._stop, self._monitor.fileno()], [], [], wait)
            if self._stop in ready:
                return _STOP
            if not ready:
                return _NOTHING
            device = self._monitor.poll(0)
            if device is not None and not device.sys_name.startswith(_NOT_PLUGGED_IN):
                return _fresh(device) or _SOMETHING

    def _compare(self, changed: set[str]) -> None:
        present = {d.serial: d for d in _present(self._context)}
        for serial, drive in present.items():
            fresh = drive.state is DriveState.DISC_OK and drive.device in changed
            if fresh or self._known.get(serial) != drive:
                self._on_change(drive)
        for serial in self._known.keys() - present.keys():
            self._on_change(replace(self._known[serial], state=DriveState.UNPLUGGED))
        self._known = present


def _fresh(device: pyudev.Device) -> str:
    """The node of a device that was plugged in, or that says it has another medium: a mount or a
    changed label is an event too."""
    known = device.properties
    new = device.action == "add" or known.get("DISK_MEDIA_CHANGE") == "1"
    return str(device.device_node) if new and known.get("DEVTYPE") != "partition" else ""


def watch(on_change: Callable[[Drive], None]) -> Watch:
    """Starts watching all drives and sticks."""
    return Watch(on_change)
