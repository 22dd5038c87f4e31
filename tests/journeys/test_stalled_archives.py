"""A real engine with an archive that stalls beside one that works: the stalled one costs its own
worker and nothing else, and the engine ends when it is told to (faults 19-24)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.cli.demonstration import registration
from tests import discs
from tests.peers.scripted import Conversation, scripted
from tests.station import Station, dicom, station, until

OFF = "verify_level = 0\ncommitment = false\nanswer_seconds = 5\n"
Peer = Callable[[Conversation], None]


def never_answers_the_association(conversation: Conversation) -> None:
    conversation.peer.said.append(0)
    conversation.hang()


def stops_reading(conversation: Conversation) -> None:
    conversation.accept()
    conversation.peer.said.append(0)
    conversation.hang()


@pytest.mark.parametrize("act", [never_answers_the_association, stops_reading])
def test_an_archive_that_stalls_holds_up_nobody_else(tmp_path: Path, act: Peer) -> None:
    with (
        scripted(on_associate=act) as stalled,
        scripted() as well,
        station(
            tmp_path,
            dicom(stalled.port, "A") + OFF,
            dicom(well.port, "B", "VNA") + OFF,
        ) as here,
    ):
        ready(here)
        with here.engine() as engine:
            here.insert(discs.marlowe(tmp_path))
            until(lambda: bool(stalled.said), "the stalled archive has our association")
            until(lambda: len(well.received) == 7, "the other archive has all images")
            engine.terminate()
            assert engine.wait(60) == 0


def ready(here: Station) -> None:
    messages = here.folder / "adt.hl7"
    sent = registration.morning(datetime.now(UTC))
    messages.write_text("\r".join(m.text for m in sent), newline="")
    assert here.kiosk("adt", "load", str(messages)).returncode == 0
