"""The records that some events speak of, loaded together, moved, and written back together.

The pointers from merged records to their survivors never form a cycle: only a record that is not
merged is ever merged, and only into another that is not merged either (`Sheet.merge`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter

from kiosk.model.patient import Identifier
from kiosk.model.registration import Applied, Disposition
from kiosk.store.roster.record import Number, Record, keyed, number, numbers


class Refused(Exception):
    """The event contradicts the roster; nothing of it was done."""

    def __init__(self, exception: str, error: int, location: str, reason: str) -> None:
        super().__init__(reason)
        self.applied = Applied(
            Disposition.REJECTED, "AE", error, location, reason, exception=exception
        )


class Sheet:
    def __init__(self, next_key: int = 1) -> None:
        self.next_key = next_key
        self.records: dict[int, Record] = {}
        self.owners: dict[Number, int] = {}
        self._merged: dict[int, set[int]] = {}
        self._undo: list[tuple[int, Record | None]] = []

    def load(self, record: Record) -> None:
        """Enters a record as it is stored."""
        self._set(record.key, record)

    def mark(self) -> None:
        """From here on `undo` and `touched` count."""
        self._undo = []

    def undo(self) -> None:
        for key, old in reversed(self._undo):
            self._set(key, old)
        self._undo = []

    def touched(self) -> tuple[str, ...]:
        """The records of which more than visits and time stamps changed since the mark, and the
        survivors above them, before and after."""
        changed = [(k, old) for k, old in self._undo if _differs(old, self.records[k])]
        if not changed:
            return ()
        keys = {k for k, _ in changed}
        keys |= {self.root(self.records[k]).key for k in keys}
        keys |= {
            self.root(self.records[o.merged_into]).key for _, o in changed if o and o.merged_into
        }
        return tuple(str(k) for k in sorted(keys))

    def put(self, record: Record) -> Record:
        self._undo.append((record.key, self.records.get(record.key)))
        self._set(record.key, record)
        return record

    def _set(self, key: int, record: Record | None) -> None:
        old = self.records.pop(key, None)
        if old is not None:
            for n in numbers(old):
                if self.owners.get(n) == key:
                    del self.owners[n]
            self._merged.get(old.merged_into, set()).discard(key)
        if record is not None:
            self.records[key] = record
            self.owners.update(dict.fromkeys(numbers(record), key))
            if record.merged_into:
                self._merged.setdefault(record.merged_into, set()).add(key)

    def mint(self) -> int:
        self.next_key += 1
        return self.next_key - 1

    def owner(self, identifier: Identifier) -> Record | None:
        """The record that carries or carried this number, merged or not."""
        key = self.owners.get(number(identifier))
        return None if key is None else self.records[key]

    def holders(self, account: Identifier) -> list[Record]:
        """The loaded records that have this account, or had it."""
        asked = number(account)
        return [r for r in self.records.values() if any(number(a) == asked for a, _ in r.accounts)]

    def root(self, record: Record) -> Record:
        """The survivor that the record resolves to: itself when it is not merged."""
        while record.merged_into:
            record = self.records[record.merged_into]
        return record

    def below(self, record: Record) -> Iterator[Record]:
        """Every record merged into this one, directly or not."""
        ahead = sorted(self._merged.get(record.key, ()), reverse=True)
        while ahead:
            key = ahead.pop()
            yield self.records[key]
            ahead += sorted(self._merged.get(key, ()), reverse=True)

    def merge(self, source: Record, into: Record, at: str) -> None:
        """Points a survivor at another. What must never be lost to a reader is copied: it stays
        with the other even when they are un-merged."""
        if source.merged_into or into.merged_into or source.key == into.key:
            raise ValueError("only a survivor is merged, and only into another")
        self.put(replace(source, merged_into=into.key, merged_at=at))
        self.put(
            replace(
                into,
                vip=into.vip or source.vip,
                protected=into.protected or source.protected,
                held=into.held or source.held,
            )
        )

    def find(self, identifiers: tuple[Identifier, ...]) -> Record | None:
        """The survivor that these numbers resolve to. Raises Refused when they are of two."""
        roots = {
            self.root(self.records[key]).key
            for i in keyed(identifiers)
            if (key := self.owners.get(number(i))) is not None
        }
        if len(roots) > 1:
            reason = "The identifiers belong to two different patients."
            raise Refused("ids-of-two-patients", 205, "PID^1^3", reason)
        return self.records[roots.pop()] if roots else None


def _differs(old: Record | None, new: Record) -> bool:
    return old is None or _LASTING(old) != _LASTING(new)


_PASSING = ("visits", "last_event", "updated_at", "accounts")
_LASTING = attrgetter(*(f.name for f in fields(Record) if f.name not in _PASSING))


@lru_cache(maxsize=4096)
def moment(stamp: str) -> str:
    """An HL7 DTM as digits that sort, to its own precision, in UTC when it names its zone."""
    match = re.match(r"(\d{4,14})(?:\.\d*)?([+-]\d{4})?", stamp.strip())
    if not match:
        return ""
    digits, zone = match.groups()
    return _shifted(digits, zone) if zone and len(digits) >= 12 else digits


def _shifted(digits: str, zone: str) -> str:
    minutes = int(zone[1:3]) * 60 + int(zone[3:])
    shift = timedelta(minutes=minutes if zone[0] == "+" else -minutes)
    try:
        local = datetime.strptime(digits[:12], "%Y%m%d%H%M")  # noqa: DTZ007 - shifted by hand
        return (local - shift).strftime("%Y%m%d%H%M") + digits[12:]
    except (ValueError, OverflowError):
        return digits


def older(stamp: str, than: str) -> bool:
    """True when it is certainly earlier: compared to the coarser one's precision; an absent time
    is not older."""
    a, b = moment(stamp), moment(than)
    length = min(len(a), len(b))
    return a[:length] < b[:length]
