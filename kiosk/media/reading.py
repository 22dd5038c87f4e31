"""Reading a medium into a staging folder: the order of files, what is left out, and the passes."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

from kiosk.media.opening import open_medium
from kiosk.media.refusals import HEAD, bounded, is_program, shown, too_many_bytes, too_many_files
from kiosk.media.source import Entry, Piece, Source, is_known, may_be
from kiosk.media.staging import Staging, disk_trouble, require_room, staged_size, swapped
from kiosk.model.content import Finding, Severity
from kiosk.model.medium import (
    FileState,
    Medium,
    Progress,
    ReadReport,
    SectorMap,
    Span,
    StagedFile,
    Visit,
    staged_name,
)
from kiosk.policy.sections import Limits

Report = Callable[[Progress], float | None]
"""Is told how far the reading is, and answers how many seconds of patience with damage people have
asked for (nothing: the policy's)."""
Read = Callable[[Entry, Span], Iterator[Piece]]

STEPS = 3  # of the ladder: blocks and single sectors, then the bad ones twice more
_MOST_RANGES = 8  # of one file's missing bytes that are named

HURT = (FileState.HURT, FileState.UNREADABLE)

_REPORT_SECONDS = 0.2
_SWAP_SECONDS = 2.0  # no tray opens, changes its disc and closes in less
_LIST_HURT = ("folder-damaged", "folder-mended")


def read(
    location: Path, into: Path, limits: Limits, report: Report, expected: Medium | None = None
) -> ReadReport:
    """Copies every file of the medium at `location` into the folder `into`, each hashed, with
    `manifest.jsonl`, `findings.jsonl` and `medium.json` beside them.

    Safe to run twice: what an earlier run promised is kept, what it could not read is tried again.
    Raises MediaError: nothing readable there, medium taken out, another than the one that is
    expected or was begun, our own disk failing.
    """
    source = open_medium(location, limits)
    try:
        if expected is not None and not may_be(source, expected):
            raise swapped()
        return copy(source, into, limits, report)
    finally:
        source.close()


def copy(source: Source, into: Path, limits: Limits, report: Report) -> ReadReport:
    """`read`, for a medium that is open."""
    try:
        staging = Staging(into, source.medium, partial(is_known, source))
        try:
            return _Reading(source, staging, limits, report).run()
        finally:
            staging.close()
    except OSError as e:
        raise disk_trouble(e) from e


class _Reading:
    def __init__(self, source: Source, staging: Staging, limits: Limits, report: Report) -> None:
        self.source, self.staging, self.limits, self.report = source, staging, limits, report
        self.entries = numbered(source.listing.entries, staging.known.values())
        self.map = staging.read_map()
        self.started = time.monotonic()
        self.patience = limits.patience_seconds
        self.ladder_began = float("inf")
        self.reported = 0.0
        self.told = self.started
        self.phase = "first look"
        self.total = sum(e.bytes for e in self.entries.values() if not e.refused)
        self.bytes_done = 0
        self.files_done = 0
        self.copied = 0
        self.added = 0  # bytes that no earlier visit had
        many = len(self.entries) > limits.files
        self.over = many or self.total > limits.medium_bytes  # then scans only
        self.too_many = too_many_files(limits) if many else too_many_bytes(limits)
        self.refused: dict[str, Finding] = {}
        self.passes = 1

    def run(self) -> ReadReport:
        if any(f.code in _LIST_HURT for f in self.source.listing.findings):
            self.source.check_present()  # a drive that gives errors only has nothing to list
        self._count_earlier()
        require_room(
            self.staging.folder, min(self.total, self.limits.medium_bytes) - self.bytes_done
        )
        self.staging.write_findings(self._findings())
        self._first_pass()
        if self._hurt():
            self._ladder()
        self._tell("checking", force=True)
        self.source.check_present()
        self.staging.commit()
        self.staging.write_findings(self._findings())
        return self._report()

    def _report(self) -> ReadReport:
        seconds = time.monotonic() - self.started
        self._draw_map(Visit(self.source.medium.location, self.passes, seconds, self.added))
        known = set(self.entries) | set(self.staging.done)
        return ReadReport(
            medium=self.source.medium,
            files=len(known),
            directories=self.source.listing.directories,
            bytes=self._bytes_held(),
            unreadable=self.map.bad,
            passes=self.passes,
            seconds=seconds,
            untried=self.map.untried,
        )

    def _bytes_held(self) -> int:
        kept = (FileState.WHOLE, FileState.HURT)
        return sum(staged_size(f) for f in self.staging.done.values() if f.state in kept)

    def _count_earlier(self) -> None:
        """What an earlier run staged counts against the limits of this one."""
        done = self.staging.done.values()
        whole = [f for f in done if f.state is FileState.WHOLE]
        self.copied = len(whole)
        self.bytes_done = sum(f.bytes for f in whole)
        self.files_done = sum(f.state not in HURT for f in done)

    # -- the passes ------------------------------------------------------------------------

    def _first_pass(self) -> None:
        """Large sequential reads, DICOMDIR first. Where one fails, the rest of that file is left
        for the ladder as far as need be; what an earlier visit could not read is tried anew."""
        first = {n: None for n, e in self.entries.items() if _is_dicomdir(e.untrusted_path)}
        self._copy(first)
        self._tell("copying", force=True)
        self._copy(n for n in self.entries if n not in first)

    def _copy(self, numbers: Iterable[int]) -> None:
        well = True
        for number in numbers:
            earlier = self.staging.done.get(number)
            if earlier and earlier.state in HURT:
                staged = self._mend(number, self.source.pieces)
            elif self._wanted(number, earlier):
                staged = self._one(number)
            else:
                continue
            if staged.state is FileState.UNREADABLE or (well and staged.state in HURT):
                self.source.check_present()
                well = False
            self._tell(self.phase)
        self.staging.commit()

    def _ladder(self) -> None:
        """What is missing, in the same order and in ever smaller reads: each step for all files
        before the next, as long as the patience lasts."""
        self.source.check_present()
        self.ladder_began = time.monotonic()
        self.source.tried(self.map.bad)
        self._draw_map()
        self.source.slow_down(lambda: self.deadline)
        for step in range(1, STEPS + 1):
            self.passes += 1
            for number in self._hurt():
                self._tell("retrying", force=True)
                if time.monotonic() <= self.deadline:
                    self._mend(number, partial(self.source.ladder, step=step))
            self.staging.commit()
            if not self._hurt() or time.monotonic() > self.deadline:
                break
        self.source.check_present()

    @property
    def deadline(self) -> float:
        """Of the ladder. The parent ends us when the whole time is over: a tenth of it is for
        ending in order."""
        whole = self.started + 0.9 * self.limits.read_seconds
        asked_for = self.patience - self.limits.patience_seconds
        return min(whole + asked_for, self.ladder_began + self.patience)

    def _hurt(self) -> list[int]:
        done = self.staging.done
        return [n for n in self.entries if n in done and done[n].state in HURT]

    def _draw_map(self, *visit: Visit) -> None:
        """Kept with the data: the next visit, in whichever drive, goes on from here."""
        missing = ((self.entries[n], s) for n in self._hurt() for s in self.staging.done[n].missing)
        bad, untried = self.source.damage(missing)
        self.map = SectorMap(tuple(bad), tuple(untried), (*self.map.visits, *visit))
        self.staging.write_map(self.map)

    def _wanted(self, number: int, earlier: StagedFile | None) -> bool:
        if earlier is None or earlier.state is not FileState.REFUSED:
            return earlier is None
        still = self._limit_reached(self.entries[number]) or (self.over and self.too_many)
        if still:
            self._refuse(number, still)
        return not still

    # -- one file --------------------------------------------------------------------------

    def _one(self, number: int) -> StagedFile:
        entry = self.entries[number]
        refusal = entry.refused or self._limit_reached(entry)
        if refusal:
            self._refuse(number, refusal)
            return self._enter(number, FileState.REFUSED)
        pieces = self.source.pieces(entry, Span(0, entry.bytes))
        head = next(pieces, b"")
        if not isinstance(head, Span):
            if is_program(entry.untrusted_path, head):
                return self._enter(number, FileState.LISTED)
            if self.over and bytes(head[128:HEAD]) != b"DICM":
                self._refuse(number, self.too_many)
                return self._enter(number, FileState.REFUSED)
        file = StagedFile(number, entry.untrusted_path, entry.bytes)
        staged = self.staging.stage(file, self._counted(_chain(head, pieces)))
        self.copied += staged.state is not FileState.UNREADABLE
        self.files_done += staged.state not in HURT
        return staged

    def _mend(self, number: int, read: Read) -> StagedFile:
        """Reads what is missing of a file, and only that. Kept when it adds something."""
        entry, earlier = self.entries[number], self.staging.done[number]
        before = self.added
        again = _gaps_filled(entry, earlier, self.staging.folder, self._added(read))
        file = StagedFile(number, entry.untrusted_path, entry.bytes)
        staged = self.staging.stage(file, again, lambda: self.added > before)
        if self.added == before:
            return earlier
        self.copied += earlier.state is FileState.UNREADABLE
        self.files_done += staged.state not in HURT
        return staged

    def _counted(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            self.bytes_done += piece.length if isinstance(piece, Span) else len(piece)
            self.added += 0 if isinstance(piece, Span) else len(piece)
            self._tell(self.phase)
            yield piece

    def _added(self, read: Read) -> Read:
        def counting(entry: Entry, span: Span) -> Iterator[Piece]:
            for piece in read(entry, span):
                self.added += 0 if isinstance(piece, Span) else len(piece)
                self._tell(self.phase)
                yield piece

        return counting

    def _enter(self, number: int, state: FileState) -> StagedFile:
        entry = self.entries[number]
        file = StagedFile(number, entry.untrusted_path, entry.bytes, state=state)
        self.staging.enter(file)
        self.files_done += 1
        return file

    def _limit_reached(self, entry: Entry) -> Finding | None:
        if entry.refused:
            return entry.refused
        if self.over and self.copied >= self.limits.files:
            return self.too_many
        if self.bytes_done + entry.bytes > self.limits.medium_bytes:
            return too_many_bytes(self.limits)
        return None

    def _refuse(self, number: int, finding: Finding) -> None:
        """Keeps one finding for each refused entry, and one for all that a limit shut out."""
        key = (finding.where and f"{number}") or finding.code
        self.refused[key] = finding

    def _findings(self) -> list[Finding]:
        found = [*self.source.listing.findings, *self.refused.values()]
        for file in sorted(self.staging.done.values(), key=lambda f: f.number):
            found += _read_finding(file)
        return bounded(found)

    def _tell(self, phase: str, force: bool = False) -> None:
        now = time.monotonic()
        if now - self.told > _SWAP_SECONDS:
            self.source.check_present()  # what comes next must still be of this medium
        self.told = now
        if force or now - self.reported > _REPORT_SECONDS:
            self.reported, self.phase = now, phase
            left = max(0, round(self.deadline - now)) if phase == "retrying" else -1
            done = (self.bytes_done, self.total, self.files_done, len(self.entries))
            asked_for = self.report(Progress(phase, *done, seconds_left=left))
            self.patience = max(self.patience, asked_for or 0.0)


def numbered(entries: Sequence[Entry], done: Iterable[StagedFile]) -> dict[int, Entry]:
    """The entries by number: that of an earlier visit where there was one, for a damaged list of
    files can be longer the next time."""
    known: dict[tuple[str, int], list[int]] = defaultdict(list)
    for file in sorted(done, key=lambda f: f.number, reverse=True):
        known[file.untrusted_path, file.bytes].append(file.number)
    fresh = count(1 + max((n for numbers in known.values() for n in numbers), default=0))
    found: dict[int, Entry] = {}
    for entry in entries:
        earlier = known[entry.untrusted_path, entry.bytes]
        found[earlier.pop() if earlier else next(fresh)] = entry
    return found


def _is_dicomdir(untrusted_path: str) -> bool:
    """One that says what is on the medium: in the root, or one folder deeper."""
    folder, _, name = untrusted_path.rpartition("/")
    return name.upper().rstrip(".") == "DICOMDIR" and "/" not in folder


def _chain(head: Piece, rest: Iterator[Piece]) -> Iterator[Piece]:
    yield head
    yield from rest


def _gaps_filled(entry: Entry, earlier: StagedFile, folder: Path, read: Read) -> Iterator[Piece]:
    """The file as earlier passes staged it, and for what is missing what `read` gives."""
    at = 0
    with ExitStack() as stack:
        path = folder / staged_name(earlier.number)
        held = stack.enter_context(path.open("rb")) if earlier.state is FileState.HURT else None
        for gap in earlier.missing:
            if held is not None:
                yield from _range(held.fileno(), at, gap.start)
            yield from read(entry, gap)
            at = gap.start + gap.length
        if held is not None:
            yield from _range(held.fileno(), at, entry.bytes)


def _range(fd: int, at: int, end: int) -> Iterator[Piece]:
    while at < end and (data := os.pread(fd, min(end - at, 1 << 20), at)):
        yield data
        at += len(data)


def _read_finding(file: StagedFile) -> list[Finding]:
    if file.state not in HURT:
        return []
    lost = sum(s.length for s in file.missing)
    if file.state is FileState.HURT:
        detail = (
            f"{lost} of this file's {file.bytes} bytes could not be read: {_ranges(file.missing)}. "
            "If it is a scan, it is not complete. Clean the disc and read it again, or ask the "
            "sender for a copy."
        )
        return [Finding("file-hurt", Severity.ERROR, shown(file.untrusted_path), detail)]
    detail = (
        "Nothing of this file could be read. If it is a scan, it is missing. Clean the disc and "
        "read it again, or ask the sender for a copy."
    )
    return [Finding("file-unreadable", Severity.ERROR, shown(file.untrusted_path), detail)]


def _ranges(missing: Sequence[Span]) -> str:
    """`bytes 0-4095, 8192-12287`, the first few of them."""
    named = [f"{s.start}-{s.start + s.length - 1}" for s in missing[:_MOST_RANGES]]
    more = len(missing) - len(named)
    return f"bytes {', '.join(named)}" + (f" and {more} more ranges" if more else "")
