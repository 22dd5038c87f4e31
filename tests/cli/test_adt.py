"""`kiosk adt`: files and the live feed lead to the same roster, and a patient can be shown."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kiosk import store
from kiosk.adt.mllp import Connection, wrap
from kiosk.cli.adt import Refusals, app
from tests.adt.messages import hl7

ROOT = Path(__file__).parents[2]
MERGE = hl7("A40", "PID|1||1^^^MERCY", "MRG|2^^^MERCY", control="m")


def person(number: int, name: str = "SMITH^ANN") -> bytes:
    pid = f"PID|1||{number}^^^MERCY^MR||{name}||19700203|F"
    return hl7("A04", pid, control=str(number), at="20260101")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"XDG_DATA_HOME": str(tmp_path / "share")}


def kiosk(home: dict[str, str], *arguments: str, given: bytes = b"", code: int = 0) -> Any:
    done = CliRunner().invoke(app, [*arguments], input=given, env=home)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout) if "--json" in arguments else done.stderr


def test_loading_counts_what_came_of_every_message(home: dict[str, str], tmp_path: Path) -> None:
    one, batch = tmp_path / "one.hl7", tmp_path / "batch.hl7"
    one.write_bytes(person(1))
    batch.write_bytes(
        b"FHS|^~\\&|\rBHS|^~\\&|\r" + person(2) + hl7(f11="T", control="t") + b"BTS|2\rFTS|1\r"
    )
    report = kiosk(home, "load", str(one), str(batch), "--json", code=4)
    seconds = report.pop("seconds")
    assert seconds > 0
    assert report == {"messages": 3, "applied": 2, "ignored": 0, "rejected": 1, "patients": 2}
    again = kiosk(home, "load", "-", "--json", given=wrap(person(1)) + wrap(person(2)))
    assert (again["ignored"], again["patients"]) == (2, 2)


def test_a_merged_patient_is_shown_with_what_it_was_merged_into(home: dict[str, str]) -> None:
    kiosk(home, "load", "-", given=person(1) + person(2, "SMYTH^ANNE") + MERGE)
    merged = kiosk(home, "show", "2^MERCY", "--json")
    assert (merged["status"], merged["names"]) == ("merged", ["SMYTH^ANNE"])
    assert merged["merged_into"] == {"value": "1", "issuer": "MERCY"}
    survivor = kiosk(home, "show", "1", "--json")
    assert survivor["merged_from"] == [{"value": "2", "issuer": "MERCY"}]
    assert [(i["value"], i["status"]) for i in survivor["identifiers"]] == [
        ("1", "active"),
        ("2", "prior"),
    ]
    assert survivor["former_names"] == ["SMYTH^ANNE"]
    assert survivor["last_event"] == "A04 1"


def test_an_unknown_number_is_an_error_that_says_what_to_check(home: dict[str, str]) -> None:
    said = kiosk(home, "show", "77^MERCY", code=1)
    assert "Nobody is registered under this number" in said


@pytest.fixture
def receiver(home: dict[str, str], tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = tmp_path / "kiosk.toml"
    config.write_text(f"[adt]\nport = {port}\n")
    env = {**os.environ, **home, "KIOSK_CONFIG": str(config), "PYTHONWARNINGS": "error"}
    process = subprocess.Popen(
        [sys.executable, "-m", "kiosk", "adt", "listen"],
        cwd=ROOT, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    assert b"Receiving registrations" in process.stderr.readline()
    yield process, port
    process.kill()
    for pipe in (process.stdin, process.stderr):
        assert pipe is not None
        pipe.close()
    process.wait()


def ask(port: int, *raws: bytes) -> list[str]:
    """Sends the messages at once; the acknowledgements' MSA segments."""
    framer, got = Connection(), []
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(b"".join(map(wrap, raws)))
        while len(got) < len(raws):
            got += framer.receive(peer.recv(65536))
    return [frame.decode().split("\r")[1] for frame in got]


def test_what_the_live_feed_acknowledges_is_in_the_roster_until_it_is_told_to_end(
    home: dict[str, str], receiver: tuple[subprocess.Popen[bytes], int]
) -> None:
    process, port = receiver
    assert ask(port, person(1), person(2), MERGE) == ["MSA|AA|1", "MSA|AA|2", "MSA|AA|m"]
    assert ask(port, hl7("A99", control="x"))[0].startswith("MSA|AR|x")
    assert kiosk(home, "show", "2", "--json")["merged_into"]["value"] == "1"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_the_receiver_ends_with_the_engine_that_started_it(
    receiver: tuple[subprocess.Popen[bytes], int],
) -> None:
    process, _ = receiver
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0


def test_a_receiver_killed_at_any_time_has_kept_all_that_it_acknowledged(
    home: dict[str, str], receiver: tuple[subprocess.Popen[bytes], int]
) -> None:
    process, port = receiver
    assert ask(port, *(person(n) for n in range(1, 101))) == [f"MSA|AA|{n}" for n in range(1, 101)]
    process.kill()
    process.wait(20)
    again = kiosk(home, "load", "-", "--json", given=b"".join(person(n) for n in range(1, 101)))
    assert (again["ignored"], again["patients"]) == (100, 100)


def test_who_is_turned_away_is_in_the_journal_once_an_hour(tmp_path: Path) -> None:
    rows = store.open(
        f"sqlite:///{tmp_path / 'kiosk.db'}",
        keys_of=lambda _: frozenset(),
        name_keys_of=lambda _: frozenset(),
    )
    at = iter([0.0, 1.0, 2.0, 3600.5])
    refused = Refusals(rows, lambda: next(at))
    for peer, why in [("10.0.0.1", "peer"), ("10.0.0.1", "peer"), ("10.0.0.1", "tls")]:
        refused(peer, why)
    refused("10.0.0.1", "peer")
    with rows.read() as tx:
        said = [(e.kind, e.data["why"]) for e in tx.journal.since(0)]
    rows.close()
    assert said == [("adt.refused", "peer"), ("adt.refused", "tls"), ("adt.refused", "peer")]
