"""Findings, kept to a number that people can read."""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.model.content import Finding, Severity

# Every hurt image is named, for a person has to be told which; of the rest a sample is enough.
_MOST = {Severity.INFO: 20, Severity.WARNING: 100, Severity.ERROR: 2000, Severity.UNSAFE: 2000}


class Findings:
    """Collects findings; past a number of the same code and severity they are only counted."""

    def __init__(self, given: Iterable[Finding] = ()) -> None:
        self._kept: dict[Finding, None] = dict.fromkeys(given)
        self._counts: dict[tuple[str, Severity], int] = {}

    def add(self, code: str, severity: Severity, where: str = "", detail: str = "") -> None:
        finding = Finding(code, severity, where, detail)
        if finding in self._kept:
            return
        count = self._counts[code, severity] = self._counts.get((code, severity), 0) + 1
        if count <= _MOST[severity]:
            self._kept[finding] = None

    def all(self) -> tuple[Finding, ...]:
        more = (
            Finding(code, severity, "", f"{count - _MOST[severity]:,} more files like these.")
            for (code, severity), count in self._counts.items()
            if count > _MOST[severity]
        )
        return (*self._kept, *more)
