"""`kiosk report`: what the screens of D5 show, for a spreadsheet or a script."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from kiosk.cli.context import ConfigOption, JsonOption, fail, opened, say
from kiosk.cli.governing.replaying import day
from kiosk.desk.reporting import BY, Figures, Waiting, as_csv, figures, letter, waiting
from kiosk.model.plain import to_plain

DAYS = 30


def report(
    by: Annotated[str, typer.Option(help="A line for each: " + ", ".join(BY) + ".")] = "day",
    since: Annotated[str, typer.Option(help="First day, ISO 8601; default 30 days ago.")] = "",
    until: Annotated[str, typer.Option(help="Last day, ISO 8601; default today.")] = "",
    sender: Annotated[
        str, typer.Option("--letter", help="Write a letter to this institution instead.")
    ] = "",
    as_table: Annotated[bool, typer.Option("--csv", help="Comma-separated, for a sheet.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What was brought and what became of it, by day, site, sender or program; how old what waits
    is. No patient is named."""
    if by not in BY:
        fail(f"--by {by!r} is not known: write one of {', '.join(BY)}.", code=2)
    last = day(until, "--until") if until else datetime.now().astimezone().date()
    first = day(since) if since else last - timedelta(days=DAYS)
    with opened(config) as context, context.store.read() as tx:
        lines = tx.reports.brought(_midnight(first), _midnight(last + timedelta(days=1)))
        if sender:
            site = context.policy.site.name
            written = letter(lines, sender, site, first.isoformat(), last.isoformat())
            if written is None:
                fail(f"Fewer than 5 discs came from {sender} in that time: too few for a letter.")
            typer.echo(written.text, nl=False)
            return
        found, queues = figures(lines, by), waiting(tx, datetime.now(UTC))
    if as_table:
        typer.echo(as_csv(found), nl=False)
    elif as_json:
        typer.echo(json.dumps({"by": by, "lines": to_plain(found), "waiting": to_plain(queues)}))
    else:
        for line in (*map(_line, found), *map(_queue, queues)):
            say(line)


def _midnight(at: date) -> str:
    """The beginning of a day here, as the rows' instants are written."""
    local = datetime(at.year, at.month, at.day).astimezone()
    return local.astimezone(UTC).isoformat(timespec="seconds")


def _line(one: Figures) -> str:
    said = [f"{one.name or 'all together':<28} {one.media:>6} media {one.studies:>6} studies"]
    shares = {
        "linked by itself": one.automatic,
        "unreadable": one.unreadable,
        "damaged": one.damaged,
        "without scans": one.no_scans,
        "locked": one.locked,
        "several people": one.several,
        "wrong patient": one.wrong_patient,
    }
    said += [f"{share:.0%} {name}" for name, share in shares.items() if share]
    if one.copied:
        said.append(f"copied in {one.copied[0]:.0f} s (95 %: {one.copied[1]:.0f} s)")
    return ", ".join(said)


def _queue(one: Waiting) -> str:
    if not one.waiting:
        return f"Waiting ({one.queue}): none"
    return (
        f"Waiting ({one.queue}): {one.waiting}, the oldest for {one.oldest // 60} min; longer than "
        f"an hour {one.hour}, a day {one.day}, a week {one.week}"
    )
