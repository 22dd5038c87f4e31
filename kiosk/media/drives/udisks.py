"""What UDisks2 does for us: a tray that the kernel does not open, and read-only mounts of file
systems that we do not read ourselves. It needs no root; polkit must allow it to this account."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbus_fast import Variant

from kiosk.media.drives.bus import ROOT, Known, Refusal, UDisks2, converse
from kiosk.media.source import MediaError

_EJECT_SECONDS = 30.0
_MOUNT_SECONDS = 60.0  # a scratched disc is slow to mount
_APPEAR_SECONDS = 3.0  # how long udev and UDisks2 may take to look at a loop device's partitions
_LOOK_AGAIN_SECONDS = 0.1
_OPTIONS = "ro,nosuid,nodev,noexec"
_GONE = ("NotMounted", "org.freedesktop.DBus.Error.Unknown")  # pulled out meanwhile
_QUIETLY = {"auth.no_user_interaction": Variant("b", True)}


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system that the kernel shows below `folder`, read-only; `filesystem` as blkid names
    it: vfat, exfat, ntfs, hfsplus, udf."""

    folder: Path
    label: str
    filesystem: str


def eject(device: str) -> None:
    """Opens the drive of this device node. Raises MediaError when UDisks2 does not."""

    async def talk(service: UDisks2) -> None:
        known = await service.known()
        drive = _of(known, await _block(service, Path(device)))["Drive"]
        await service.call(drive, "Drive", "Eject", "a{sv}", {})

    try:
        converse(talk, _EJECT_SECONDS)
    except Refusal as e:
        raise _no_help(e) from e


def mount(location: Path) -> Mount:
    """The file system of a block device or of an image file, the largest where there are several.
    Raises MediaError: `medium-missing`, `medium-encrypted`, `medium-unsupported` when there is none
    that this computer knows, `udisks-failed`."""
    if not location.exists():
        raise MediaError(
            "medium-missing",
            "The medium is gone. Nothing was read of it. Put it in again.",
        )
    try:
        return converse(lambda service: _mount(service, location), _MOUNT_SECONDS)
    except Refusal as e:
        raise _no_help(e) from e


def unmount(location: Path) -> None:
    """Takes back `mount`, whatever is left of it; nothing where nothing is mounted or the device
    is gone. Raises MediaError when it stays mounted."""
    try:
        converse(lambda service: _unmount(service, location), _MOUNT_SECONDS)
    except Refusal as e:
        if not e.absent:
            raise _no_help(e) from e


def cannot_mount() -> str:
    """Why this account cannot have anything mounted, "" when it can."""

    async def talk(service: UDisks2) -> bool:
        await service.known()
        return await service.may("filesystem-mount")

    try:
        return "" if converse(talk, _EJECT_SECONDS) else "polkit does not let this account mount"
    except Refusal as e:
        return f"UDisks2 or polkit does not answer ({e.why})"


async def _mount(service: UDisks2, location: Path) -> Mount:
    if location.is_block_device():
        return await _mount_below(service, await _block(service, location))
    loop = await _loop(service, location)
    try:
        return await _mount_below(service, loop)
    except (MediaError, Refusal):
        await service.call(loop, "Loop", "Delete", "a{sv}", _QUIETLY)
        raise


async def _mount_below(service: UDisks2, block: str) -> Mount:
    path = await _volume(service, block)
    known = await service.known()
    await _release(service, path, known.get(path, {}))
    options = {"options": Variant("s", _OPTIONS), **_QUIETLY}
    try:
        (folder,) = await service.call(path, "Filesystem", "Mount", "a{sv}", options)
    except Refusal as e:
        if e.why.startswith("NotAuthorized"):
            raise
        raise _unknown(str(_of(known, path).get("IdType", ""))) from e
    about = _of(known, path)
    return Mount(Path(folder), str(about.get("IdLabel", "")), str(about.get("IdType", "")))


async def _volume(service: UDisks2, block: str) -> str:
    """The object of the file system on a block device, or on the largest of its partitions."""
    until = time.monotonic() + _APPEAR_SECONDS
    while True:
        known = await service.known()
        found = [p for p in _with_partitions(known, block) if "Filesystem" in known[p]]
        if found:
            return max(found, key=lambda p: int(_of(known, p).get("Size", 0)))
        if any(_of(known, p).get("IdUsage") == "crypto" for p in _with_partitions(known, block)):
            raise _locked()
        if time.monotonic() > until:
            raise _unknown(str(_of(known, block).get("IdType", "")))
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _block(service: UDisks2, device: Path) -> str:
    where = {"path": Variant("s", str(device))}
    (found,) = await service.call(
        f"{ROOT}/Manager", "Manager", "ResolveDevice", "a{sv}a{sv}", where, {}
    )
    if not found:
        raise Refusal("it does not know this device")
    return str(found[0])


async def _loop(service: UDisks2, image: Path) -> str:
    fd = os.open(image, os.O_RDONLY | os.O_CLOEXEC)
    try:
        options = {"read-only": Variant("b", True), **_QUIETLY}
        arguments = (f"{ROOT}/Manager", "Manager", "LoopSetup", "ha{sv}", 0, options)
        (path,) = await service.call(*arguments, fds=[fd])
    finally:
        os.close(fd)
    return str(path)


async def _unmount(service: UDisks2, location: Path) -> None:
    known = await service.known()
    for block in [p for p in known if _lies_at(known, p, location)]:
        for path in _with_partitions(known, block):
            await _release(service, path, known[path])
        if "Loop" in known[block] and not location.is_block_device():
            await service.call(block, "Loop", "Delete", "a{sv}", _QUIETLY)


async def _release(service: UDisks2, path: str, about: Mapping[str, Mapping[str, Any]]) -> None:
    """Lazily where something still looks at it: a read-only mount has nothing to lose."""
    if not about.get("Filesystem", {}).get("MountPoints"):
        return
    options = {"force": Variant("b", True), **_QUIETLY}
    try:
        await service.call(path, "Filesystem", "Unmount", "a{sv}", options)
    except Refusal as e:
        if not e.why.startswith(_GONE):
            raise


def _lies_at(known: Known, path: str, location: Path) -> bool:
    backing = known[path].get("Loop", {}).get("BackingFile", b"")
    named = (_of(known, path).get("Device", b""), backing)
    return os.fsencode(location.resolve()) in (bytes(n).rstrip(b"\0") for n in named if n)


def _with_partitions(known: Known, block: str) -> Iterator[str]:
    if block in known:
        yield block
    for path, interfaces in known.items():
        if interfaces.get("Partition", {}).get("Table") == block:
            yield path


def _of(known: Known, path: str) -> Mapping[str, Any]:
    return known.get(path, {}).get("Block", {})


def _no_help(refusal: Refusal) -> MediaError:
    return MediaError(
        "udisks-failed",
        f"The system's disk service did not help ({refusal.why}). Nothing that was read is lost. "
        "Tell IT to see that UDisks2 runs and that this account may use it.",
    )


def _locked() -> MediaError:
    return MediaError(
        "medium-encrypted",
        "The medium is locked with a password. Its scans cannot be read here. Ask the sender "
        "for a copy without a password.",
    )


def _unknown(name: str) -> MediaError:
    format_ = f"a format ({name}) that this computer does not know" if name else "no known format"
    return MediaError(
        "medium-unsupported",
        f"The medium is written in {format_}. Nothing of it was read, nothing is lost: copy its "
        "files to a folder or a plain USB stick on the computer that wrote it, and bring that.",
    )
