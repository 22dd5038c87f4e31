"""What reports are made of: what became of each medium, and since when things wait."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from kiosk.store.reporting.brought import Brought, brought
from kiosk.store.reporting.queues import waiting_since

__all__ = ["Brought", "Reports"]


class Reports:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def brought(self, since: str, until: str) -> Iterator[Brought]:
        """See `kiosk.store.reporting.brought`."""
        return brought(self._connection, since, until)

    def waiting_since(self) -> dict[str, tuple[str, ...]]:
        """See `kiosk.store.reporting.queues`."""
        return waiting_since(self._connection)
