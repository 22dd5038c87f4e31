"""USB sticks, USB disks and memory cards: what a patient brings that is no disc.

Each is known by its serial; a slot of a card reader counts while a card is in it. What this
computer itself lives on is never touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyudev

from kiosk.media.drives.naming import named
from kiosk.model.medium import Drive, DriveState, MediumKind

_FOR_PEOPLE = ("/media/", "/run/media/")  # where desktops and UDisks2 mount what is plugged in
_READABLE = ("filesystem", "crypto")  # a locked one is said, not overlooked
# Partitions that start a computer or mend it (GUID, or type of a DOS partition table).
_NOT_FOR_FILES = {
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",  # EFI system
    "e3c9e316-0b5c-4db8-817d-f92df00215ae",  # Microsoft reserved
    "de94bba4-06d1-4d40-a16a-bfd50179d6ac",  # Windows recovery
    "0xef",
    "0x27",
}


def sticks(context: pyudev.Context) -> Iterator[Drive]:
    """Those that are plugged in and hold something, with the device nodes of their file systems."""
    disks = context.list_devices(subsystem="block", DEVTYPE="disk")
    busy = _mounted_elsewhere()
    for serial, name, disk in named(d for d in disks if _is_stick(d)):
        parts = _partitions(context, disk)
        if not _has_medium(disk) or any(_is_in_use(d, busy) for d in (disk, *parts)):
            continue
        ready = all("USEC_INITIALIZED" in d.properties for d in (disk, *parts))  # by udev
        state = DriveState.DISC_OK if ready else DriveState.NOT_READY
        volumes = tuple(_volumes(disk, parts)) if ready else ()
        yield Drive(serial, str(disk.device_node), name, state, MediumKind.USB, volumes)


def _is_stick(disk: pyudev.Device) -> bool:
    if disk.properties.get("ID_CDROM") == "1" or not disk.device_node:
        return False
    return disk.properties.get("ID_BUS") == "usb" or _attribute(disk, "device/type") == "SD"


def _has_medium(disk: pyudev.Device) -> bool:
    return _attribute(disk, "size") not in ("", "0")


def _attribute(disk: pyudev.Device, name: str) -> str:
    try:
        return bytes(disk.attributes.get(name) or b"").decode("ascii", "replace").strip()
    except OSError:
        return ""


def _partitions(context: pyudev.Context, disk: pyudev.Device) -> list[pyudev.Device]:
    children = context.list_devices(subsystem="block", DEVTYPE="partition", parent=disk)
    return sorted(children, key=lambda d: int(d.properties.get("PARTN") or d.sys_number or 0))


def _volumes(disk: pyudev.Device, parts: list[pyudev.Device]) -> Iterator[str]:
    """A file system over the whole stick hides what a partition table says."""
    for device in [disk] if _readable(disk) else parts:
        kind = str(device.properties.get("ID_PART_ENTRY_TYPE", "")).lower()
        if _readable(device) and kind not in _NOT_FOR_FILES:
            yield str(device.device_node)


def _readable(device: pyudev.Device) -> bool:
    return device.properties.get("ID_FS_USAGE") in _READABLE


def _is_in_use(device: pyudev.Device, busy: set[str]) -> bool:
    """Whether the computer itself lives on it: mounted as a part of it, or held by LVM and kin."""
    holders = Path(device.sys_path) / "holders"
    held = holders.is_dir() and any(holders.iterdir())
    number = device.device_number
    return held or f"{os.major(number)}:{os.minor(number)}" in busy


def _mounted_elsewhere() -> set[str]:
    """Device numbers of what is mounted, unless it is where people's media are (proc(5))."""
    lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    fields = (line.split() for line in lines)
    return {f[2] for f in fields if len(f) > 4 and not f[4].startswith(_FOR_PEOPLE)}
