"""Telling what kind of medium lies at a place, and opening it as a source."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from kiosk.media.containers import Archive, Folder
from kiosk.media.drives import await_disc, disc_kind, last_session
from kiosk.media.iso import SECTOR, BoundedSectors, Disc, Sectors, Work
from kiosk.media.source import MediaError, Source, Unreadable
from kiosk.model.medium import Medium, MediumKind
from kiosk.policy.sections import Limits

_LOCKED = ((3, b"-FVE-FS-"), (0, b"LUKS\xba\xbe"))
_OTHER = (  # HFS+, HFS, exFAT, NTFS, FAT, ext
    (1024, b"H+"),
    (1024, b"HX"),
    (1024, b"BD"),
    (3, b"EXFAT   "),
    (3, b"NTFS    "),
    (54, b"FAT"),
    (82, b"FAT32"),
    (1080, b"\x53\xef"),
)


def identify(location: Path, limits: Limits) -> Medium:
    """What lies at `location` (block device, disc image, ZIP file or folder), from its volume
    descriptors and directory alone. Raises MediaError."""
    source = open_medium(location, limits)
    source.close()
    return source.medium


def open_medium(location: Path, limits: Limits, work: Work | None = None) -> Source:
    """The medium at `location`, opened for reading, or with `work` for a look that costs no more.
    Raises MediaError."""
    try:
        mode = location.stat().st_mode
        if stat.S_ISDIR(mode):
            return Folder(location, limits)
        if stat.S_ISBLK(mode):
            return _device(location, limits, work)
        if stat.S_ISREG(mode):
            return _file(location, limits, work)
    except OSError as e:
        raise _cannot_open(e) from e
    raise _not_a_medium()


def _device(location: Path, limits: Limits, work: Work | None) -> Source:
    optical = location.resolve().name.startswith("sr")
    if optical:
        await_disc(str(location))  # opening an empty drive would pull its tray in
    fd = os.open(location, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if optical:
            _refuse_disc_kind(disc_kind(fd, str(location)))
        return _disc(fd, MediumKind.OPTICAL, location, limits, work)
    except BaseException:
        os.close(fd)
        raise


def _file(location: Path, limits: Limits, work: Work | None) -> Source:
    with location.open("rb") as file:
        if file.read(4) in (b"PK\3\4", b"PK\5\6"):
            return Archive(location, limits)
    fd = os.open(location, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _disc(fd, MediumKind.IMAGE, location, limits, work)
    except BaseException:
        os.close(fd)
        raise


def _disc(fd: int, kind: MediumKind, location: Path, limits: Limits, work: Work | None) -> Source:
    size = os.lseek(fd, 0, os.SEEK_END)
    sectors = BoundedSectors(fd, size, work) if work else Sectors(fd, size)
    last = last_session(fd) if kind is MediumKind.OPTICAL else None  # an image has none to ask
    try:
        return Disc(sectors, kind, str(location), limits, last)
    except MediaError:
        _refuse_blank_or_locked(sectors)
        raise


def _refuse_blank_or_locked(sectors: Sectors) -> None:
    """Raises the MediaError that fits better than "no file system"."""
    try:
        start = sectors.read(0, 64 * SECTOR)
    except Unreadable:
        return
    if any(start[at : at + len(mark)] == mark for at, mark in _LOCKED):
        raise MediaError(
            "medium-encrypted",
            "The medium is locked with a password. Its scans cannot be read here. Ask the sender "
            "for a copy without a password.",
        )
    if any(start[at : at + len(mark)] == mark for at, mark in _OTHER) or b"\0NSR0" in start:
        raise MediaError(
            "medium-unsupported",
            "The medium's file system is one that is not read directly. Nothing is lost: copy "
            "its files to a folder on another computer, and import that folder.",
        )
    if not any(start):
        raise blank()


def _refuse_disc_kind(kind: str) -> None:
    if kind == "audio":
        raise MediaError(
            "medium-audio",
            "This is a music disc. There are no scans on it. Put in the disc with the scans.",
        )
    if kind == "blank":
        raise blank()


def blank() -> MediaError:
    return MediaError(
        "medium-blank",
        "The disc is empty: nothing was ever written on it. There are no scans to import. Ask "
        "the sender for another copy.",
    )


def _cannot_open(error: OSError) -> MediaError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENOMEDIUM, errno.ENXIO):
        return MediaError(
            "medium-missing",
            "There is no medium at this place. Nothing was read. Put the disc in, or check the "
            "path.",
        )
    return MediaError(
        "medium-unreadable",
        f"The medium cannot be opened ({error.strerror or 'no reason given'}). Nothing was read. "
        "Take it out, put it in again, and check that this account may read it.",
    )


def _not_a_medium() -> MediaError:
    return MediaError(
        "medium-unreadable",
        "This is neither a disc, a disc image, a ZIP file nor a folder. Nothing was read. Check "
        "the path.",
    )
