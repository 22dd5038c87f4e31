"""`kiosk check` says which database it found, and when it does not answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kiosk.__main__ import app
from tests.peers import free_port
from tests.peers.postgresql import PASSWORD, postgresql


def check(folder: Path, url: str, password: str = "") -> dict[str, dict[str, str]]:
    """The checks by name."""
    secret = folder / "password"
    secret.write_text(f"{password}\n")
    config = folder / "kiosk.toml"
    config.write_text(
        f'[database]\nurl = "{url}"\npassword_file = "{secret}"\nstate = "{folder / "state"}"\n'
    )
    done = CliRunner().invoke(app, ["check", "--json", "--config", str(config)])
    assert password not in done.output or not password
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


@pytest.mark.peer("psql")
def test_the_fleets_database_is_named_with_what_it_keeps(tmp_path: Path) -> None:
    with postgresql(durable=True) as server, server.database() as url:
        name = url.partition("@/")[2].partition("?")[0]
        address = f"postgresql://kiosk@{server.host}:{server.port}/{name}"
        found = check(tmp_path, address, PASSWORD)["database"]
    assert found["state"] == "pass"
    assert found["meaning"].startswith("PostgreSQL ")
    assert f"{name} at 127.0.0.1" in found["meaning"]


def test_a_database_that_does_not_answer_is_a_check_that_fails_and_no_traceback(
    tmp_path: Path,
) -> None:
    found = check(tmp_path, f"postgresql://kiosk@127.0.0.1:{free_port()}/kiosk", PASSWORD)
    assert found.keys() == {"database"}
    assert found["database"]["state"] == "fail"
    assert "No scan was read or lost" in found["database"]["meaning"]
