"""Entry point and composition root: one command each, the parts are built where they are used."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kiosk import __version__
from kiosk.cli import (
    adt,
    governing,
    importing,
    inspecting,
    keeping,
    people,
    proving,
    receiving,
    sending,
)
from kiosk.cli.context import (
    ConfigOption,
    JsonOption,
    config_path,
    fail,
    fail_unexpectedly,
    opened,
    read_policy,
    say,
)
from kiosk.model.patient import Identifier
from kiosk.policy import Policy

app = typer.Typer(
    name="kiosk",
    help="Imports patients' discs into the PACS, under the right patient, and proves it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with local values would show patient data
)
app.add_typer(adt.app, name="adt")
app.add_typer(receiving.app, name="inbound")
app.add_typer(sending.app, name="destination")
app.add_typer(proving.app, name="audit")
app.add_typer(governing.app, name="policy")
app.add_typer(people.app, name="people")
app.command()(governing.report)
app.add_typer(keeping.app, name="db")

Medium = Annotated[Path, typer.Argument(help="A device, an ISO file, a ZIP or a folder.")]


def _print(document: dict[str, Any], as_json: bool, words: list[str]) -> None:
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        for line in words:
            say(line)


@app.command()
def inspect(medium: Medium, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Read a medium and report what is on it; nothing is kept. A configuration is read only when
    it is named: it has the limits."""
    document, code = inspecting.inspect(medium, read_policy(config) if config else Policy())
    _print(document, as_json, inspecting.words(document))
    raise typer.Exit(code)


@app.command(name="import")
def import_(
    medium: Medium,
    patient: Annotated[str, typer.Option(help="The patient picked: ID or ID^ISSUER.")] = "",
    operator: Annotated[str, typer.Option(help="Who does this, for the journal.")] = "",
    wait: Annotated[float | None, typer.Option(help="Seconds to wait at most.")] = None,
    patience: Annotated[float, typer.Option(help="Seconds for damage, instead of 300.")] = 0.0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The whole path: read, match, send, verify; waits until done or a person is needed."""
    picked = Identifier.parse(patient) if patient else None
    with opened(config) as context:
        intake = importing.receive(context, medium, operator, picked, patience)
        stopped = importing.drive(context, intake, wait)
        document = importing.report(context, intake.id)
        code = importing.exit_code(context, intake.id, stopped)
    _print(document, as_json, importing.words(document))
    if stopped:
        say(stopped)
    raise typer.Exit(code)


@app.command()
def match(
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines, as always.")] = False,
    config: ConfigOption = None,
) -> None:
    """Stated identities as JSON Lines on standard input; for each the decision and why."""
    from kiosk.cli import match as matching

    with opened(config) as context:
        lookup = matching.lookup_in(context.store)
        try:
            for line in matching.match(sys.stdin, lookup, context.policy.identity):
                typer.echo(line)
        except matching.BadQuery as e:
            fail(str(e), code=2)


@app.command()
def engine(
    config: ConfigOption = None,
    beside: Annotated[bool, typer.Option("--beside", hidden=True)] = False,
    apart: Annotated[bool, typer.Option("--receivers-apart", help="See `inbound serve`.")] = False,
) -> None:
    """The service: reads, matches, sends and verifies until it is told to stop (SIGTERM)."""
    from kiosk.cli import service

    with opened(config) as context:
        service.run_engine(context, beside, apart)


@app.command()
def recall(
    case: Annotated[int, typer.Argument(help="The case, as `kiosk import --json` numbers it.")],
    reason: Annotated[str, typer.Option(help="Why, in words; kept with the record.")],
    code: Annotated[str, typer.Option(help="113037 wrong patient, 113038 wrong order.")] = "113037",
    propose: Annotated[bool, typer.Option("--propose", help="Ask another person for it.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Take back what went out wrong: rejected at each archive, then decided and sent anew."""
    from kiosk.cli.correcting import recall as recalling

    with opened(config) as context:
        recalling.recall(context, case, reason, code, propose)
        document = recalling.report(context, case)
    _print(document, as_json, recalling.words(document))


@app.command()
def check(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Look at every dependency and peer: pass, warn or fail, and the fix."""
    from kiosk.cli import check as checking

    checks = checking.checks(read_policy(config), config_path(config))
    document = checking.report(checks)
    words = [f"{c.state:4}  {c.name}: {c.meaning}" + f"  -> {c.fix}" * bool(c.fix) for c in checks]
    _print(document, as_json, words)
    raise typer.Exit(1 if document["state"] == checking.FAIL else 0)


@app.command()
def conformance(
    into: Annotated[Path, typer.Argument(help="The folder to write into.")] = Path("docs"),
) -> None:
    """Write the DICOM Conformance Statement and the IHE Integration Statement."""
    from kiosk.cli import stating

    for path in stating.write(into):
        say(f"{path} is written.")


@app.command()
def ui(
    desk: Annotated[str, typer.Option(help="touch, him or it.")] = "touch",
    language: Annotated[str, typer.Option(help="en, es or de.")] = "en",
    config: ConfigOption = None,
) -> None:
    """The screen of one desk; starts an engine beside it when none runs."""
    from kiosk.cli import service

    with opened(config) as context:
        raise typer.Exit(service.run_desk(context, desk, language))


@app.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Without a window.")] = False,
) -> None:
    """The whole job in a temporary folder: two discs, an archive, a registration system."""
    from kiosk.cli import demo as demonstration

    raise typer.Exit(demonstration.run(headless))


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("kiosk").setLevel(logging.INFO)
    try:
        app()
    except Exception as e:  # the text of an exception, or a traceback, may show a patient's data
        fail_unexpectedly(e)


if __name__ == "__main__":
    main()
