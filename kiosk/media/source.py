"""What every kind of medium offers to the reading: named entries, and the pieces of their bytes."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kiosk.media.refusals import HEAD
from kiosk.model.content import Finding, Severity
from kiosk.model.medium import FileState, Medium, Span, StagedFile

_UNSURE = ("folder-damaged", "folder-mended", "descriptors-damaged", "folder-unreadable")
_COMPARED = 5  # scans, to know a damaged medium again


class MediaError(Exception):
    """The medium cannot be read, or not further; `finding` says why and what to do."""

    def __init__(self, code: str, detail: str, severity: Severity = Severity.ERROR) -> None:
        super().__init__(f"{code}: {detail}")
        self.finding = Finding(code, severity, "", detail)


class Unreadable(Exception):
    """These bytes could not be read (of the medium, or of an entry, as the raiser says)."""

    def __init__(self, start: int, length: int) -> None:
        super().__init__(f"{length} bytes at {start}")
        self.span = Span(start, length)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a medium. `where` is how its source finds the bytes; a `refused` entry is never
    opened."""

    untrusted_path: str
    bytes: int
    where: Any = None
    refused: Finding | None = None


@dataclass(slots=True)
class Listing:
    """All that a medium holds, in the order in which it is read best, and what was odd."""

    entries: list[Entry] = field(default_factory=list)
    directories: int = 0
    findings: list[Finding] = field(default_factory=list)


Piece = bytes | memoryview | Span
Deadline = Callable[[], float]  # monotonic seconds


def never() -> float:
    return float("inf")


class Source(Protocol):
    """An opened medium. `pieces` yields the bytes of a range of an entry in order, in large reads,
    `ladder` in small ones that try hard, one step harder each time that it is asked (1, 2 ...);
    both yield a Span of the entry for what they could not read. A piece is valid until the next is
    asked for."""

    @property
    def medium(self) -> Medium: ...

    @property
    def listing(self) -> Listing: ...

    def pieces(self, entry: Entry, span: Span) -> Iterator[Piece]: ...

    def ladder(self, entry: Entry, span: Span, step: int) -> Iterator[Piece]: ...

    def start(self, entry: Entry, length: int) -> bytes:
        """The entry's first bytes, at most `length`, fewer where they cannot be read at once."""

    def check_present(self) -> None:
        """Raises MediaError when the medium is gone or another is in its place."""

    def slow_down(self, deadline: Deadline) -> None:
        """The ladder begins; past `deadline`, which may be put off, it loses its patience."""

    def tried(self, earlier: Sequence[Span]) -> None:
        """These byte ranges of the medium were tried in vain before: others come first."""

    def damage(self, missing: Iterable[tuple[Entry, Span]]) -> tuple[list[Span], list[Span]]:
        """Where the missing ranges of these entries lie on the medium: what was tried in vain, and
        what was not. A folder has no places of its own: it is as long as its files in the order of
        its listing. Nothing of what is damaged every time."""

    def close(self) -> None: ...


def merged(spans: Iterable[Span]) -> list[Span]:
    """The fewest spans that cover the same."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda s: s.start):
        if found and found[-1].start + found[-1].length >= span.start:
            before = found.pop()
            end = max(before.start + before.length, span.start + span.length)
            span = Span(before.start, end - before.start)
        found.append(span)
    return found


def divided(missing: Iterable[Span], tried: Iterable[Span]) -> tuple[list[Span], list[Span]]:
    """What of the missing was tried, and what was not."""
    hit: list[Span] = []
    rest: list[Span] = []
    known = merged(tried)
    starts = [span.start for span in known]
    for span in merged(missing):
        at, end = span.start, span.start + span.length
        for one in known[max(0, bisect_right(starts, at) - 1) : bisect_right(starts, end)]:
            first, last = max(at, one.start), min(end, one.start + one.length)
            if first < last:
                rest += [Span(at, first - at)] if at < first else []
                hit.append(Span(first, last - first))
                at = last
        rest += [Span(at, end - at)] if at < end else []
    return merged(hit), rest


def may_be(source: Source, expected: Medium) -> bool:
    """Whether it is the medium that was identified. One that is damaged may look a little different
    each time."""
    found = source.medium
    if found.fingerprint == expected.fingerprint:
        return True
    unsure = not (found.sure and expected.sure)
    unsure = unsure or any(f.code in _UNSURE for f in source.listing.findings)
    return unsure and (found.label, found.bytes) == (expected.label, expected.bytes)


def is_known(source: Source, held: Medium, done: Sequence[StagedFile]) -> bool:
    """Whether it is the medium of which these files were read. One that is damaged is known by
    them: some of its scans still have the same bytes, and none has others."""
    found = source.medium
    same = found.fingerprint == held.fingerprint
    if same and found.sure and held.sure:
        return True
    if not may_be(source, held):
        return False
    there = {(e.untrusted_path, e.bytes): e for e in source.listing.entries if not e.refused}
    whole = [f for f in done if f.state is FileState.WHOLE and f.bytes > HEAD]
    known = [(f, e) for f in whole if (e := there.get((f.untrusted_path, f.bytes)))]
    scans = [k for k in known if source.start(k[1], HEAD)[128:] == b"DICM"]
    some = scans[:: max(1, len(scans) // _COMPARED)]
    hashes = [(file.sha256, _hash(source, entry)) for file, entry in some]
    read = [(then, now) for then, now in hashes if now]
    return all(then == now for then, now in read) and (same or bool(read))


def _hash(source: Source, entry: Entry) -> str:
    digest = hashlib.sha256()
    for piece in source.pieces(entry, Span(0, entry.bytes)):
        if isinstance(piece, Span):
            return ""
        digest.update(piece)
    return digest.hexdigest()
