"""`kiosk db verify`: nothing of the database, the journal or the vault is other than it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kiosk.cli.context import Context
from kiosk.store import backups


def of_file(file: Path) -> dict[str, Any]:
    """A backup: its pages and its journal."""
    found = backups.examine(file)
    problem = f"{file} {found.problem}." if found.problem else ""
    return _document(problem, found.records, found.first_broken, found.head)


def in_use(context: Context) -> dict[str, Any]:
    """The database that the configuration names, and every file that its intakes staged."""
    problem = context.store.problem()
    with context.store.read() as tx:
        records, broken = tx.journal.last_id(), tx.journal.first_broken()
        newest = tx.journal.since(records - 1)
        tickets = backups.intakes_held(tx, context.policy.site.station)
    hurt = {t: files for t in tickets if (files := list(backups.hurt_files(context.vault, t)))}
    head = newest[-1].hash if newest else ""
    return _document(problem, records, broken, head, len(tickets), hurt)


def _document(
    problem: str,
    records: int,
    first_broken: int | None,
    head: str,
    intakes: int = 0,
    hurt: dict[str, list[int]] | None = None,
) -> dict[str, Any]:
    return {
        "whole": not (problem or hurt or first_broken is not None),
        "problem": problem,
        "records": records,
        "first_broken": first_broken,
        "head": head,
        "intakes": intakes,
        "hurt": hurt or {},
    }


def words(document: dict[str, Any]) -> list[str]:
    said = [document["problem"]] if document["problem"] else []
    if document["first_broken"] is not None:
        said.append(f"Record {document['first_broken']} was changed outside the program.")
    for ticket, files in document["hurt"].items():
        said.append(f"{ticket}: {len(files)} staged files are missing or changed: read it again.")
    if said:
        return [*said, "Keep everything as it is until somebody has looked at it."]
    return [
        f"Whole: {document['records']} journal records, {document['intakes']} intakes with every "
        f"staged file as it was read. Newest hash: {document['head'] or '(none)'}"
    ]
