"""A real engine with an archive that stalls beside one that works: the stalled one costs its own
worker and nothing else, and the engine ends when it is told to (faults 19-24)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from kiosk.cli.demonstration import registration
from tests import discs
from tests.peers.scripted import Conversation, scripted
from tests.station import PATIENCE, Station, dicom, station, until

OFF = "verify_level = 0\ncommitment = false\nanswer_seconds = 5\n"


def never_answers_the_association(conversation: Conversation) -> None:
    conversation.peer.said.append(0)
    conversation.hang()


def stops_reading(conversation: Conversation) -> None:
    conversation.accept()
    conversation.peer.said.append(0)
    conversation.hang()


def test_archives_that_stall_hold_up_nobody_else(tmp_path: Path) -> None:
    with (
        scripted(on_associate=never_answers_the_association) as silent,
        scripted(on_associate=stops_reading) as stuck,
        scripted() as well,
        station(
            tmp_path,
            dicom(silent.port, "A") + OFF,
            dicom(stuck.port, "B", "VNA") + OFF,
            dicom(well.port, "C", "CLINIC") + OFF,
        ) as here,
    ):
        ready(here)
        with here.engine() as engine:
            here.insert(discs.marlowe(tmp_path))
            until(lambda: bool(silent.said and stuck.said), "both have our association")
            until(lambda: len(well.received) == 7, "the other archive has all images")
            engine.terminate()
            assert engine.wait(PATIENCE) == 0


def ready(here: Station) -> None:
    messages = here.folder / "adt.hl7"
    sent = registration.morning(datetime.now(UTC))
    messages.write_text("\r".join(m.text for m in sent), newline="")
    assert here.kiosk("adt", "load", str(messages)).returncode == 0
