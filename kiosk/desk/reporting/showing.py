"""The desk's own queries about reports (UX D5)."""

from __future__ import annotations

import os
from datetime import UTC, timedelta
from pathlib import Path

from kiosk.desk.acting import Acting
from kiosk.desk.refusal import Refused
from kiosk.desk.reporting.figures import BY, Figures, figures
from kiosk.desk.reporting.sheet import as_csv
from kiosk.desk.reporting.waiting import waiting
from kiosk.desk.roles import Doing
from kiosk.desk.snapshots import FigureLine, QueueLine, ReportsSnapshot, say
from kiosk.store import Transaction

SHOWN = 200  # lines; the sheet has them all


class Reporting(Acting):
    """Queries of the desk, and the sheet. Nothing in either names a patient."""

    _saved: str = ""

    def reports(self, by: str = "day", days: int = 30) -> ReportsSnapshot:
        self._allow(Doing.SEE_REPORTS)
        with self._reading() as tx:
            found, now = self._figures(tx, by, days), self._now()
            queues = tuple(QueueLine(q.queue, q.waiting, q.oldest) for q in waiting(tx, now))
        lines = tuple(map(_shown, (*found[:-1][:SHOWN], found[-1])))
        return ReportsSnapshot(self._header(), by, days, lines, queues, self._saved)

    def export_report(self, by: str, days: int) -> None:
        """Writes the sheet into the home folder of whoever runs the desk, for them alone to read;
        the snapshot says where. Raises Refused when that folder cannot be written to."""
        self._allow(Doing.SEE_REPORTS)
        with self._reading() as tx:
            text = as_csv(self._figures(tx, by, days))
        at = f"{self._now().astimezone():%Y-%m-%d-%H%M%S}"
        path = Path.home() / "kiosk-reports" / f"{by}-{at}.csv"
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
                out.write(text)
        except OSError:
            raise Refused(say("KX-491")) from None
        self._saved = str(path)

    def _figures(self, tx: Transaction, by: str, days: int) -> tuple[Figures, ...]:
        if by not in BY:
            raise Refused(say("KX-492"))
        until = self._now().astimezone(UTC) + timedelta(minutes=1)
        since = until - timedelta(days=days)
        instants = (at.isoformat(timespec="seconds") for at in (since, until))
        return figures(tx.reports.brought(*instants), by)


def _shown(one: Figures) -> FigureLine:
    return FigureLine(
        one.name,
        one.media,
        one.studies,
        one.automatic,
        one.unreadable,
        one.damaged,
        one.no_scans,
        one.wrong_patient,
        one.copied[0] if one.copied else None,
    )
