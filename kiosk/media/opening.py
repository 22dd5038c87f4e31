"""Telling what kind of medium lies at a place, and opening it as a source."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from kiosk.media.archive import Archive
from kiosk.media.drives import await_disc, is_audio, is_blank, last_session
from kiosk.media.folder import Folder
from kiosk.media.iso import SECTOR, BoundedSectors, Disc, Sectors, Work, raw_layout
from kiosk.media.source import MediaError, Source, Unreadable
from kiosk.model.medium import Medium, MediumKind, kind_at
from kiosk.policy.sections import Limits

_LOCKED = ((3, b"-FVE-FS-"), (0, b"LUKS\xba\xbe"))
# File systems and partition tables that we do not read ourselves, by what lies at a byte.
_OTHER = (
    (1024, b"H+", "Mac computers (HFS+)"),
    (1024, b"HX", "Mac computers (HFS+)"),
    (1024, b"BD", "old Mac computers (HFS)"),
    (0, b"ER", "Mac computers"),
    (32, b"NXSB", "Mac computers (APFS)"),
    (3, b"EXFAT   ", "USB sticks (exFAT)"),
    (3, b"NTFS    ", "Windows disks (NTFS)"),
    (54, b"FAT", "USB sticks (FAT)"),
    (82, b"FAT32", "USB sticks (FAT)"),
    (1080, b"\x53\xef", "Linux disks (ext)"),
)
_PARTITIONED = (  # said of an image only: a disc may have such a start and be read otherwise
    (512, b"EFI PART", "disks with partitions"),
    (510, b"\x55\xaa", "disks with partitions"),
)
_PACKED = (
    (0, b"Rar!\x1a\x07", "RAR"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\0", "xz"),
    (257, b"ustar", "tar"),
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
    if kind_at(location) is not MediumKind.OPTICAL:
        raise unsupported("USB sticks and disks")  # the kernel's way in, for no file system is ours
    await_disc(str(location))  # opening an empty drive would pull its tray in
    fd = os.open(location, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if is_audio(fd):
            raise _music()
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
    raw = raw_layout(fd) if kind is MediumKind.IMAGE else None
    sectors = BoundedSectors(fd, size, work, raw) if work else Sectors(fd, size, raw)
    last = last_session(fd) if kind is MediumKind.OPTICAL else None  # an image has none to ask
    try:
        return Disc(sectors, kind, str(location), limits, last)
    except MediaError:
        _refuse_by_sight(sectors, kind)
        raise


def _refuse_by_sight(sectors: Sectors, kind: MediumKind) -> None:
    """Raises the MediaError that fits better than "no file system"."""
    try:
        start = sectors.read(0, 64 * SECTOR)
        end = sectors.read(max(0, sectors.size - 512), 4)
    except Unreadable:
        return
    if any(start[at : at + len(mark)] == mark for at, mark in _LOCKED):
        raise MediaError(
            "medium-encrypted",
            "The medium is locked with a password. Its scans cannot be read here. Ask the sender "
            "for a copy without a password.",
        )
    if packed := _first(_PACKED, start):
        raise _is_packed(packed)
    if start[128:132] == b"DICM":
        raise _is_one_scan()
    if b"TRACK 01 " in start[:4096] and b"INDEX 01 " in start[:4096]:
        raise _is_a_list_of_tracks()
    marks = _OTHER + _PARTITIONED if kind is MediumKind.IMAGE else _OTHER
    name = "discs that are written to like a stick (UDF)" if b"\0NSR0" in start else ""
    name = name or ("Mac computers (disk image)" if end == b"koly" else _first(marks, start))
    if name:
        raise unsupported(name)
    if not any(start):
        raise blank()


def _first(marks: tuple[tuple[int, bytes, str], ...], start: bytes) -> str:
    return next((name for at, mark, name in marks if start[at : at + len(mark)] == mark), "")


def unsupported(written_for: str) -> MediaError:
    """Of a medium that we do not read ourselves; the kernel may, below a mount."""
    return MediaError(
        "medium-unsupported",
        f"The medium is written in a way that is meant for {written_for} and cannot be read here. "
        "Nothing is lost: copy its files to a plain USB stick on a computer that reads it, and "
        "bring that; or ask the sender for a CD.",
    )


def _is_packed(name: str) -> MediaError:
    return MediaError(
        "medium-packed",
        f"This is a packed file ({name}), which is not opened here. Nothing was read, nothing is "
        "lost: unpack it on another computer, and bring the folder or a ZIP file of it.",
    )


def _is_one_scan() -> MediaError:
    return MediaError(
        "medium-unreadable",
        "This is a single scan, not a medium. Nothing was read. Bring the folder in which it lies.",
    )


def _is_a_list_of_tracks() -> MediaError:
    return MediaError(
        "medium-unreadable",
        "This is only the list of tracks of a disc image (.cue), there are no scans in it. Nothing "
        "was read. Bring the large file that lies beside it (.bin or .img).",
    )


def refuse_blank(location: Path) -> None:
    """Raises the MediaError for a disc on which nothing was ever written: only udev knows, whom the
    child that reads cannot ask."""
    if is_blank(location):
        raise blank()


def _music() -> MediaError:
    return MediaError(
        "medium-audio",
        "This is a music disc. There are no scans on it. Put in the disc with the scans.",
    )


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
