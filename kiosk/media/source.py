"""What every kind of medium offers to the reading: named entries, and the pieces of their bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kiosk.model.content import Finding, Severity
from kiosk.model.medium import Medium, Span


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
        what was not. Nothing where a medium has no places of its own."""

    def close(self) -> None: ...
