"""The staging folder: files under our own names, a manifest that never promises more than is on
the disk, and resuming where a killed read stopped (RELIABILITY 3)."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiosk.media.source import MediaError, Piece
from kiosk.model.content import FINDINGS, Finding
from kiosk.model.medium import (
    MANIFEST,
    FileState,
    Medium,
    SectorMap,
    Span,
    StagedFile,
    staged_name,
)
from kiosk.model.plain import NotPlain, from_plain, to_plain

MEDIUM, SECTORS = "medium.json", "sectors.json"
_GROUP_BYTES = 32 << 20
_GROUP_FILES = 256
_GROUP_LINES = 4096
_ROOM_LEFT = 64 << 20  # for the manifest, and for whoever else writes meanwhile


Known = Callable[[Medium, Sequence[StagedFile]], bool]


@dataclass(slots=True)
class _Group:
    """Files that become durable together."""

    lines: list[StagedFile] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    bytes: int = 0

    @property
    def full(self) -> bool:
        return (
            self.bytes >= _GROUP_BYTES
            or len(self.parts) >= _GROUP_FILES
            or len(self.lines) >= _GROUP_LINES
        )


class Staging:
    """One medium's folder, held by one reader at a time. `known` is what earlier readers promised,
    `done` the newest promised state of each file number whose bytes are there. Raises MediaError
    when the folder holds another medium than the one that `is_known`."""

    def __init__(self, folder: Path, medium: Medium, is_known: Known) -> None:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            _fsync(folder.parent)
        self.folder = folder
        self._fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._group = _Group()
        self._writer = ThreadPoolExecutor(1, "staging")  # the disk works while the medium is read
        self._under_way: Future[_Group] | None = None
        try:
            self._hold()
            self.known = self._recover()
            self._adopt(medium, is_known)
        except BaseException:
            os.close(self._fd)
            raise
        self.done = {n: f for n, f in self.known.items() if self._present(f)}

    def close(self) -> None:
        """Drops what was not committed and lets go of the folder."""
        self._writer.shutdown()
        for part in self.folder.glob("*.part"):
            part.unlink()
        os.close(self._fd)

    def stage(
        self, file: StagedFile, pieces: Iterator[Piece], worth_it: Callable[[], bool] = lambda: True
    ) -> StagedFile:
        """Writes one file's bytes; the result is `file` with its hash, state and missing ranges.
        Nothing is promised before `commit`, and nothing changes when in the end it is not
        `worth_it`."""
        with self._part(file.number) as out:
            staged = _write(file, pieces, out)
        if staged.state is FileState.UNREADABLE or not worth_it():
            (self.folder / _part_name(file.number)).unlink()
        else:
            self._group.parts.append(file.number)
        if worth_it():
            self.enter(staged)
        return staged

    def enter(self, file: StagedFile) -> None:
        """Adds a line to the manifest, with the others of its group."""
        self._group.lines.append(file)
        self._group.bytes += file.bytes
        if self._group.full:
            self._hand_over()

    def commit(self) -> None:
        """When it returns, all that was staged and entered is promised. Raises OSError."""
        self._hand_over()
        self._settle()

    def _hand_over(self) -> None:
        self._settle()
        self._under_way = self._writer.submit(self._commit, self._group)
        self._group = _Group()

    def _settle(self) -> None:
        if self._under_way is not None:
            group = self._under_way.result()
            self.done |= {line.number: line for line in group.lines}
            self._under_way = None

    def _commit(self, group: _Group) -> _Group:
        """Bytes, names, then the promise: each is on the disk before the next is written."""
        for number in group.parts:
            _fsync(self.folder / _part_name(number))
        for number in group.parts:
            part = self.folder / _part_name(number)
            part.rename(self.folder / staged_name(number))
        if group.parts:
            os.fsync(self._fd)
        if group.lines:
            self._append("".join(json.dumps(to_plain(line)) + "\n" for line in group.lines))
        return group

    def write_findings(self, findings: list[Finding]) -> None:
        self._replace(FINDINGS, "".join(json.dumps(to_plain(f)) + "\n" for f in findings))

    def write_map(self, sectors: SectorMap) -> None:
        self._replace(SECTORS, json.dumps(to_plain(sectors)))

    def read_map(self) -> SectorMap:
        """What earlier visits could not read."""
        path = self.folder / SECTORS
        return from_plain(SectorMap, json.loads(path.read_text())) if path.exists() else SectorMap()

    def _hold(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            detail = "This medium is being read already. Wait until that is done."
            raise MediaError("medium-busy", detail) from e

    def _adopt(self, medium: Medium, is_known: Known) -> None:
        """The folder belongs to the first medium read into it."""
        path = self.folder / MEDIUM
        if not path.exists():
            self._replace(MEDIUM, json.dumps(to_plain(medium)))
            return
        held = from_plain(Medium, json.loads(path.read_text()))
        if not is_known(held, [*self.known.values()]):
            raise swapped()

    def _recover(self) -> dict[int, StagedFile]:
        """Cuts off what was not promised and returns what was."""
        for part in self.folder.glob("*.part"):
            part.unlink()
        done: dict[int, StagedFile] = {}
        path = self.folder / MANIFEST
        good = 0
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
            file = _promised(line)
            if file is None:
                os.truncate(path, good)
                break
            good += len(line)
            done[file.number] = file
        return done

    def _present(self, file: StagedFile) -> bool:
        if file.state not in (FileState.WHOLE, FileState.HURT):
            return True
        path = self.folder / staged_name(file.number)
        return path.exists() and path.stat().st_size == staged_size(file)

    @contextmanager
    def _part(self, number: int) -> Iterator[Any]:
        path = self.folder / _part_name(number)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with open(fd, "wb", buffering=0) as out:
                yield out
                # Starts writing to the disk now, so that the group's fsync has little to wait for.
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _append(self, text: str) -> None:
        with open(self.folder / MANIFEST, "a", encoding="ascii") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
            first = out.tell() == len(text)
        if first:
            os.fsync(self._fd)  # the manifest's own name

    def _replace(self, name: str, text: str) -> None:
        part = self.folder / f"{name}.part"
        with part.open("w", encoding="ascii") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.rename(self.folder / name)
        os.fsync(self._fd)


def staged_size(file: StagedFile) -> int:
    """How many bytes lie in the staging folder: a missing end is left off."""
    last = file.missing[-1] if file.missing else None
    return last.start if last and last.start + last.length >= file.bytes else file.bytes


def swapped() -> MediaError:
    return MediaError(
        "medium-swapped",
        "Another medium is in the place of the one whose reading was begun. Nothing of it was "
        "mixed in. Put the first one back, or start anew with this one.",
    )


def require_room(folder: Path, size: int) -> None:
    """Raises MediaError before anything is written when it would not fit."""
    room = os.statvfs(folder)
    if size + _ROOM_LEFT > room.f_bavail * room.f_frsize:
        raise _full()


def _full() -> MediaError:
    return MediaError(
        "staging-full",
        "The kiosk's own disk has no room for this medium. The files that were read completely "
        "are kept. Make room, then read the medium again to go on.",
    )


def disk_trouble(error: OSError) -> MediaError:
    """Our own disk's failure, told apart from the medium's."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full()
    return MediaError(
        "staging-failed",
        f"The kiosk's own disk failed while writing ({error.strerror or 'no reason given'}). "
        "Nothing more is written. Tell IT before this kiosk is used again.",
    )


