"""Reading a medium into a staging folder: the order of files, what is left out, and the passes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kiosk.media.opening import open_medium
from kiosk.media.refusals import HEAD, bounded, is_program, shown, too_many_bytes, too_many_files
from kiosk.media.source import Entry, Piece, Source, Unreadable
from kiosk.media.staging import Staging, disk_trouble, require_room, staged_size
from kiosk.model.content import Finding, Severity
from kiosk.model.medium import (
    FileState,
    Progress,
    ReadReport,
    Span,
    StagedFile,
    staged_name,
)
from kiosk.policy.sections import Limits

Report = Callable[[Progress], None]

_REPORT_SECONDS = 0.2


def read(location: Path, into: Path, limits: Limits, report: Report) -> ReadReport:
    """Copies every file of the medium at `location` into the folder `into`, each hashed, with
    `manifest.jsonl`, `findings.jsonl` and `medium.json` beside them.

    Safe to run twice: what an earlier run promised is kept, what it could not read is tried again.
    Raises MediaError: nothing readable there, medium taken out or swapped, our own disk failing.
    """
    source = open_medium(location, limits)
    try:
        return copy(source, into, limits, report)
    finally:
        source.close()


def copy(source: Source, into: Path, limits: Limits, report: Report) -> ReadReport:
    """`read`, for a medium that is open."""
    try:
        staging = Staging(into, source.medium)
        try:
            return _Reading(source, staging, limits, report).run()
        finally:
            staging.close()
    except OSError as e:
        raise disk_trouble(e) from e


class _Reading:
    def __init__(self, source: Source, staging: Staging, limits: Limits, report: Report) -> None:
        self.source, self.staging, self.limits, self.report = source, staging, limits, report
        self.entries = dict(enumerate(source.listing.entries, 1))
        self.started = time.monotonic()
        self.deadline = self.started + 0.9 * limits.read_seconds  # time to end in good order
        self.reported = 0.0
        self.phase = "first look"
        self.total = sum(e.bytes for e in self.entries.values() if not e.refused)
        self.bytes_done = 0
        self.files_done = 0
        self.copied = 0
        self.over = len(self.entries) > limits.files
        self.too_many = too_many_files(limits)
        self.refused: dict[str, Finding] = {}
        self.passes = 1

    def run(self) -> ReadReport:
        self._count_earlier()
        require_room(
            self.staging.folder, min(self.total, self.limits.medium_bytes) - self.bytes_done
        )
        self.staging.write_findings(self._findings())
        deferred = self._first_pass()
        if deferred:
            self._second_pass(deferred)
        self._tell("checking", force=True)
        self.staging.commit()
        self.staging.write_findings(self._findings())
        return ReadReport(
            medium=self.source.medium,
            files=len(self.entries),
            directories=self.source.listing.directories,
            bytes=self._bytes_held(),
            unreadable=tuple(self.source.unreadable),
            passes=self.passes,
            seconds=time.monotonic() - self.started,
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
        again = (FileState.HURT, FileState.UNREADABLE)
        self.files_done = sum(f.state not in again for f in done)

    def _first_pass(self) -> list[int]:
        """Large sequential reads, DICOMDIR first. Returns the files that need patience."""
        first = {n: None for n, e in self.entries.items() if _is_dicomdir(e.untrusted_path)}
        deferred = self._try_all(first)
        self._tell("copying", force=True)
        return deferred + self._try_all(n for n in self.entries if n not in first)

    def _try_all(self, numbers: Iterable[int]) -> list[int]:
        deferred: list[int] = []
        for number in filter(self._wanted, numbers):
            try:
                self._one(number, careful=False)
            except Unreadable:
                if not deferred:
                    self.source.check_present()
                deferred.append(number)
            self._tell(self.phase)
        self.staging.commit()
        return deferred

    def _second_pass(self, deferred: list[int]) -> None:
        """The same order, with the ladder for damage, as long as the time budget lasts."""
        self.passes = 2
        self.source.check_present()
        self.source.slow_down(self.deadline)
        for number in deferred:
            self._tell("retrying", force=True)
            if time.monotonic() <= self.deadline:
                self._one(number, careful=True)
            elif number not in self.staging.done:  # else an earlier visit got more of it
                self._enter(number, FileState.UNREADABLE)
        self.source.check_present()

    def _wanted(self, number: int) -> bool:
        earlier = self.staging.done.get(number)
        if earlier is None:
            return True
        if earlier.state is FileState.REFUSED:
            still = self._limit_reached(self.entries[number]) or (self.over and self.too_many)
            if still:
                self._refuse(number, still)
            return not still
        return earlier.state in (FileState.HURT, FileState.UNREADABLE)

    def _one(self, number: int, careful: bool) -> None:
        entry = self.entries[number]
        refusal = entry.refused or self._limit_reached(entry)
        if refusal:
            self._refuse(number, refusal)
            self._enter(number, FileState.REFUSED)
            return
        pieces = self.source.pieces(entry, careful)
        head = next(pieces, b"")
        if not isinstance(head, Span):
            if is_program(entry.untrusted_path, head):
                self._enter(number, FileState.LISTED)
                return
            if self.over and bytes(head[128:HEAD]) != b"DICM":
                self._refuse(number, self.too_many)
                self._enter(number, FileState.REFUSED)
                return
        self._stage(number, entry, _chain(head, pieces))

    def _stage(self, number: int, entry: Entry, pieces: Iterator[Piece]) -> None:
        earlier = self.staging.done.get(number)
        if earlier and earlier.state is FileState.HURT:
            pieces = _with_earlier(pieces, self.staging.folder / staged_name(number), earlier)
        file = StagedFile(number, entry.untrusted_path, entry.bytes)
        staged = self.staging.stage(file, self._counted(pieces))
        self.copied += staged.state is not FileState.UNREADABLE
        self.files_done += 1

    def _counted(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        before = self.bytes_done
        try:
            for piece in pieces:
                self.bytes_done += piece.length if isinstance(piece, Span) else len(piece)
                self._tell(self.phase)
                yield piece
        except Unreadable:
            self.bytes_done = before
            raise

    def _enter(self, number: int, state: FileState) -> None:
        entry = self.entries[number]
        missing = (Span(0, entry.bytes),) if state is FileState.UNREADABLE else ()
        file = StagedFile(number, entry.untrusted_path, entry.bytes, state=state, missing=missing)
        self.staging.enter(file)
        self.files_done += 1

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
        if force or now - self.reported > _REPORT_SECONDS:
            self.reported, self.phase = now, phase
            self.report(
                Progress(phase, self.bytes_done, self.total, self.files_done, len(self.entries))
            )


def _is_dicomdir(untrusted_path: str) -> bool:
    """One that says what is on the medium: in the root, or one folder deeper."""
    folder, _, name = untrusted_path.rpartition("/")
    return name.upper().rstrip(".") == "DICOMDIR" and "/" not in folder


def _chain(head: Piece, rest: Iterator[Piece]) -> Iterator[Piece]:
    yield head
    yield from rest


def _with_earlier(pieces: Iterator[Piece], path: Path, earlier: StagedFile) -> Iterator[Piece]:
    """What this pass reads, and for what it cannot, what an earlier pass could."""
    at = 0
    with path.open("rb") as staged:
        for piece in pieces:
            if isinstance(piece, Span):
                yield from _earlier_range(staged.fileno(), piece, earlier)
                at += piece.length
            else:
                yield piece
                at += len(piece)


def _earlier_range(fd: int, span: Span, earlier: StagedFile) -> Iterator[Piece]:
    at, end = span.start, span.start + span.length
    for gap in (*earlier.missing, Span(end, 0)):
        upto = min(max(gap.start, at), end)
        while at < upto:
            data = os.pread(fd, min(upto - at, 1 << 20), at)
            if not data:
                break
            yield data
            at += len(data)
        upto = min(gap.start + gap.length, end)
        if at < upto:
            yield Span(at, upto - at)
            at = upto


def _read_finding(file: StagedFile) -> list[Finding]:
    if file.state not in (FileState.HURT, FileState.UNREADABLE):
        return []
    lost = sum(s.length for s in file.missing)
    if file.state is FileState.HURT:
        detail = (
            f"{lost} of this file's {file.bytes} bytes could not be read. If it is a scan, it is "
            "not complete. Clean the disc and read it again, or ask the sender for a copy."
        )
        return [Finding("file-hurt", Severity.ERROR, shown(file.untrusted_path), detail)]
    detail = (
        "Nothing of this file could be read. If it is a scan, it is missing. Clean the disc and "
        "read it again, or ask the sender for a copy."
    )
    return [Finding("file-unreadable", Severity.ERROR, shown(file.untrusted_path), detail)]
