"""What a step works with: the site's store, vault, policy and clock, and the room's blocking
functions as the composition root chose them (in a child process, or in this one)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from kiosk import sandbox
from kiosk.model.content import Catalog, Verdict
from kiosk.model.medium import Medium, Progress, ReadReport
from kiosk.policy import Policy
from kiosk.policy.sections import Limits
from kiosk.store import Lease, Store, Transaction, Vault

Settlement = Callable[[Transaction, Lease], None]
"""What a step wants written: the engine runs it in one transaction, with the row's lease."""


@dataclass(frozen=True)
class Site:
    """One station: everything a step may touch."""

    store: Store
    vault: Vault
    policy: Policy
    now: Callable[[], datetime]
    read: Callable[[Path, Path, Limits, Callable[[Progress], None]], ReadReport] = sandbox.read
    identify: Callable[[Path, Limits], Medium] = sandbox.identify
    look: Callable[[Path, Limits], Verdict] = sandbox.look
    silent: set[str] = field(default_factory=set)  # archives that did not report a commitment
    catalog: Callable[[Path, Limits], Catalog] = sandbox.catalog

    @property
    def station(self) -> str:
        return self.policy.site.station