def _write(file: StagedFile, pieces: Iterator[Piece], out: Any) -> StagedFile:
    digest = hashlib.sha256()
    missing: list[Span] = []
    at = written = 0
    for piece in pieces:
        if isinstance(piece, Span):
            missing.append(piece)
            at += piece.length
            continue
        if at > written and piece:
            _zeros(out, digest, at - written)
        _put(out, digest, piece)
        at += len(piece)
        written = at if piece else written
    return _result(file, digest.hexdigest(), written, _joined(missing))


def _zeros(out: Any, digest: Any, count: int) -> None:
    while count:
        block = bytes(min(count, 1 << 20))
        _put(out, digest, block)
        count -= len(block)


def _put(out: Any, digest: Any, data: bytes | memoryview) -> None:
    digest.update(data)
    done = 0
    while done < len(data):
        done += out.write(data[done:])


def _result(file: StagedFile, sha256: str, written: int, missing: tuple[Span, ...]) -> StagedFile:
    state = FileState.HURT if missing else FileState.WHOLE
    if missing and not written:
        state, sha256 = FileState.UNREADABLE, ""
    return StagedFile(file.number, file.untrusted_path, file.bytes, sha256, state, missing)


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].start + joined[-1].length == span.start:
            joined[-1] = Span(joined[-1].start, joined[-1].length + span.length)
        else:
            joined.append(span)
    return tuple(joined)


def _promised(line: bytes) -> StagedFile | None:
    if not line.endswith(b"\n"):
        return None
    try:
        return from_plain(StagedFile, json.loads(line))
    except (ValueError, NotPlain):
        return None


def _part_name(number: int) -> str:
    return f"{staged_name(number)}.part"


def _fsync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
