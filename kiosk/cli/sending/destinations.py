"""`kiosk destination list|pause|resume`: what IT does at the screen, from a shell."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from kiosk.cli.context import ConfigOption, Context, JsonOption, fail, opened, say
from kiosk.model.work import DeliveryState
from kiosk.policy.sections import Destination
from kiosk.store import Transaction

app = typer.Typer(help="Archives: how they do; stop one, let it go on.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="As in [[destination]].")]


@app.command(name="list")
def list_(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Every archive: what waits for it, since when it fails, whether it is paused."""
    with opened(config) as context, context.store.read() as tx:
        lines = [_line(tx, context, each) for each in context.policy.destination]
    if as_json:
        typer.echo(json.dumps({"destinations": lines}, ensure_ascii=False))
        return
    for line in lines:
        how = "paused" if line["paused"] else line["problem"] or "answers"
        say(f"{line['name']}: {line['waiting']} studies wait, {line['held']} held; {how}")


@app.command()
def pause(name: Name, config: ConfigOption = None) -> None:
    """Send nothing to an archive until it is resumed; what comes waits."""
    with opened(config) as context, context.store.begin() as tx:
        tx.destinations.pause(context.policy.site.station, _known(context, name), _who())
    say(f"{name} is paused. What is being sent this moment ends first.")


@app.command()
def resume(name: Name, config: ConfigOption = None) -> None:
    """Let an archive go on, at once: also one that waits after failures."""
    with opened(config) as context, context.store.begin() as tx:
        tx.destinations.resume(context.policy.site.station, _known(context, name), _who())
    say(f"{name} goes on.")


def _known(context: Context, name: str) -> str:
    if context.policy.destination_named(name) is None:
        names = ", ".join(d.name for d in context.policy.destination) or "none"
        fail(f"There is no destination {name}. Configured: {names}.", code=2)
    return name


def _who() -> str:
    return getpass.getuser()


def _line(tx: Transaction, context: Context, configured: Destination) -> dict[str, Any]:
    name = configured.name
    state = tx.destinations.get(context.policy.site.station, name)
    waiting = tx.deliveries.in_state(DeliveryState.QUEUED, DeliveryState.SENT)
    stuck = tx.deliveries.in_state(DeliveryState.HELD, DeliveryState.FAILED)
    due = datetime.fromtimestamp(state.due, UTC).isoformat() if state.due else None
    return {
        "name": name,
        "kind": configured.kind,
        "verify_level": configured.verify_level,
        "paused": state.paused,
        "waiting": sum(d.destination == name for d in waiting),
        "held": sum(d.destination == name for d in stuck),
        "failing_since": state.failing_since or None,
        "next_try_at": due,
        "problem": state.problem,
    }
