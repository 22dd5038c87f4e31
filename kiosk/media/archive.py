"""A ZIP file as a source."""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kiosk.media.iso import gone
from kiosk.media.refusals import refuse_kind, refuse_path, refuse_size, shown
from kiosk.media.source import Deadline, Entry, Listing, MediaError, Piece
from kiosk.model.content import Finding, Severity
from kiosk.model.medium import Medium, MediumKind, Span
from kiosk.policy.sections import Limits

_CHUNK = 1 << 20
_MOST_DIRECTORY = 16 << 20  # 100,000 entries and more
_ALLOWANCE = 1 << 30  # a ZIP may unpack to this much, or to so many times its size:
_RATIO = 200


class Archive:
    """A ZIP file. Raises MediaError when it is no ZIP after all, or locked as a whole."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        self._path = path
        _refuse_huge_directory(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except _ZIP_ERRORS as e:
            raise _damaged_zip() from e
        self.listing = Listing()
        digest = hashlib.sha256()
        folders: set[tuple[str, ...]] = set()
        allowance = max(_ALLOWANCE, _RATIO * path.stat().st_size)
        for info in sorted(self._zip.infolist(), key=lambda i: i.header_offset):
            parts = _zip_parts(info)
            digest.update(f"{'/'.join(parts)}\0{info.file_size}\0{info.CRC}\n".encode())
            folders.update(parts[:n] for n in range(1, min(len(parts), limits.depth + 1)))
            if info.filename.endswith("/"):
                folders.add(parts)
                continue
            entry = self._entry(info, parts, allowance)
            allowance -= 0 if entry.refused else entry.bytes
            self.listing.entries.append(entry)
        self._refuse_locked()
        self.listing.directories = len(folders)
        self.medium = Medium(
            kind=MediumKind.ZIP,
            location=str(path),
            label=path.stem,
            filesystem="zip",
            fingerprint=f"sha256:{digest.hexdigest()}",
            bytes=path.stat().st_size,
        )

    def pieces(self, entry: Entry, span: Span) -> Iterator[Piece]:
        at, end = 0, span.start + span.length
        try:
            with self._zip.open(entry.where) as body:
                while chunk := body.read(_CHUNK):
                    at += len(chunk)
                    if at > span.start:
                        yield chunk[-(at - span.start) :]
        except _ZIP_ERRORS:
            # What came before a wrong checksum at the end may be wrong anywhere.
            yield Span(max(at, span.start), end - max(at, span.start)) if at < end else span
            return
        if at < end:
            yield Span(max(at, span.start), end - max(at, span.start))  # less than it states

    def ladder(self, entry: Entry, span: Span, step: int) -> Iterator[Piece]:
        yield span  # a damaged ZIP is damaged every time

    def start(self, entry: Entry, length: int) -> bytes:
        try:
            with self._zip.open(entry.where) as body:
                return body.read(length)
        except _ZIP_ERRORS:
            return b""

    def check_present(self) -> None:
        if not self._path.exists():
            raise gone()

    def slow_down(self, deadline: Deadline) -> None:
        """A file has no speed to set."""

    def tried(self, earlier: Sequence[Span]) -> None:
        """A packed file has no places of its own."""

    def damage(self, missing: Iterable[tuple[Entry, Span]]) -> tuple[list[Span], list[Span]]:
        return [], []

    def close(self) -> None:
        self._zip.close()

    def _entry(self, info: zipfile.ZipInfo, parts: tuple[str, ...], allowance: int) -> Entry:
        path, mode = "/".join(parts), info.external_attr >> 16
        kind = "symlink" if stat.S_ISLNK(mode) else "file"
        if info.flag_bits & 1:
            kind = "encrypted"
        refused = (
            refuse_path(parts, self._limits)
            or refuse_kind(path, kind)
            or refuse_size(path, info.file_size, self._limits)
            or (_expands(path) if info.file_size > allowance else None)
        )
        return Entry(path, info.file_size, info, refused)

    def _refuse_locked(self) -> None:
        refused = [e.refused for e in self.listing.entries]
        if refused and all(r and r.code == "encrypted-refused" for r in refused):
            raise MediaError(
                "medium-encrypted",
                "The ZIP file is locked with a password. Its scans cannot be read here. Unpack "
                "it with the password, or ask the sender for a copy without one.",
            )


_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
    OverflowError,
    struct.error,
    OSError,
)


def _zip_parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    """The components of an entry's name; the encoding guessed where the flag for UTF-8 is unset,
    a backslash taken for a separator where no slash is (old Windows packers)."""
    name = info.filename
    if not info.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    if "\\" in name and "/" not in name:
        name = name.replace("\\", "/")
    return tuple(name.removesuffix("/").split("/"))


def _refuse_huge_directory(path: Path) -> None:
    """A ZIP's directory is held in memory: its size is looked at first (APPNOTE 4.3.16)."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 65_557))
        tail = file.read()
    at = tail.rfind(b"PK\5\6")
    length = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    wide = tail.rfind(b"PK\6\6")
    if length == 0xFFFFFFFF and wide >= 0:
        length = int.from_bytes(tail[wide + 40 : wide + 48], "little")
    if length > _MOST_DIRECTORY:
        raise MediaError(
            "limit-records",
            "The ZIP file lists far more files than a medium with scans does. It was not read. "
            "Ask the sender for one with the scans only.",
            Severity.UNSAFE,
        )


def _expands(path: str) -> Finding:
    return Finding(
        "limit-expansion",
        Severity.UNSAFE,
        shown(path),
        "The ZIP file would unpack to far more than scans ever do. This entry was not read. Ask "
        "the sender for a copy.",
    )


def _damaged_zip() -> MediaError:
    return MediaError(
        "medium-unreadable",
        "The ZIP file is damaged or incomplete. No scans were read. Download it again, or ask "
        "the sender for a copy.",
    )
