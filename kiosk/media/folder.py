"""A folder (a mounted stick, an unpacked download) as a source."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from kiosk.media.iso import gone
from kiosk.media.refusals import HEAD, refuse_kind, refuse_path, refuse_size, shown
from kiosk.media.source import Deadline, Entry, Listing, Piece, divided, never
from kiosk.model.content import Finding, Severity
from kiosk.model.medium import Medium, MediumKind, Span
from kiosk.policy.sections import Limits

_CHUNK = 1 << 20
_CAREFUL_CHUNK = 4096
_PROBE, _PROBES = 1 << 15, 64  # bytes of so many files, to know a folder again


class Folder:
    """A folder's tree, no symbolic link followed, neither now nor when its files are opened."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self._limits = limits
        self._digest = hashlib.sha256()
        self._fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._left = limits.directory_records
        self._deadline: Deadline = never
        self._sure = True
        self.listing = Listing()
        self._scan()
        self._probe()
        self._tried: list[Span] = []
        sizes = accumulate((e.bytes for e in self.listing.entries), initial=0)
        self._begins = dict(zip((e.where for e in self.listing.entries), sizes, strict=False))
        self.medium = Medium(
            kind=MediumKind.FOLDER,
            location=str(root),
            label=root.resolve().name,
            filesystem="dir",
            fingerprint=f"sha256:{self._digest.hexdigest()}",
            bytes=sum(e.bytes for e in self.listing.entries),
            sure=self._sure,
        )

    def pieces(self, entry: Entry, span: Span) -> Iterator[Piece]:
        return self._read(entry, span, _CHUNK)

    def ladder(self, entry: Entry, span: Span, step: int) -> Iterator[Piece]:
        for piece in self._read(entry, span, _CAREFUL_CHUNK):
            if isinstance(piece, Span) and time.monotonic() <= self._deadline():
                self._tried.append(self._placed(entry, piece))
            yield piece

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
        """There is no better order than that of the files."""

    def damage(self, missing: Iterable[tuple[Entry, Span]]) -> tuple[list[Span], list[Span]]:
        return divided((self._placed(e, span) for e, span in missing), self._tried)

    def _placed(self, entry: Entry, span: Span) -> Span:
        """A range of a file in the folder as a whole, its files end to end."""
        return Span(self._begins[entry.where] + span.start, span.length)

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
            found = self.start(entry, _PROBE)
            self._digest.update(found)
            self._sure &= len(found) == min(_PROBE, entry.bytes)

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


_TOO_MANY = (
    "The folder lists more than {limit} files and folders. The rest was not looked at. A medium "
    "with scans is never like this: ask for a copy with the scans only."
)
