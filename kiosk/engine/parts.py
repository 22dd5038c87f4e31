"""What a step works with: the site's store, vault, policy and clock, and the room's blocking
functions as the composition root chose them (in a child process, or in this one)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from kiosk import media, sandbox
from kiosk.model.content import Catalog, Verdict
from kiosk.model.medium import Medium, Progress, ReadReport
from kiosk.policy import Policy
from kiosk.policy.sections import Coercion, Limits
from kiosk.store import Lease, Store, Transaction, Vault

Settlement = Callable[[Transaction, Lease], None]
"""What a step wants written: the engine runs it in one transaction, with the row's lease."""

Report = Callable[[Progress], float | None]
"""Is told how far a step is, and answers how many seconds of patience people have asked for."""

Read = Callable[[Path, Path, Limits, Report, Medium | None], ReadReport]

Prepare = Callable[[Path, Limits, Coercion, Report], Catalog]


@dataclass(frozen=True)
class Site:
    """One station: everything a step may touch."""

    store: Store
    vault: Vault
    policy: Policy
    now: Callable[[], datetime]
    read: Read = sandbox.read
    identify: Callable[[Path, Limits], Medium] = sandbox.identify
    look: Callable[[Path, Limits], Verdict] = sandbox.look
    silent: set[str] = field(default_factory=set)  # archives that did not report a commitment
    unwilling: set[str] = field(default_factory=set)  # archives that take no request for one
    catalog: Prepare = sandbox.prepare

    @property
    def station(self) -> str:
        return self.policy.site.station

    @cached_property
    def mounts(self) -> media.Mounts:
        """What the station has mounted, with its notes where a crash leaves them to be found."""
        return media.Mounts(self.vault.root / ".mounts")
