"""`kiosk destination`: how the archives do, and stopping one; what an import waits for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from time import time

from kiosk.cli.demonstration import registration
from kiosk.store import DestinationState
from tests import discs
from tests.peers import free_port
from tests.peers.scripted import Conversation, scripted
from tests.station import Station, dicom, station

OFF = "verify_level = 0\ncommitment = false\nconnect_seconds = 2\n"


def test_an_archive_is_paused_and_resumed_and_says_so(tmp_path: Path) -> None:
    with station(tmp_path, dicom(free_port(), "A"), dicom(free_port(), "B", "VNA")) as here:
        assert here.kiosk("destination", "pause", "PACS").returncode == 0
        listed = json.loads(here.kiosk("destination", "list", "--json").stdout)
        assert [(d["name"], d["paused"]) for d in listed["destinations"]] == [
            ("PACS", True),
            ("VNA", False),
        ]
        assert here.kiosk("destination", "resume", "PACS").returncode == 0
        listed = json.loads(here.kiosk("destination", "list", "--json").stdout)
        assert not any(d["paused"] for d in listed["destinations"])
        with here.rows.read() as tx:
            kinds = [e.kind for e in tx.journal.since(0)]
    assert kinds == ["destination.paused", "destination.resumed"]


def test_an_archive_that_is_not_configured_is_wrong_usage(tmp_path: Path) -> None:
    with station(tmp_path, dicom(free_port(), "A")) as here:
        said = here.kiosk("destination", "pause", "ELSEWHERE")
    assert said.returncode == 2
    assert "PACS" in said.stderr


def ready(here: Station) -> None:
    """The demonstration's patients are registered."""
    messages = here.folder / "adt.hl7"
    sent = registration.morning(datetime.now(UTC))
    messages.write_text("\r".join(m.text for m in sent), newline="")
    assert here.kiosk("adt", "load", str(messages)).returncode == 0


def test_an_import_is_not_stopped_by_what_failed_before_it_came(tmp_path: Path) -> None:
    """The archive failed five times and was not due for an hour; it answers again by now."""
    with scripted() as peer, station(tmp_path, dicom(peer.port, "PACS") + OFF) as here:
        ready(here)
        failing = DestinationState(
            "PACS", failing_since="2026-01-01", failures=5, problem="no answer", due=time() + 3600
        )
        with here.rows.begin() as tx:
            tx.destinations.put("kiosk-1", failing)
        ended = here.kiosk("import", str(discs.marlowe(tmp_path)), "--json")
    assert ended.returncode == 0, ended.stderr
    assert len(peer.received) == 7


def test_an_import_says_that_its_archive_is_paused(tmp_path: Path) -> None:
    with scripted() as peer, station(tmp_path, dicom(peer.port, "PACS") + OFF) as here:
        ready(here)
        assert here.kiosk("destination", "pause", "PACS").returncode == 0
        ended = here.kiosk("import", str(discs.marlowe(tmp_path)), "--json")
    assert ended.returncode == 1
    assert "PACS is paused" in ended.stderr
    assert peer.received == []


def takes_the_first_half(count: int, conversation: Conversation) -> None:
    conversation.answer(0x0000 if count <= 3 else 0xA900)


def takes_the_second_half(count: int, conversation: Conversation) -> None:
    conversation.answer(0x0000 if count > 4 else 0xA900)


def test_delivered_is_what_every_archive_has(tmp_path: Path) -> None:
    """Two archives took three images each, and not one of them both."""
    with (
        scripted(takes_the_first_half) as one,
        scripted(takes_the_second_half) as two,
        station(tmp_path, dicom(one.port, "A") + OFF, dicom(two.port, "B", "VNA") + OFF) as here,
    ):
        ready(here)
        ended = here.kiosk("import", str(discs.marlowe(tmp_path)), "--json")
    studies = [s for c in json.loads(ended.stdout)["cases"] for s in c["studies"]]
    assert ended.returncode == 4
    assert sum(s["instances"] for s in studies) == 7
    both = set(one.received[:3]) & set(two.received[4:])
    assert sum(s["delivered"] for s in studies) == len(both)
