"""When a delivery or a whole destination is tried again."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from kiosk.engine.parts import Site
from kiosk.model.delivery import Attempt
from kiosk.model.work import Delivery
from kiosk.policy.sections import Destination
from kiosk.store import DestinationState, Transaction


def later(site: Site, tries: int, attempt: Attempt | None = None) -> datetime:
    """Doubled from try to try, with jitter so that a hundred kiosks do not come back as one."""
    retry = site.policy.retry
    seconds = min(retry.longest_seconds, retry.first_seconds * 2 ** min(tries - 1, 16))
    seconds *= 0.75 + random.random() / 2
    asked = attempt.wait_seconds if attempt else 0.0
    return site.now() + timedelta(seconds=max(seconds, asked))


def busy_until(site: Site, target: Destination) -> datetime | None:
    """When the hours end in which the line belongs to others, by the local clock; None outside of
    them. They may go past midnight."""
    if not target.busy_hours:
        return None
    now = site.now().astimezone()
    begin, end = (_today(now, clock) for clock in target.busy_hours.split("-"))
    if begin <= end:
        return end if begin <= now < end else None
    if now < end:
        return end
    return end + timedelta(days=1) if now >= begin else None


def _today(now: datetime, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return now.replace(hour=hour, minute=minute, second=0, microsecond=0)


def destination_of(site: Site, work: Delivery) -> Destination:
    """Raises LookupError when the configuration does not have it any more."""
    found = site.policy.destination_named(work.destination)
    if found is None:
        raise LookupError(f"destination {work.destination} is not in the configuration any more")
    return found


def failed(site: Site, tx: Transaction, name: str, attempt: Attempt | None) -> None:
    """After an attempt that says so the whole destination waits, longer each time."""
    if attempt is None or not attempt.pause:
        return
    known = tx.destinations.get(site.station, name)
    state = DestinationState(
        name,
        paused=known.paused,
        failing_since=known.failing_since or site.now().isoformat(timespec="seconds"),
        failures=known.failures + 1,
        problem=attempt.problem,
        due=later(site, known.failures + 1, attempt).timestamp(),
    )
    tx.destinations.put(site.station, state)


def works(site: Site, tx: Transaction, name: str) -> None:
    known = tx.destinations.get(site.station, name)
    if known.failures:
        tx.destinations.put(site.station, DestinationState(name, paused=known.paused))
