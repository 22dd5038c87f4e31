"""How old what waits is: every queue, so that nothing grows old unseen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kiosk.store import Transaction


@dataclass(frozen=True, slots=True)
class Waiting:
    """One queue: how many wait, and for how long the oldest has (seconds); `hour`, `day` and `week`
    are how many wait longer than that."""

    queue: str
    waiting: int
    oldest: int
    hour: int
    day: int
    week: int


def waiting(tx: Transaction, now: datetime) -> tuple[Waiting, ...]:
    """`reading`, `decision`, `sending` and `stopped`, empty ones too."""
    since = tx.reports.waiting_since()
    return tuple(_queue(name, instants, now) for name, instants in since.items())


def _queue(name: str, since: tuple[str, ...], now: datetime) -> Waiting:
    """A clock that was set back makes nothing younger than 0."""
    ages = [max(0, int((now - datetime.fromisoformat(at)).total_seconds())) for at in since]
    over = [sum(age > limit for age in ages) for limit in (3600, 86_400, 604_800)]
    return Waiting(name, len(ages), max(ages, default=0), *over)
