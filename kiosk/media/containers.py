"""Folders (a mounted stick, an unpacked download) and ZIP files as sources."""

from __future__ import annotations

import errno
import hashlib
import lzma
import os
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kiosk.media.iso import gone
from kiosk.media.refusals import HEAD, refuse_kind, refuse_path, refuse_size, shown
from kiosk.media.source import Deadline, Entry, Listing, MediaError, Piece, never
from kiosk.model.content import Finding, Severity
from kiosk.model.medium import Medium, MediumKind, Span
from kiosk.policy.sections import Limits

_CHUNK = 1 << 20
_CAREFUL_CHUNK = 4096
_PROBE, _PROBES = 1 << 15, 64  # bytes of so many files, to know a folder again
_MOST_ZIP_DIRECTORY = 16 << 20  # 100,000 entries and more
_ZIP_ALLOWANCE = 1 << 30  # a ZIP may unpack to this much, or to so many times its size:
_ZIP_RATIO = 200


class Folder:
    """A folder's tree, no symbolic link followed, neither now nor when its files are opened."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self._limits = limits
        self._digest = hashlib.sha256()
        self._fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._left = limits.directory_records
        self._deadline: Deadline = never
        self.listing = Listing()
        self._scan()
        self._probe()
        self.medium = Medium(
            kind=MediumKind.FOLDER,
            location=str(root),
            label=root.resolve().name,
            filesystem="dir",
            fingerprint=f"sha256:{self._digest.hexdigest()}",
            bytes=sum(e.bytes for e in self.listing.entries),
        )

    def pieces(self, entry: Entry, span: Span) -> Iterator[Piece]:
        return self._read(entry, span, _CHUNK)

    def ladder(self, entry: Entry, span: Span, step: int) -> Iterator[Piece]:
        return self._read(entry, span, _CAREFUL_CHUNK)

    def _read(self, entry: Entry, span: Span, chunk: int) -> Iterator[Piece]:
        try:
            fd = self._open(entry.where, os.O_RDONLY)
        except OSError:
            yield span
            return
        try:
            yield from _file_pieces(fd, span, chunk, self._deadline)
        finally:
            os.close(fd)

    def start(self, entry: Entry, length: int) -> bytes:
        try:
            fd = self._open(entry.where, os.O_RDONLY)
        except OSError:
            return b""
        try:
            return os.pread(fd, min(length, entry.bytes), 0)
        except OSError:
            return b""
        finally:
            os.close(fd)

    def check_present(self) -> None:
        try:
            os.scandir(self._fd).close()
        except OSError as e:
            raise gone() from e
        if not _is_plugged_in(self._fd):
            raise gone()

    def slow_down(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def tried(self, earlier: Sequence[Span]) -> None:
        """A file system does not say where its files lie."""

    def damage(self, missing: Iterable[tuple[Entry, Span]]) -> tuple[list[Span], list[Span]]:
        return [], []

    def close(self) -> None:
        os.close(self._fd)

    def _open(self, parts: tuple[str, ...], flags: int) -> int:
        """Opens what lies at `parts` below the root, each component without following links."""
        safe = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.dup(self._fd)
        for number, part in enumerate(parts, 1):
            kind = flags if number == len(parts) else os.O_RDONLY | os.O_DIRECTORY
            try:
                following = os.open(part, kind | safe, dir_fd=fd)
            finally:
                os.close(fd)
            fd = following
        return fd

    def _scan(self) -> None:
        waiting: list[tuple[str, ...]] = [()]
        while waiting and self._left > 0:
            parts = waiting.pop()
            self.listing.directories += bool(parts)
            try:
                fd = self._open(parts, os.O_RDONLY | os.O_DIRECTORY)
            except OSError:
                self._unreadable_folder(parts)
                continue
            try:
                with os.scandir(fd) as items:
                    below = [self._item(item, parts) for item in self._bounded(items)]
            except OSError:
                self._unreadable_folder(parts)
                below = []
            finally:
                os.close(fd)
            waiting += sorted((p for p in below if p), reverse=True)
        self.listing.entries.sort(key=lambda e: e.untrusted_path)

    def _bounded(self, items: Iterator[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
        for item in items:
            self._left -= 1
            if self._left < 0:
                detail = _TOO_MANY.format(limit=self._limits.directory_records)
                self.listing.findings.append(Finding("limit-records", Severity.UNSAFE, "", detail))
                return
            yield item

    def _item(self, item: os.DirEntry[str], parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """Enters a file; returns a folder to go into."""
        here = (*parts, item.name)
        kind, size = _kind_and_size(item)
        if kind == "folder" and len(here) <= self._limits.depth:
            return here
        text = tuple(os.fsencode(p).decode("utf-8", "backslashreplace") for p in here)
        refused = (
            refuse_path(text, self._limits)
            or refuse_kind("/".join(text), kind)
            or refuse_size("/".join(text), size, self._limits)
        )
        self.listing.entries.append(Entry("/".join(text), size, here, refused))
        return None

    def _probe(self) -> None:
        """Names and sizes alone can be the same for two people: the start of the DICOMDIR goes
        into the fingerprint too, or else of a file of each folder, for a viewer comes first."""
        entries = [e for e in self.listing.entries if not e.refused]
        for entry in self.listing.entries:
            self._digest.update(f"{entry.untrusted_path}\0{entry.bytes}\n".encode())
        named = [e for e in entries if e.untrusted_path.upper() == "DICOMDIR"]
        for entry in named[:1] or _one_of_each_folder(entries):
            self._digest.update(self.start(entry, _PROBE))

    def _unreadable_folder(self, parts: tuple[str, ...]) -> None:
        where = shown("/".join(os.fsencode(p).decode("utf-8", "backslashreplace") for p in parts))
        detail = (
            "This folder cannot be opened. What is in it was not read. Check that this account "
            "may read it, or copy the medium again."
        )
        self.listing.findings.append(Finding("folder-unreadable", Severity.ERROR, where, detail))


def _one_of_each_folder(entries: Sequence[Entry]) -> list[Entry]:
    """The last file of each folder that may be a scan, of at most so many folders, evenly."""
    lasts = {e.untrusted_path.rpartition("/")[0]: e for e in entries if e.bytes > HEAD}
    found, few = list(lasts.values()), min(len(lasts), _PROBES)
    return [found[n * len(found) // few] for n in range(few)]


def _is_plugged_in(fd: int) -> bool:
    """Whether the device below a mounted folder is still there: a file system whose stick was
    pulled out answers on from memory, and its files look damaged (sysfs, dev/block)."""
    device = os.fstat(fd).st_dev
    known = Path("/sys/dev/block")
    number = f"{os.major(device)}:{os.minor(device)}"
    return not os.major(device) or not known.exists() or (known / number).exists()


def _kind_and_size(item: os.DirEntry[str]) -> tuple[str, int]:
    """What a folder's entry is; one that cannot be asked is a file, and will be unreadable."""
    try:
        about = item.stat(follow_symlinks=False)
    except OSError:
        return "file", 0
    if stat.S_ISREG(about.st_mode):
        return "file", about.st_size
    if stat.S_ISDIR(about.st_mode):
        return "folder", 0
    return ("symlink" if stat.S_ISLNK(about.st_mode) else "device"), 0


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
        allowance = max(_ZIP_ALLOWANCE, _ZIP_RATIO * path.stat().st_size)
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


def _file_pieces(fd: int, span: Span, step: int, deadline: Deadline) -> Iterator[Piece]:
    """The range as pieces; what cannot be read, or is not there any more, as Spans."""
    at, end = span.start, span.start + span.length
    while at < end:
        size = min(step, end - at)
        try:
            data = b"" if time.monotonic() > deadline() else os.pread(fd, size, at)
        except OSError as e:
            if e.errno in (errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM):
                raise gone() from e
            yield Span(at, size)
            at += size
            continue
        if not data:
            yield Span(at, end - at)
            return
        yield data
        at += len(data)


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
    if length > _MOST_ZIP_DIRECTORY:
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


_TOO_MANY = (
    "The folder lists more than {limit} files and folders. The rest was not looked at. A medium "
    "with scans is never like this: ask for a copy with the scans only."
)
