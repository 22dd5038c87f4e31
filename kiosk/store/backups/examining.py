"""Whether a copy of the database is whole, and whether the vault has what its manifests promise."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.exc import DBAPIError

from kiosk.model.medium import FileState, StagedFile, read_manifest
from kiosk.model.plain import NotPlain
from kiosk.model.work import IntakeState
from kiosk.store.database import Transaction, knows, utc_now
from kiosk.store.journal import Journal
from kiosk.store.tables import intake, journal
from kiosk.store.vault import Vault

_BLOCK = 1 << 20
_STAGED = (IntakeState.READ, IntakeState.CATALOGED, IntakeState.CLOSED)


@dataclass(frozen=True, slots=True)
class Examined:
    """A database file: what is wrong with it ("" when nothing is), and its journal."""

    problem: str
    records: int = 0
    first_broken: int | None = None
    newest: str = ""  # when its newest record was written, ISO 8601 UTC
    head: str = ""  # that record's hash


def examine(path: Path) -> Examined:
    """Every page, the chain of the journal, and whether this program knows the schema. Changes
    nothing, migrates nothing."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)

    if not path.is_file():
        return Examined("is not there")
    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            said = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
            if said != "ok":
                return Examined("is damaged")
            if not (revision := MigrationContext.configure(connection).get_current_revision()):
                return Examined("is no database of this program")
            if not knows(revision):
                return Examined("belongs to a newer version of this program")
            lines = Journal(connection, utc_now)
            records, broken = lines.last_id(), lines.first_broken()
            newest = lines.since(records - 1)
    except DBAPIError:
        return Examined("is no database, or damaged")
    at, head = (newest[-1].at, newest[-1].hash) if newest else ("", "")
    problem = "" if broken is None else f"has a journal that was changed at record {broken}"
    return Examined(problem, records, broken, at, head)


def intakes_held(tx: Transaction, station: str) -> tuple[str, ...]:
    """The tickets of this station's intakes whose bytes must be in its vault."""
    gone = select(journal.c.intake).where(journal.c.kind == "intake.purging")
    query = (
        select(intake.c.ticket)
        .where(intake.c.station == station, intake.c.state.in_(_STAGED), intake.c.id.not_in(gone))
        .order_by(intake.c.id)
    )
    return tuple(str(row.ticket) for row in tx.connection.execute(query))


def hurt_files(vault: Vault, ticket: str) -> Iterator[int]:
    """The numbers of the files that are not what the manifest promises; 0 for the manifest."""
    folder = vault.root / ticket
    promised: dict[int, StagedFile] = {}
    try:
        for file in read_manifest(folder):
            promised[file.number] = file
    except (OSError, ValueError, NotPlain):
        yield 0
        return
    if not folder.is_dir():
        yield 0
    for file in promised.values():
        staged = file.state in (FileState.WHOLE, FileState.HURT) and file.sha256
        if staged and _hash(vault.file(ticket, file.number)) != file.sha256:
            yield file.number


def _hash(path: Path) -> str:
    """Of the file's bytes, hex; "" when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as bytes_:
            while block := bytes_.read(_BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()
