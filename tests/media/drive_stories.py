"""The stories of `test_drives.py`, told by name under `umockdev-wrapper`; each asserts."""

from __future__ import annotations

import os
import queue
import sys
import tempfile
import threading
from pathlib import Path

from kiosk.media import MediaError, Watch, drives, eject, identify, refuse_blank, watch
from kiosk.media.folder import Folder
from kiosk.model.medium import Drive, DriveState, MediumKind
from tests.media.bench_drive import DISC_OK, NOT_READY, SELECT_SPEED, TRAY_OPEN, Bench, BenchStick
from tests.media.images import LIMITS, burn, contents, some_files, take

PATIENCE = 20.0


class Seen:
    """What a watch said, in order."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Drive] = queue.Queue()
        self.watch: Watch = watch(self.queue.put)

    def next_drive(self) -> Drive:
        return self.queue.get(timeout=PATIENCE)

    def next(self) -> tuple[str, str, str]:
        drive = self.next_drive()
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


def slowly() -> None:
    """A drive is asked to go slower once something cannot be read, and not before; one that does
    not obey is read on all the same."""
    drive = Bench().plug(0, "SN1")
    drive.insert(a_disc())
    into = Path(tempfile.mkdtemp())
    take(Path("/dev/sr0"), into / "whole")
    assert SELECT_SPEED not in drive.asked
    cut = burn(Path(tempfile.mkdtemp()) / "cut.iso", some_files(4, 200_000))
    os.truncate(cut, cut.stat().st_size - 200 * 2048)
    drive.insert(cut)
    take(Path("/dev/sr0"), into / "cut")
    assert drive.asked.count(SELECT_SPEED) == 1


def blank() -> None:
    """What udev knows to be blank is said so; a disc of data, and what is no drive, are not."""
    bench = Bench()
    bench.plug(0, "SN1", "ID_CDROM_MEDIA_STATE=blank")
    bench.plug(1, "SN2").insert(a_disc())
    assert _refusal(lambda: refuse_blank(Path("/dev/sr0"))) == "medium-blank"
    assert _refusal(lambda: refuse_blank(Path("/dev/sr1"))) == "obeyed"
    assert _refusal(lambda: refuse_blank(a_disc())) == "obeyed"


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


FAT, SYSTEM = "ID_FS_USAGE=filesystem ID_FS_TYPE=vfat", "ID_PART_ENTRY_TYPE=0xef"


def sticks() -> None:
    """A stick is said once with its partitions, its change of mount is not; pulled and plugged in
    again under another name it is the same stick; another one is another."""
    bench = Bench()
    seen = Seen()  # no optical drive: the bench may not change while one is asked for its state
    stick = BenchStick(bench, "STICK-1", FAT, FAT).plug()
    found = seen.next_drive()
    assert (found.serial, found.kind, found.state) == (
        "STICK-1",
        MediumKind.USB,
        DriveState.DISC_OK,
    )
    assert (found.device, found.volumes) == ("/dev/sdb", ("/dev/sdb1", "/dev/sdb2"))
    assert found.name == "BENCH STICK"
    stick.mounted()
    stick.pull()
    assert seen.next() == ("STICK-1", "/dev/sdb", "unplugged")
    BenchStick(bench, "STICK-1", FAT, letter="c").plug()
    found = seen.next_drive()
    assert (found.serial, found.volumes) == ("STICK-1", ("/dev/sdc1",))
    BenchStick(bench, "STICK-2", FAT, letter="d").plug()
    assert seen.next() == ("STICK-2", "/dev/sdd", "disc-ok")
    assert seen.nothing_more()


def volumes() -> None:
    """What starts a computer is no medium; a locked file system is; a file system over the whole
    stick hides its partitions (an ISO image that was written to it); a slot without a card and a
    disk that the computer lives on are not there; one that udev still looks at is not ready."""
    bench = Bench()
    BenchStick(bench, "SYSTEM", f"{FAT} {SYSTEM}", FAT, letter="b")
    BenchStick(bench, "LOCKED", "ID_FS_USAGE=crypto ID_FS_TYPE=BitLocker", letter="c")
    BenchStick(bench, "WHOLE", FAT, letter="d", whole="ID_FS_USAGE=filesystem ID_FS_TYPE=iso9660")
    BenchStick(bench, "BLANK", letter="e")
    BenchStick(bench, "SLOT", letter="f", blocks=0)
    home = BenchStick(bench, "HOME", FAT, letter="g")
    holders = bench.root / (home.paths[1][1:] + "/holders/dm-0")
    holders.mkdir(parents=True)
    BenchStick(bench, "STARTING", FAT, letter="h", known=False)
    assert {d.serial: d.state for d in drives()}["STARTING"] is DriveState.NOT_READY
    assert {d.serial: d.volumes for d in drives()} == {
        "SYSTEM": ("/dev/sdb2",),
        "LOCKED": ("/dev/sdc1",),
        "WHOLE": ("/dev/sdd",),
        "BLANK": (),
        "STARTING": (),
    }


def pulled() -> None:
    """A folder whose device is gone is a medium that was taken out, whatever the kernel still
    answers from memory: the bench knows no device but its own."""
    Bench()
    folder = Path(tempfile.mkdtemp())
    source = Folder(folder, LIMITS)
    assert _refusal(source.check_present) == "medium-removed"
    source.close()


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
