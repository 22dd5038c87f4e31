"""`kiosk db backup`: a copy of the database as a file, examined before it is called one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kiosk.cli.context import fail, state_of
from kiosk.policy import Policy
from kiosk.store import StoreUnusable, backups

NOTHING = 5  # the exit code: nothing here that this command could copy
FLEETS = (
    "The database is a PostgreSQL: its own tools keep it (pg_dump, pg_basebackup), this command "
    "only a kiosk's own file."
)


def file_of(policy: Policy) -> Path:
    """The kiosk's own database. Ends the program when it is a fleet's."""
    if not policy.database.url:
        return state_of(policy) / "kiosk.db"
    kind, _, path = policy.database.url.partition(":///")
    if kind != "sqlite" or not path:
        fail(FLEETS, code=NOTHING)
    return Path(path)


def back_up(policy: Policy, into: Path | None) -> dict[str, Any]:
    """Copies; without a place for it, into `backups/` of the state folder, which is thinned."""
    database = file_of(policy)
    if not database.is_file():
        fail(f"There is no database at {database} yet: there is nothing to copy.", code=NOTHING)
    place = into or state_of(policy) / "backups" / f"kiosk-{stamp()}.db"
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        backups.copy(database, place)
    except StoreUnusable as e:
        fail(str(e))
    except OSError as e:
        fail(f"{place.parent} cannot be made ({e.strerror}). Check disk and permissions.")
    found = backups.examine(place)
    if found.problem:
        fail(f"{place}: the copy {found.problem}, and so is the database. Keep both; see a backup.")
    if into is None:
        backups.thin(place.parent)
    return {"database": str(database), "backup": str(place), "records": found.records} | {
        "newest": found.newest,
        "head": found.head,
    }


def stamp() -> str:
    """Now, as a part of a file name: names in order are in the order of time."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")


def words(document: dict[str, Any]) -> list[str]:
    return [
        f"{document['backup']} is a whole copy: {document['records']} journal records, the newest "
        f"of {document['newest'] or 'no time'}."
    ]
