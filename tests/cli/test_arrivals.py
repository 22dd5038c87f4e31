"""What IT is told of the receivers, and what they say when they cannot start."""

from __future__ import annotations

import json
from pathlib import Path

from kiosk import inbound
from kiosk.policy.sections import Limits
from tests.inbound.senders import Station as Told
from tests.inbound.senders import c_store
from tests.peers import free_port
from tests.station import station


def test_check_knocks_at_every_receiver_that_is_switched_on(tmp_path: Path) -> None:
    with inbound.listen(c_store(), "KIOSK", Limits(), tmp_path / "in", Told()) as receiver:
        more = f"""
[inbound]
enabled = true
port = {receiver.port}
[stow]
enabled = true
port = {free_port()}
[folders]
watched = ["{tmp_path}", "{tmp_path / "missing"}"]
"""
        with station(tmp_path, more=more) as here:
            checks = json.loads(here.kiosk("check", "--json").stdout)["checks"]
    states = {check["name"]: check["state"] for check in checks}
    assert states["receiver DICOM"] == "pass"
    assert states["receiver STOW-RS"] == "warn"
    assert states[f"folder {tmp_path / 'missing'}"] == "fail"
    assert f"folder {tmp_path}" not in states


def test_a_port_that_is_taken_is_said_with_where_to_look(tmp_path: Path) -> None:
    with inbound.listen(c_store(), "KIOSK", Limits(), tmp_path / "in", Told()) as receiver:
        port = receiver.port
        with station(tmp_path, more=f"[inbound]\nport = {port}\n") as here:
            ended = here.kiosk("inbound", "listen")
    assert ended.returncode == 1
    assert f"Scans cannot be received on port {port}: Address already in use" in ended.stderr
    assert ended.stderr.rstrip().endswith("See [inbound].")


def test_watching_no_folder_is_wrong_usage(tmp_path: Path) -> None:
    with station(tmp_path) as here:
        assert here.kiosk("inbound", "watch").returncode == 2
