"""The stories of `test_drives.py`, told by name under `umockdev-wrapper`; each asserts."""

from __future__ import annotations

import os
import queue
import sys
import tempfile
import threading
from pathlib import Path

from kiosk.media import MediaError, Watch, drives, eject, identify, watch
from kiosk.model.medium import Drive, DriveState, MediumKind
from tests.media.bench_drive import DISC_OK, NOT_READY, TRAY_OPEN, Bench
from tests.media.images import LIMITS, burn, contents, some_files, take

PATIENCE = 20.0


class Seen:
    """What a watch said, in order."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Drive] = queue.Queue()
        self.watch: Watch = watch(self.queue.put)

    def next(self) -> tuple[str, str, str]:
        drive = self.queue.get(timeout=PATIENCE)
        return drive.serial, drive.device, drive.state.value

    def nothing_more(self) -> bool:
        self.watch.stop()  # it finishes what it is at
        return self.queue.empty()


def a_disc() -> Path:
    return burn(Path(tempfile.mkdtemp()) / "a.iso", some_files(3))


def listing() -> None:
    """Two drives of a kind without a serial number are told apart by their place."""
    bench = Bench()
    one, other = bench.plug(0, "BENCH_DVD"), bench.plug(1, "BENCH_DVD")
    found = drives()
    assert [d.device for d in found] == ["/dev/sr0", "/dev/sr1"]
    assert len({d.serial for d in found}) == 2
    assert {d.name for d in found} == {"BENCH DVD"}
    assert {d.state for d in found} == {DriveState.NO_DISC}
    one.insert(a_disc())
    other.status = TRAY_OPEN
    assert [d.state for d in drives()] == [DriveState.DISC_OK, DriveState.TRAY_OPEN]


def events() -> None:
    """Insertion is said once although it arrives twice, and once it has spun up; taking out and
    pulling the cable are said; another disc in the same drive is said."""
    drive = Bench().plug(0, "SN1")
    seen = Seen()
    assert seen.next() == ("SN1", "/dev/sr0", "no-disc")
    drive.insert(a_disc(), NOT_READY)
    drive.event("change", DISK_MEDIA_CHANGE="1")
    assert seen.next() == ("SN1", "/dev/sr0", "not-ready")
    drive.status = DISC_OK
    assert seen.next() == ("SN1", "/dev/sr0", "disc-ok")
    drive.insert(a_disc())
    drive.event("change", DISK_MEDIA_CHANGE="1")
    assert seen.next() == ("SN1", "/dev/sr0", "disc-ok")
    drive.take_out()
    assert seen.next() == ("SN1", "/dev/sr0", "tray-open")
    drive.unplug()
    assert seen.next() == ("SN1", "/dev/sr0", "unplugged")
    assert seen.nothing_more()


def replugged() -> None:
    """A drive that comes back under another device name is the same drive (RELIABILITY 9, 63)."""
    bench = Bench()
    drive = bench.plug(0, "SN1")
    seen = Seen()
    assert seen.next() == ("SN1", "/dev/sr0", "no-disc")
    drive.unplug()
    assert seen.next() == ("SN1", "/dev/sr0", "unplugged")
    bench.plug(1, "SN1").event("add")
    assert seen.next() == ("SN1", "/dev/sr1", "no-disc")
    assert seen.nothing_more()


def reading() -> None:
    """A disc in a drive is identified and read by its device node, and the tray opens."""
    drive = Bench().plug(0, "SN1")
    drive.insert(a_disc())
    assert identify(Path("/dev/sr0"), LIMITS).kind is MediumKind.OPTICAL
    into = Path(tempfile.mkdtemp()) / "s"
    take(Path("/dev/sr0"), into)
    assert contents(into) == some_files(3)
    eject("/dev/sr0")
    assert drive.status == TRAY_OPEN


def refusing() -> None:
    """A tray that does not open is said; an empty drive is not taken for a damaged disc."""
    drive = Bench().plug(0, "SN1")
    drive.obeys = False
    assert _refusal(lambda: eject("/dev/sr0")) == "eject-failed"
    assert _refusal(lambda: eject("/dev/sr7")) == "eject-failed"
    assert _refusal(lambda: identify(Path("/dev/sr0"), LIMITS)) == "medium-missing"


def hanging() -> None:
    """A drive that hangs in the kernel is sick; the other one is still seen, and asking again
    does not wait again (RELIABILITY 9, 47)."""
    bench = Bench()
    stuck, well = bench.plug(0, "STUCK"), bench.plug(1, "WELL")
    stuck.hangs = True
    well.status = TRAY_OPEN
    sys.modules[
        "kiosk.media.drives.optical"
    ]._ANSWER_SECONDS = 0.5  # ten seconds are for people, not for tests
    for _ in range(3):
        states = {d.serial: d.state for d in drives()}
        assert states == {"STUCK": DriveState.SICK, "WELL": DriveState.TRAY_OPEN}
    assert sum(t.name == "ask /dev/sr0" for t in threading.enumerate()) == 1


def _refusal(act: object) -> str:
    try:
        act()  # type: ignore[operator]
    except MediaError as e:
        return e.finding.code
    return "obeyed"


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    print("told", flush=True)
    os._exit(0)  # umockdev's threads have nobody to join them
