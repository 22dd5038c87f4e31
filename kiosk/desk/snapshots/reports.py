"""D5: what was brought and what became of it, and how old what waits is."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.desk.snapshots.shared import Header


@dataclass(frozen=True, slots=True)
class FigureLine:
    """One line. Shares are 0 to 1, None where too few are behind them; `copied` is the median time
    from arrival to a copied medium in seconds, likewise. `name` is "" for all together."""

    name: str
    media: int
    studies: int
    automatic: float | None = None
    unreadable: float | None = None
    damaged: float | None = None
    no_scans: float | None = None
    wrong_patient: float | None = None
    copied: float | None = None


@dataclass(frozen=True, slots=True)
class QueueLine:
    """`queue` is `reading`, `decision`, `sending` or `stopped`; `oldest` in seconds."""

    queue: str
    waiting: int
    oldest: int


@dataclass(frozen=True, slots=True)
class ReportsSnapshot:
    """`by` is `day`, `site`, `sender`, `software` or `way`; the last of `lines` is of them all.
    `saved` is where the last sheet was written, "" before."""

    header: Header
    by: str
    days: int
    lines: tuple[FigureLine, ...] = ()
    queues: tuple[QueueLine, ...] = ()
    saved: str = ""
