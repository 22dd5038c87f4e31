"""Commands for whoever owns the policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kiosk.cli.context import ConfigOption, JsonOption, fail, opened, say
from kiosk.cli.governing import explaining, replaying
from kiosk.cli.governing.reporting import report
from kiosk.policy import ConfigError, Policy, load

__all__ = ["app", "report"]

app = typer.Typer(name="policy", help="What a configuration says, and what it would have decided.")

File = Annotated[Path, typer.Argument(help="A configuration, as kiosk.toml is.")]


@app.command()
def check(file: File, as_json: JsonOption = False) -> None:
    """Whether a configuration can be used; exit 1 with file, line and key where it cannot."""
    draft = _read(file)
    remarks = replaying.remarks(draft)
    if as_json:
        typer.echo(json.dumps({"hash": draft.hash, "remarks": remarks}))
    else:
        say(f"{file} can be used: policy {draft.hash[:12]}")
        for remark in remarks:
            say(remark)


@app.command()
def replay(
    file: File,
    since: Annotated[str, typer.Option(help="The first day, ISO 8601.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What a configuration would have decided about past discs otherwise; nothing is changed."""
    draft, first = _read(file), replaying.day(since)
    with opened(config) as context:
        found = replaying.replay(context, draft, first)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        for line in replaying.words(found):
            say(line)


@app.command()
def explain(
    ticket: Annotated[str, typer.Argument(help="The disc's ticket, as its receipt has it.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What was decided about one disc, by which rule, and of which policy."""
    with opened(config) as context:
        found = explaining.explain(context, ticket)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        for line in explaining.words(found):
            say(line)


def _read(file: Path) -> Policy:
    try:
        return load(file)
    except ConfigError as e:
        fail(str(e))
