"""Commands for whoever must prove what happened."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from typing import Annotated

import typer

from kiosk.cli.context import ConfigOption, JsonOption, opened, say
from kiosk.cli.proving import audit

app = typer.Typer(name="audit", help="The journal: is it whole, and who did what.")

Day = Annotated[str, typer.Option(help="A day or a moment, ISO 8601; a day is UTC's.")]


@app.command()
def verify(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Walk the chain of hashes and name the first record that was changed; exit 1 if there is."""
    with opened(config) as context:
        found = audit.verify(context)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for line in audit.verified_words(found):
            say(line)
    raise typer.Exit(0 if found["first_broken"] is None else 1)


@app.command()
def export(
    patient: Annotated[str, typer.Option(help="Of this patient: ID or ID^ISSUER.")] = "",
    person: Annotated[str, typer.Option(help="By this person.")] = "",
    since: Day = "",
    until: Day = "",
    operator: Annotated[str, typer.Option(help="Who asks, for the journal.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The journal's records as CSV (or JSON Lines), oldest first. That they were asked for is a
    record, too."""
    first, last = audit.moment(since, "--since"), audit.moment(until, "--until")
    with opened(config) as context:
        asks = operator or getpass.getuser()
        events = audit.export(context, patient, person, first, last, asks)
    if as_json:
        for event in events:
            typer.echo(json.dumps(asdict(event), ensure_ascii=False))
    else:
        typer.echo(audit.as_csv(events))
