"""`kiosk people`: the first account of a new kiosk, without a secret among the arguments."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kiosk.__main__ import app
from kiosk.cli import check, people
from kiosk.cli.context import opened

CONFIG = '[site]\nname = "Test Hospital"\n[database]\nstate = "{state}"\n'
PASSWORD, PIN, BADGE = "correct horse battery", "908172", "04A1B2C3"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "kiosk.toml"
    path.write_text(CONFIG.format(state=tmp_path / "state"))
    return path


def kiosk(config: Path, *arguments: str, typed: str = "") -> Result:
    command = ["people", *arguments, "--config", str(config)]
    return CliRunner().invoke(app, command, input=typed)


def listed(config: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(kiosk(config, "list", "--json").stdout)
    return found


def test_it_gets_the_first_account_and_more_people_after_it(config: Path) -> None:
    """A password from the pipe; a badge and a PIN for the front desk; and check says so."""
    with opened(config) as context:
        (line,) = check._people(context)
        assert (line.state, "people add NAME" in line.fix) == (check.WARN, True)
    assert kiosk(config, "add", "ina", "--role", "it", typed=f"{PASSWORD}\n").exit_code == 0
    desk = ("add", "anna", "--role", "front-desk", "--with", "pin")
    assert kiosk(config, *desk, typed=f"{BADGE}\n{PIN}\n").exit_code == 0
    ways = {r["name"]: (r["role"], r["password"], r["pin"], r["badge"]) for r in listed(config)}
    assert ways == {
        "ina": ("it", True, False, False),
        "anna": ("front-desk", False, True, True),
    }
    with opened(config) as context:
        assert [line.state for line in check._people(context)] == [check.PASS]


def test_what_is_too_plain_is_refused_with_what_it_needs(config: Path) -> None:
    """The person is there and cannot sign in; `reset` sets a better one."""
    refused = kiosk(config, "add", "ina", "--role", "it", typed="short\n")
    assert refused.exit_code == 1
    assert "12 characters" in refused.stderr
    assert "cannot sign in yet" in refused.stderr
    done = kiosk(config, "reset", "INA", "--reason", "too plain", typed=f"{PASSWORD}\n")
    assert done.exit_code == 0
    assert listed(config)[0]["password"] is True


def test_people_are_locked_unlocked_moved_and_removed_but_not_the_last_of_it(config: Path) -> None:
    for name, role in (("ina", "it"), ("anna", "him")):
        kiosk(config, "add", name, "--role", role, typed=f"{PASSWORD}\n")
    assert kiosk(config, "lock", "anna", "--reason", "on leave").exit_code == 0
    assert {r["name"]: r["state"] for r in listed(config)}["anna"] == "locked"
    assert kiosk(config, "unlock", "anna", "--reason", "back").exit_code == 0
    assert kiosk(config, "role", "anna", "--role", "him-lead", "--reason", "lead").exit_code == 0
    last = kiosk(config, "remove", "ina", "--reason", "left")
    assert (last.exit_code, "last account of IT" in last.stderr) == (1, True)
    assert kiosk(config, "remove", "anna", "--reason", "left").exit_code == 0
    assert [r["name"] for r in listed(config)] == ["ina"]
    assert kiosk(config, "lock", "anna", "--reason", "again").exit_code == 1
    assert kiosk(config, "badge", "ina", "--reason", " ", typed=BADGE).exit_code == 2


def test_no_command_takes_a_secret_as_an_argument() -> None:
    """Every process of the machine could read it there."""
    for command in (people.add, people.reset, people.badge):
        assert not {"pin", "password", "secret", "number"} & set(
            inspect.signature(command).parameters
        )
