"""`kiosk db restore`: a backup becomes the database. What was is kept, and what the backup knows
nothing of is put aside, not lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kiosk.cli.context import config_path, fail, open_all, state_of
from kiosk.cli.keeping.backup import file_of, stamp
from kiosk.engine import AlreadyRunning, alone
from kiosk.model.work import Event
from kiosk.policy import Policy
from kiosk.store import StoreUnusable, backups


def restore(policy: Policy, config: Path | None, file: Path, operator: str) -> dict[str, Any]:
    database, state = file_of(policy), state_of(policy)
    found = backups.examine(file)
    if found.problem:
        fail(f"{file} {found.problem}. Nothing was changed. Take another backup.")
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with alone(state):
            replaced = state / "backups" / f"replaced-{stamp()}.db"
            replaced.parent.mkdir(exist_ok=True, mode=0o700)
            existed = database.exists()
            backups.put_back(file, database, replaced)
            aside = _recorded(policy, config, operator, found.head)
    except AlreadyRunning:
        fail("An engine is running for this kiosk. Stop it first; nothing was changed.")
    except StoreUnusable as e:
        fail(str(e))
    return {
        "restored": str(file),
        "newest": found.newest,
        "replaced": str(replaced) if existed else None,
        "unregistered": aside,
    }


def _recorded(policy: Policy, config: Path | None, operator: str, head: str) -> list[str]:
    """The journal says that it went back; folders of intakes that it knows nothing of are put
    aside, so that no later intake can get their names."""
    context = open_all(policy, config_path(config))
    try:
        with context.store.begin() as tx:
            known = {intake.ticket for intake in tx.intakes.recent(limit=1 << 31)}
            aside = context.vault.put_aside(known, context.state / "unregistered")
            data: dict[str, object] = {"head": head, "unregistered": aside}
            tx.journal.write(Event("database.restored", actor=operator, data=data))
        return aside
    finally:
        context.store.close()


def words(document: dict[str, Any]) -> list[str]:
    said = [
        f"The database is that of {document['newest'] or 'a new kiosk'}. What was decided after "
        "that has to be decided again; what was sent is proved again, not sent twice.",
        f"Ask the interface team to send the registrations since {document['newest']} once more.",
    ]
    if document["unregistered"]:
        tickets = ", ".join(document["unregistered"])
        said.append(f"Read after that, now in unregistered/: {tickets}. Read these discs again.")
    if document["replaced"]:
        said.append(f"The database before is kept: {document['replaced']}")
    return said
