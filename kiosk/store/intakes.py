"""Intakes: one row per medium's stay, with its findings, ledger, progress, and the drives."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kiosk.model.content import (
    Attachment,
    Catalog,
    DirectoryClaim,
    Finding,
    Ledger,
    Severity,
    Verdict,
)
from kiosk.model.medium import Drive, Medium, Progress, ReadReport, Span
from kiosk.model.patient import Identifier
from kiosk.model.plain import from_plain, to_plain
from kiosk.model.work import SENT_HERE, Event, Intake, IntakeState, advance
from kiosk.store import lease
from kiosk.store.journal import Journal
from kiosk.store.lease import Lease
from kiosk.store.tables import attachment, drive, finding, first_look, intake, progress

# Tickets are read aloud over a telephone: common words, no two that sound alike.
WORDS = (
    "MAPLE RIVER CANDLE BASKET ORANGE WINDOW GARDEN PENCIL COPPER MEADOW TURTLE LANTERN PEBBLE "
    "SILVER BUTTON HARBOR VIOLIN PICNIC WALNUT DOLPHIN CARPET TICKET THUNDER JACKET MELON ROCKET "
    "SADDLE TEMPLE VELVET ZEBRA ISLAND KETTLE"
).split()


GOING = ("intake.purging", "intake.purged")


class Intakes:
    def __init__(
        self, connection: Connection, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now

    def create(
        self,
        medium: Medium,
        station: str,
        operator: str = "",
        picked: Identifier | None = None,
        patience: float = 0.0,
    ) -> Intake:
        """A new intake, RECEIVED: the engine reads it next."""
        values = {
            "ticket": self._free_ticket(),
            "station": station,
            "state": IntakeState.RECEIVED,
            "medium": to_plain(medium),
            "fingerprint": medium.fingerprint,
            "operator": operator,
            "picked": to_plain(picked),
            "patience": patience,
            "created_at": self._now().isoformat(timespec="seconds"),
        }
        key = self._connection.execute(intake.insert().values(values)).inserted_primary_key
        created = self.get(int(key[0]) if key else 0)
        data: dict[str, object] = {"ticket": created.ticket, "medium": medium.kind.value}
        self._write("intake.received", created.id, data, actor=operator or "engine")
        return created

    def get(self, id: int) -> Intake:
        """Raises KeyError when there is no such intake."""
        row = self._connection.execute(select(intake).where(intake.c.id == id)).first()
        if row is None:
            raise KeyError(id)
        return _intake(row)

    def by_ticket(self, ticket: str) -> Intake | None:
        query = select(intake).where(intake.c.ticket == ticket.strip().upper())
        row = self._connection.execute(query).first()
        return _intake(row) if row else None

    def recent(self, limit: int = 50) -> tuple[Intake, ...]:
        query = select(intake).order_by(intake.c.id.desc()).limit(limit)
        return tuple(_intake(row) for row in self._connection.execute(query))

    def newest(self, station: str) -> Intake | None:
        """The latest intake that somebody put in at this station: what is sent to it is nothing
        for the screen that patients see."""
        here = (intake.c.station == station, intake.c.operator != SENT_HERE)
        query = select(intake).where(*here).order_by(intake.c.id.desc())
        row = self._connection.execute(query.limit(1)).first()
        return _intake(row) if row else None

    def of_medium(self, fingerprint: str) -> tuple[Intake, ...]:
        """Earlier stays of the same medium, newest first."""
        query = (
            select(intake).where(intake.c.fingerprint == fingerprint).order_by(intake.c.id.desc())
        )
        return tuple(_intake(row) for row in self._connection.execute(query))

    def unreadable(self, medium: Medium, station: str, failure: Finding) -> None:
        """A medium went in that cannot even be identified: an intake that failed, so that the desk
        says why and the medium is counted."""
        id = self.create(medium, station).id
        values = {"state": IntakeState.FAILED, "failure": to_plain(failure)}
        self._connection.execute(update(intake).where(intake.c.id == id).values(values))
        self.add_findings(id, (failure,))
        self._write("intake.failed", id, {"code": failure.code})

    def again(self, id: int, medium: Medium) -> None:
        """FAILED -> RECEIVED: the same medium is back, maybe in another drive; what was staged of
        it is kept."""
        state = advance(self.get(id).state, IntakeState.RECEIVED)
        values = {"state": state, "failure": None, "due": 0.0, "medium": to_plain(medium)}
        self._connection.execute(update(intake).where(intake.c.id == id).values(values))
        self._write("intake.again", id, {})

    def pick(self, id: int, picked: Identifier, operator: str) -> None:
        """The front desk chose the patient; only before matching does it change what is asked."""
        change = update(intake).where(intake.c.id == id).values(picked=to_plain(picked))
        self._connection.execute(change)
        self._write("intake.picked", id, {}, actor=operator)

    def be_patient(self, id: int, seconds: float, operator: str) -> None:
        """What is damaged is tried so long in all; a reading that is at it hears of it."""
        change = update(intake).where(intake.c.id == id).values(patience=seconds)
        self._connection.execute(change)
        self._write("intake.patience", id, {"seconds": seconds}, actor=operator)

    # -- what the engine does --------------------------------------------------------------

    def claim(
        self, state: IntakeState, station: str, seconds: float
    ) -> tuple[Intake, Lease] | None:
        """The next intake of this station in `state`: bytes stay where they were read."""
        where = (intake.c.state == state, intake.c.station == station)
        found = lease.claim(self._connection, intake, self._now(), station, seconds, *where)
        return (_intake(found[0]), found[1]) if found else None

    def extend(self, held: Lease, seconds: float) -> None:
        lease.extend(self._connection, intake, held, self._now(), seconds)

    def read(self, held: Lease, report: ReadReport) -> None:
        """RECEIVED -> READ: everything on the medium that can be read is staged."""
        medium = {"medium": to_plain(report.medium), "fingerprint": report.medium.fingerprint}
        self._settle(held, IntakeState.READ, {"report": to_plain(report), **medium})
        data: dict[str, object] = {"files": report.files, "bytes": report.bytes}
        data |= {"unreadable": _bytes(report.unreadable), "untried": _bytes(report.untried)}
        data |= {"passes": report.passes, "place": report.medium.location}
        self._write("intake.read", held.id, data)

    def cataloged(self, held: Lease, catalog: Catalog) -> None:
        """READ -> CATALOGED: what is on it is known. The cases are opened by the caller, in the
        same transaction."""
        ledger, directory = to_plain(catalog.ledger), to_plain(catalog.directory)
        self._settle(held, IntakeState.CATALOGED, {"ledger": ledger, "directory": directory})
        self.add_findings(held.id, catalog.findings)
        self._write("intake.cataloged", held.id, {"ledger": ledger})

    def reject(self, held: Lease, catalog: Catalog, failure: Finding) -> None:
        """READ -> REJECTED: nothing on it can be imported, or it is unsafe; the ledger stays."""
        ledger, directory = to_plain(catalog.ledger), to_plain(catalog.directory)
        values = {"ledger": ledger, "directory": directory, "failure": to_plain(failure)}
        self._settle(held, IntakeState.REJECTED, values)
        self.add_findings(held.id, catalog.findings)
        self._write("intake.rejected", held.id, {"code": failure.code, "ledger": ledger})

    def fail(self, held: Lease, failure: Finding) -> None:
        self._settle(held, IntakeState.FAILED, {"failure": to_plain(failure)})
        self.add_findings(held.id, (failure,))
        self._write("intake.failed", held.id, {"code": failure.code})

    def broke(self, held: Lease, code: str) -> None:
        """A step ended by a defect of ours. What was staged is kept for another try."""
        state = self.get(held.id).state
        if state is IntakeState.CLOSED:  # only the purge is left: tomorrow
            self.unclaim(held, self._now() + timedelta(days=1))
            return
        detail = "Something went wrong while this disc was read. Its scans are kept. Tell IT."
        self.fail(held, Finding(code, Severity.ERROR, detail=detail))

    def free(self, station: str) -> None:
        """At the engine's start: what a dead engine of this station held may be claimed again."""
        where = (intake.c.station == station) & (intake.c.lease_token != "")
        self._connection.execute(update(intake).where(where).values(lease_until=0.0))

    def unclaim(self, held: Lease, until: datetime) -> None:
        """Nothing to do yet: looked at again at `until`, without a journal line."""
        lease.settle(self._connection, intake, held, {}, due=until)

    def close(self, id: int) -> None:
        """CATALOGED or REJECTED -> CLOSED: everything on it has ended. The purge comes later."""
        state = advance(self.get(id).state, IntakeState.CLOSED)
        self._connection.execute(
            update(intake).where(intake.c.id == id).values(state=state, due=0.0, lease_until=0.0)
        )
        self._write("intake.closed", id, {})

    def closed_at(self, id: int) -> datetime:
        """When it was closed last; raises LookupError when it was not."""
        for event in reversed(self._journal.of(intake=id)):
            if event.kind == "intake.closed":
                return datetime.fromisoformat(event.at)
        raise LookupError(id)

    def is_purged(self, id: int) -> bool:
        """Whether its bytes are being or were thrown away."""
        return any(event.kind in GOING for event in self._journal.of(intake=id))

    def purging(self, id: int) -> bool:
        """Its bytes count as gone from here on, so that nobody builds on them while they go. False
        when a case of it goes on: they stay."""
        if self.get(id).state is not IntakeState.CLOSED:
            return False
        if not self.is_purged(id):
            self._write("intake.purging", id, {})
        return True

    def reopen(self, id: int) -> bool:
        """CLOSED -> CATALOGED: a case of it goes on. False when its bytes are gone."""
        if self.is_purged(id):
            return False
        current = self.get(id).state
        if current is IntakeState.CLOSED:
            values = {"state": advance(current, IntakeState.CATALOGED), "due": 0.0}
            values |= {"lease_token": "", "lease_until": 0.0}
            self._connection.execute(update(intake).where(intake.c.id == id).values(values))
            self._write("intake.reopened", id, {})
        return True

    def purged(self, held: Lease) -> None:
        """The staged bytes are gone; the row stays, with nothing left to claim it for."""
        lease.settle(self._connection, intake, held, {}, due=self._now() + timedelta(days=36500))
        self._write("intake.purged", held.id, {})

    def _settle(self, held: Lease, to: IntakeState, values: dict[str, Any]) -> None:
        state = advance(self.get(held.id).state, to)
        lease.settle(self._connection, intake, held, {"state": state, **values})

    # -- what belongs to it ----------------------------------------------------------------

    def add_findings(self, id: int, findings: Iterable[Finding]) -> None:
        rows = [
            {
                "intake": id,
                "code": f.code,
                "severity": f.severity,
                "place": f.where,
                "detail": f.detail,
            }
            for f in findings
        ]
        if rows:
            self._connection.execute(finding.insert(), rows)

    def findings(self, id: int) -> tuple[Finding, ...]:
        query = select(finding).where(finding.c.intake == id).order_by(finding.c.id)
        rows = self._connection.execute(query)
        return tuple(
            from_plain(
                Finding,
                {"code": r.code, "severity": r.severity, "where": r.place, "detail": r.detail},
            )
            for r in rows
        )

    def ledger(self, id: int) -> Ledger | None:
        """None until the medium was cataloged."""
        value = self._value(intake.c.ledger, id)
        return from_plain(Ledger, value) if value else None

    def directory(self, id: int) -> DirectoryClaim | None:
        value = self._value(intake.c.directory, id)
        return from_plain(DirectoryClaim, value) if value else None

    def report(self, id: int) -> ReadReport | None:
        """None until the medium was read."""
        value = self._value(intake.c.report, id)
        return from_plain(ReadReport, value) if value else None

    def _value(self, column: Any, id: int) -> Any:
        return self._connection.execute(select(column).where(intake.c.id == id)).scalar()

    def add_attachments(
        self, id: int, attachments: Iterable[Attachment], cases: tuple[int | None, ...]
    ) -> None:
        """Reports on the medium, each with the case of its probable patient where there is one."""
        rows = [
            {
                "intake": id,
                "case_id": cases[a.patient] if 0 <= a.patient < len(cases) else None,
                "value": to_plain(a),
            }
            for a in attachments
        ]
        if rows:
            self._connection.execute(attachment.insert(), rows)

    def attachments(self, id: int, case_id: int | None = None) -> tuple[Attachment, ...]:
        """The reports on the medium, and which study each was put into or why it was not; with
        `case_id` those of that case and of nobody."""
        query = select(attachment.c.value).where(attachment.c.intake == id)
        if case_id is not None:
            whose = attachment.c.case_id
            query = query.where((whose == case_id) | whose.is_(None))
        rows = self._connection.scalars(query.order_by(attachment.c.id))
        return tuple(from_plain(Attachment, value) for value in rows)

    def set_progress(self, id: int, value: Progress) -> None:
        at = self._now().isoformat(timespec="milliseconds")
        row = {"intake": id, "value": to_plain(value), "at": at}
        self._upsert(progress, row, ("intake",))

    def progress(self, id: int) -> Progress | None:
        query = select(progress.c.value).where(progress.c.intake == id)
        value = self._connection.execute(query).scalar()
        return from_plain(Progress, value) if value else None

    def set_verdict(self, id: int, value: Verdict) -> None:
        """What the medium was at first look. The journal keeps figures, no names."""
        self._upsert(first_look, {"intake": id, "value": to_plain(value)}, ("intake",))
        data: dict[str, object] = {"code": value.code, "people": value.people}
        data |= {"studies": value.studies, "instances": value.instances, "whole": value.whole}
        self._write("intake.verdict", id, data)

    def verdict(self, id: int) -> Verdict | None:
        """None until the medium was looked at."""
        query = select(first_look.c.value).where(first_look.c.intake == id)
        value = self._connection.execute(query).scalar()
        return from_plain(Verdict, value) if value else None

    def set_drive(self, station: str, value: Drive) -> None:
        at = self._now().isoformat(timespec="seconds")
        row = {"station": station, "serial": value.serial, "value": to_plain(value), "at": at}
        self._upsert(drive, row, ("station", "serial"))

    def drives(self, station: str) -> tuple[Drive, ...]:
        query = select(drive.c.value).where(drive.c.station == station).order_by(drive.c.serial)
        return tuple(from_plain(Drive, value) for value in self._connection.scalars(query))

    def shown_at(self, station: str) -> str:
        """When progress or a drive of the station last changed: neither writes a journal line."""
        here = select(intake.c.id).where(intake.c.station == station)
        queries = (
            select(func.max(progress.c.at)).where(progress.c.intake.in_(here)),
            select(func.max(drive.c.at)).where(drive.c.station == station),
        )
        return max(str(self._connection.execute(query).scalar() or "") for query in queries)

    def _upsert(self, table: Any, row: dict[str, Any], keys: tuple[str, ...]) -> None:
        postgres = self._connection.dialect.name == "postgresql"
        insert = (postgresql if postgres else sqlite).insert(table).values(row)
        rest = {name: value for name, value in row.items() if name not in keys}
        self._connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=rest))

    def _free_ticket(self) -> str:
        while True:
            ticket = f"{secrets.choice(WORDS)}-{secrets.randbelow(9000) + 1000}"
            if self.by_ticket(ticket) is None:
                return ticket

    def _write(self, kind: str, id: int, data: dict[str, object], actor: str = "engine") -> None:
        self._journal.write(Event(kind, intake=id, actor=actor, data=data))


def _bytes(spans: Iterable[Span]) -> int:
    return sum(span.length for span in spans)


def _intake(row: Row[Any]) -> Intake:
    return Intake(
        id=row.id,
        ticket=row.ticket,
        state=IntakeState(row.state),
        medium=from_plain(Medium, row.medium),
        station=row.station,
        operator=row.operator,
        picked=from_plain(Identifier, row.picked) if row.picked else None,
        created_at=row.created_at,
        patience=row.patience,
        failure=from_plain(Finding, row.failure) if row.failure else None,
    )
