"""`kiosk audit`: the chain is walked, and an export holds what was asked for and is itself told."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kiosk import __main__, identity, store
from kiosk.model.work import Event

run = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "kiosk.toml"
    path.write_text(f'[database]\nstate = "{tmp_path}"\n')
    rows = store.open(
        f"sqlite:///{tmp_path / 'kiosk.db'}",
        keys_of=identity.keys_of,
        name_keys_of=identity.name_keys_of,
    )
    with rows.begin() as tx:
        tx.journal.write(Event("drive.eject-asked", actor="clerk", data={"device": "=cmd()"}))
        tx.journal.write(Event("destination.paused", actor="it"))
    rows.close()
    return path


def audit(config: Path, *words: str) -> Result:
    return run.invoke(__main__.app, ["audit", *words, "--config", str(config)])


def test_an_unbroken_journal_is_said_with_its_newest_hash(config: Path) -> None:
    done = audit(config, "verify", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["records"], found["first_broken"]) == (0, 2, None)
    assert found["head"] in audit(config, "verify").output


@pytest.mark.parametrize(
    ("edit", "broken"),
    [
        ("UPDATE journal SET actor = 'nobody' WHERE id = 1", 1),
        ("DELETE FROM journal WHERE id = 1", 2),
    ],
)
def test_the_first_record_that_was_changed_is_named(config: Path, edit: str, broken: int) -> None:
    with sqlite3.connect(config.parent / "kiosk.db") as connection:
        connection.execute(edit)
    connection.close()
    done = audit(config, "verify")
    assert done.exit_code == 1
    assert f"Record {broken} was changed" in done.output


def test_an_export_by_person_is_csv_and_no_formula(config: Path) -> None:
    done = audit(config, "export", "--person", "clerk", "--operator", "auditor")
    (line,) = csv.DictReader(done.stdout.splitlines())
    assert (line["kind"], line["actor"]) == ("drive.eject-asked", "clerk")
    assert json.loads(line["data"]) == {"device": "=cmd()"}
    (asked,) = csv.DictReader(audit(config, "export", "--person", "auditor").stdout.splitlines())
    assert asked["kind"] == "audit.exported"
    assert json.loads(asked["data"])["by_person"] == "clerk"


def test_an_export_holds_the_time_that_was_asked_for(config: Path) -> None:
    future = audit(config, "export", "--since", "2999-01-01", "--json")
    assert future.stdout == ""
    past = audit(config, "export", "--until", "2999-01-01", "--since", "2020-01-01", "--json")
    kinds = [json.loads(line)["kind"] for line in past.stdout.splitlines()]
    assert kinds == ["drive.eject-asked", "destination.paused", "audit.exported"]
    assert audit(config, "export", "--since", "yesterday").exit_code == 2
