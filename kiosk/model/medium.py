"""What was brought: drives, media, the files staged from them, and how well they could be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kiosk.model.plain import from_plain


class MediumKind(StrEnum):
    OPTICAL = "optical"
    USB = "usb"
    IMAGE = "image"
    ZIP = "zip"
    FOLDER = "folder"
    NETWORK = "network"  # sent to us by C-STORE or STOW-RS


def kind_at(location: Path) -> MediumKind:
    """What kind of medium a place can hold, by what is there alone: the file is not looked into."""
    if location.is_dir():
        return MediumKind.FOLDER
    if not location.is_block_device():
        return MediumKind.IMAGE
    optical = location.resolve().name.startswith("sr")
    return MediumKind.OPTICAL if optical else MediumKind.USB


class DriveState(StrEnum):
    NO_DISC = "no-disc"
    TRAY_OPEN = "tray-open"
    NOT_READY = "not-ready"
    DISC_OK = "disc-ok"
    SICK = "sick"  # hung in the kernel or failed too often: left alone, and said
    UNPLUGGED = "unplugged"


@dataclass(frozen=True, slots=True)
class Drive:
    """What a medium is put into, or a stick itself, keyed by its serial: device names change when
    it is replugged. `volumes` are the device nodes of a stick's file systems."""

    serial: str
    device: str
    name: str = ""
    state: DriveState = DriveState.NO_DISC
    kind: MediumKind = MediumKind.OPTICAL
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Medium:
    """A medium's identity. `fingerprint` is `sha256:` over its volume descriptors, its first
    folders and the start of its DICOMDIR (or the names and sizes of a folder or ZIP): equal for the
    same disc put in again. Not `sure` where a part of that could not be read: then it may come out
    otherwise the next time."""

    kind: MediumKind
    location: str  # device node or path; where it was, not what it is
    label: str = ""
    filesystem: str = ""  # iso9660 joliet rockridge udf dir zip
    fileset_id: str = ""
    fingerprint: str = ""
    bytes: int = 0
    sure: bool = True
    maker: str = ""  # the program that wrote it, as it says itself


class FileState(StrEnum):
    WHOLE = "whole"  # every byte is in the vault
    HURT = "hurt"  # in the vault, the ranges in `missing` are zero-filled
    UNREADABLE = "unreadable"  # nothing of it could be read
    REFUSED = "refused"  # not read, by a limit or as unsafe; a finding says which
    LISTED = "listed"  # a program: entered by name, its body not copied


@dataclass(frozen=True, slots=True)
class Span:
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class StagedFile:
    """One file of the medium: a line of the manifest. Its bytes lie in the staging folder under
    `staged_name(number)`; the medium's own path is kept as text and never used as a path. `bytes`
    is the length that the medium states; a missing range that reaches the end is left off, so the
    staged bytes can be fewer."""

    number: int
    untrusted_path: str  # components joined by "/", as the medium spells them
    bytes: int
    sha256: str = ""  # hex of the staged bytes; "" when nothing was staged
    state: FileState = FileState.WHOLE
    missing: tuple[Span, ...] = ()


MADE = 50_000_000
"""File numbers from here on are of files that were made here: no medium has so many."""


def made_here(number: int) -> bool:
    """Whether a staged file was made here: no medium's hash is of it."""
    return number >= MADE


def staged_name(number: int) -> str:
    """The file's name below the staging folder: ours, never the medium's."""
    return f"{number:08d}"


MANIFEST = "manifest.jsonl"


def read_manifest(folder: Path) -> Iterator[StagedFile]:
    """The manifest's lines, newest state of each file number last. A torn last line (power loss
    between write and fsync) ends the reading: what was not synced was not promised."""
    path = folder / MANIFEST
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                return
            yield from_plain(StagedFile, json.loads(line))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a read is. `phase` is `first look`, `copying`, `retrying` or `checking`;
    `seconds_left` what is left of the patience with damage while `retrying`, else -1."""

    phase: str
    bytes_done: int = 0
    bytes_total: int = 0
    files_done: int = 0
    files_total: int = 0
    note: str = ""
    seconds_left: int = -1


@dataclass(frozen=True, slots=True)
class Visit:
    """One time that a medium was read: where, in how many passes, how many bytes it added."""

    location: str
    passes: int = 1
    seconds: float = 0.0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class SectorMap:
    """What no visit could read yet, as byte ranges of the medium: `bad` was tried in vain,
    `untried` is where a larger read failed and the time was up. All else is in the vault."""

    bad: tuple[Span, ...] = ()
    untried: tuple[Span, ...] = ()
    visits: tuple[Visit, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What all visits together achieved. `unreadable` are byte ranges of the medium that were tried
    in vain, `untried` those that were given up for want of time; `passes` are the last visit's."""

    medium: Medium
    files: int
    directories: int
    bytes: int
    unreadable: tuple[Span, ...] = ()
    passes: int = 1
    seconds: float = 0.0
    untried: tuple[Span, ...] = ()

    @property
    def damaged(self) -> bool:
        """Whether another visit may add something."""
        return bool(self.unreadable or self.untried)
