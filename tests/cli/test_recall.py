"""`kiosk recall`: who may take back what went out, from a shell."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kiosk.__main__ import app
from kiosk.cli.context import opened
from kiosk.store import Origin

CONFIG = """
[site]
name = "Test Hospital"
[database]
state = "{state}"
[sign_in]
required = {required}
"""
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(autouse=True)
def without_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("LOGNAME", "somebody-else")  # what anybody can say proves nothing
    monkeypatch.setenv("COLUMNS", "300")


def recall(folder: Path, required: str) -> Result:
    path = folder / "kiosk.toml"
    path.write_text(CONFIG.format(state=folder / "state", required=required))
    command = ["recall", "1", "--reason", "wrong man", "--config", str(path)]
    return CliRunner().invoke(app, command)


def test_where_people_sign_in_an_account_of_the_shells_user_must_be_a_leads(tmp_path: Path) -> None:
    stranger = recall(tmp_path, "true")
    assert stranger.exit_code == 1
    assert f"{ME} of this machine has no account" in stranger.output
    with opened(tmp_path / "kiosk.toml") as context, context.store.begin() as tx:
        tx.people.add(ME, "it", Origin.LOCAL, "ina")
    assert "Your role may not do this" in recall(tmp_path, "true").output
    with opened(tmp_path / "kiosk.toml") as context, context.store.begin() as tx:
        person = tx.people.named(ME)
        assert person is not None
        tx.people.set_role(person, "him-lead", "ina", "test")
    assert "There is no such case" in recall(tmp_path, "true").output


def test_where_nobody_signs_in_the_shell_is_trusted(tmp_path: Path) -> None:
    assert "There is no such case" in recall(tmp_path, "false").output
