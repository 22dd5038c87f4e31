"""How long a name stays locked after too many tries, whatever the clock does meanwhile.

The wall clock may be set; the seconds since the machine's boot may not. As long as the station runs
they alone count. After a restart both must have passed; at another station its own clock counts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kiosk.policy.people import SignIn
from kiosk.store import TryRow


@dataclass(frozen=True, slots=True)
class Boot:
    """Which start of this machine it is, and the seconds since (sleep included)."""

    id: str
    seconds: float


def this_boot() -> Boot:
    id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return Boot(id, time.clock_gettime(time.CLOCK_BOOTTIME))


@dataclass(frozen=True, slots=True)
class Here:
    """The station and its clocks at one instant."""

    station: str
    boot: Boot
    now: datetime


def seconds_left(tried: TryRow | None, here: Here, policy: SignIn) -> float:
    """Until the next try is taken, 0 when one is."""
    if tried is None or not tried.locked:
        return 0.0
    return max(0.0, 60 * policy.lock_minutes - _passed(tried, here))


def _passed(tried: TryRow, here: Here) -> float:
    by_the_wall = max(0.0, here.now.timestamp() - tried.at)
    if tried.station != here.station:
        return by_the_wall
    if tried.boot == here.boot.id:
        return here.boot.seconds - tried.boot_seconds
    return min(by_the_wall, here.boot.seconds)


def counted(tried: TryRow | None, here: Here, policy: SignIn) -> TryRow:
    """One more try, before it is known how it ends: a crash in between does not give it back."""
    over = tried is None or tried.locked  # a lock that ran out begins anew
    refused = 1 if tried is None or over else tried.refused + 1
    boot, at = here.boot, here.now.timestamp()
    return TryRow(refused, refused >= policy.tries, here.station, boot.id, boot.seconds, at)
