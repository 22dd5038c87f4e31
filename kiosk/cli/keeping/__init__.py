"""Commands for whoever keeps the database: the schema, backups, and putting one back."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kiosk import __version__
from kiosk.cli.context import ConfigOption, JsonOption, opened, read_policy, say
from kiosk.cli.keeping import backup as copying
from kiosk.cli.keeping import restore as restoring
from kiosk.cli.keeping import verify as verifying

app = typer.Typer(name="db", help="The database: upgrade, backup, verify, restore.")


def _told(document: dict[str, Any], as_json: bool, words: list[str]) -> None:
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
    for line in () if as_json else words:
        say(line)


@app.command()
def upgrade(config: ConfigOption = None) -> None:
    """Bring the database to this program's schema; nothing else. Make a backup first."""
    with opened(config):
        say(f"The database has the schema of version {__version__}.")


@app.command()
def backup(
    into: Annotated[Path | None, typer.Argument(help="The file; default: backups/ beside.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Copy a kiosk's database while it is in use, and examine the copy."""
    document = copying.back_up(read_policy(config), into)
    _told(document, as_json, copying.words(document))


@app.command()
def verify(
    file: Annotated[Path | None, typer.Argument(help="A backup; default: the database.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Every page, the journal's chain and, of the database in use, every staged file by its hash.
    Exit 1 when anything is not what it was."""
    if file is not None:
        document = verifying.of_file(file)
    else:
        with opened(config) as context:
            document = verifying.in_use(context)
    _told(document, as_json, verifying.words(document))
    raise typer.Exit(0 if document["whole"] else 1)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup that `kiosk db backup` made.")],
    operator: Annotated[str, typer.Option(help="Who does this, for the journal.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Put a backup in the place of the database, which is kept; refused while an engine runs."""
    policy = read_policy(config)
    document = restoring.restore(policy, config, file, operator or getpass.getuser())
    _told(document, as_json, restoring.words(document))
