"""What a receiver promised survives its death; what it had not promised comes again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk import inbound
from kiosk.model.medium import MANIFEST
from kiosk.policy.sections import Limits
from tests.inbound.senders import CT, MR, Sender, Station, c_store, data_set, lines, uid_of
from tests.peers import accepts, free_port
from tests.station import until

INSTANCES = {uid_of(path): data_set(path.read_bytes()) for path in (CT, MR)}
FIRST, SECOND = INSTANCES

RECEIVER = """
import sys, threading
from pathlib import Path
from kiosk import inbound
from kiosk.policy.sections import Inbound, Limits
settings = Inbound(enabled=True, port=int(sys.argv[1]), quiet_seconds=600.0)
inbound.listen(settings, "KIOSK", Limits(), Path(sys.argv[2]), lambda medium: True)
threading.Event().wait()
"""


def killed_in_the_second(folder: Path) -> None:
    """A receiver has answered for the first instance and holds half of the second."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", RECEIVER, str(port), str(folder)]) as receiver:
        until(lambda: accepts(port), "the receiver listens")
        with Sender(port) as sender:
            assert sender.store(FIRST, INSTANCES[FIRST]) == 0
            sender.order(SECOND)
            sender.data(INSTANCES[SECOND][:5000], last=False)
            until(lambda: any(folder.glob("*.open/*.part")), "half an instance is there")
            os.kill(receiver.pid, signal.SIGKILL)
            receiver.wait()


def resumed(folder: Path, station: Station) -> inbound.Receiver:
    return inbound.listen(c_store(quiet_seconds=0.3), "KIOSK", Limits(), folder, station)


def test_killed_in_the_middle_and_sent_again_each_instance_is_there_once(tmp_path: Path) -> None:
    """One session, of the sender's first try and of its second."""
    killed_in_the_second(tmp_path)
    station = Station()
    with resumed(tmp_path, station) as here:
        with Sender(here.port) as sender:
            assert [sender.store(uid, data) for uid, data in INSTANCES.items()] == [0, 0]
            assert sender.release() == 6
        assert station.files().keys() == INSTANCES.keys()


def test_killed_and_never_sent_again_what_was_promised_arrives(tmp_path: Path) -> None:
    killed_in_the_second(tmp_path)
    station = Station()
    with resumed(tmp_path, station):
        assert station.files().keys() == {FIRST}
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("torn", [b'{"number": 2, "untru', b"\0" * 100])
def test_half_a_line_of_the_manifest_was_no_promise(tmp_path: Path, torn: bytes) -> None:
    """Power went away while the line was written; its file may be there, or half of it."""
    killed_in_the_second(tmp_path)
    (session,) = tmp_path.glob("*.open")
    with (session / MANIFEST).open("ab") as manifest:
        manifest.write(torn)
    (session / "00000002").write_bytes(b"half")
    station = Station()
    with resumed(tmp_path, station) as here:
        with Sender(here.port) as sender:
            assert sender.store(SECOND, INSTANCES[SECOND]) == 0
        assert station.files().keys() == INSTANCES.keys()


def test_a_session_in_which_nothing_was_promised_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "0123456789abcdef.open").mkdir()
    (tmp_path / "0123456789abcdef.open" / "00000001.part").write_bytes(b"half")
    with resumed(tmp_path, Station()):
        assert not list(tmp_path.iterdir())


def test_the_same_scans_sent_on_another_day_have_the_same_fingerprint(tmp_path: Path) -> None:
    station = Station()
    with resumed(tmp_path, station) as here:
        for day, order in enumerate((INSTANCES, reversed(INSTANCES)), 1):
            with Sender(here.port) as sender:
                for uid in order:
                    assert sender.store(uid, INSTANCES[uid]) == 0
            first, *more = station.sessions(day)
        assert [m.fingerprint for m in more] == [first.fingerprint]
        assert more[0].location != first.location
        assert len(lines(Path(first.location))) == 2


def test_a_second_receiver_on_the_same_folder_touches_nothing(tmp_path: Path) -> None:
    station = Station()
    with resumed(tmp_path, station) as here:
        with Sender(here.port) as sender:
            sender.order(FIRST)
            sender.data(INSTANCES[FIRST][:5000], last=False)
            with pytest.raises(OSError, match="another receiver"):
                resumed(tmp_path, Station())
            sender.data(INSTANCES[FIRST][5000:])
            assert sender.status() == 0
        assert station.files().keys() == {FIRST}
