"""The engine on a kiosk PC with emulated drives: real events, mounts, ejections and read errors.

One machine for all, in the order of the file: each part goes on where the one before stopped.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiosk.cli.demonstration import discs
from tests.vm.machine import Machine, Rows, machine, until

HELD = 100_000  # bytes a second: two minutes and more for a disc of these, until it is let go
MB = 1 << 20
SOME = MB // 2


@dataclass
class Kiosk:
    machine: Machine
    rows: Rows
    folder: Path
    intakes: int = 0

    def next(self) -> int:
        """The number of the intake that comes next."""
        self.intakes += 1
        return self.intakes

    def nothing_mounted(self) -> bool:
        return self.machine.mounts() == [] and self.machine.loops() == []


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    folder = tmp_path_factory.mktemp("vm")
    with machine(folder) as here:
        here.start()
        with here.watched() as rows:
            until(lambda: rows.drive("KVUSB01") == "no-disc", "the engine sees the drives")
            yield Kiosk(here, rows, folder)


def files(patient: str, megabytes: int) -> dict[str, bytes]:
    """A patient's scans, behind so much that is none: no two discs have it alike."""
    noise = random.Random(patient)
    filler = {f"A/F{n:02d}": noise.randbytes(MB) for n in range(megabytes)}
    return {**discs.file_set_of(patient), **filler}


@pytest.fixture(scope="module")
def archibald(kiosk: Kiosk) -> Path:
    return discs.burn(files(discs.ARCHIBALD, 12), kiosk.folder / "archibald.iso", "SCANS")


@pytest.fixture(scope="module")
def peter(kiosk: Kiosk) -> Path:
    return discs.burn(files(discs.PETER, 12), kiosk.folder / "peter.iso", "SCANS")


def tray_is_open(kiosk: Kiosk, drive: str) -> bool:
    (line,) = [x for x in kiosk.machine.do("status").splitlines() if x.startswith(f"{drive} ")]
    return "open" in line


def file_system(kiosk: Kiosk, name: str, megabytes: int, make: str, patient: str) -> Path:
    """An image made in the guest by the real tools: `make` gets `$D`, which then is mounted."""
    tree = kiosk.folder / f"{name}-tree"
    for path, data in files(patient, 12).items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)
    kiosk.machine.root("rm -rf /tmp/tree")
    kiosk.machine.do("put", str(tree), "/tmp/tree")
    script = f"""set -e
        truncate -s {megabytes}M /tmp/{name}
        D=$(losetup --show -fP /tmp/{name}); P=$D; {make}
        mount $P /mnt; cp -r /tmp/tree/. /mnt/; umount /mnt; losetup -d $D"""
    kiosk.machine.root(script)
    image = kiosk.folder / name
    kiosk.machine.do("get", f"/tmp/{name}", str(image))
    return image


# -- discs -----------------------------------------------------------------------------------------


def test_a_disc_is_read_and_the_tray_opens(kiosk: Kiosk, archibald: Path) -> None:
    n = kiosk.next()
    kiosk.machine.insert("sata", archibald)
    kiosk.rows.await_intake(n, "CATALOGED")
    assert kiosk.rows.people(n) == {discs.ARCHIBALD}
    assert kiosk.rows.medium(n)["kind"] == "optical"
    until(lambda: tray_is_open(kiosk, "sata"), "the tray opens")
    until(lambda: kiosk.rows.drive("KVSATA01") == "tray-open", "and the row says so")


def test_two_discs_at_once_never_mix(kiosk: Kiosk, archibald: Path, peter: Path) -> None:
    first, second = kiosk.next(), kiosk.next()
    kiosk.machine.insert("usb", peter, "--bps", str(HELD))
    until(lambda: kiosk.rows.intake(first)[0] == "RECEIVED", "the first is being read")
    kiosk.machine.insert("sata", archibald, "--bps", str(HELD))
    until(lambda: kiosk.rows.copied(second) > 0, "the second is being copied")
    assert kiosk.rows.intake(first)[0] == "RECEIVED"
    kiosk.machine.do("speed", "usb", "0")
    kiosk.machine.do("speed", "sata", "0")
    kiosk.rows.await_intake(first, "CATALOGED")
    kiosk.rows.await_intake(second, "CATALOGED")
    assert kiosk.rows.people(first) == {discs.PETER}
    assert kiosk.rows.people(second) == {discs.ARCHIBALD}


def test_a_scratched_disc_is_read_as_far_as_it_goes(kiosk: Kiosk, archibald: Path) -> None:
    n = kiosk.next()
    kiosk.machine.insert("usb", archibald, "--bad", "1000,2000-2003", "--bad-once", "3000")
    kiosk.rows.await_intake(n, "CATALOGED")
    spans = [(s["start"] // 2048, s["length"] // 2048) for s in kiosk.rows.report(n)["unreadable"]]
    assert spans == [(1000, 1), (2000, 4)]


def test_a_disc_pulled_in_the_middle_goes_on_in_the_other_drive(
    kiosk: Kiosk, tmp_path: Path
) -> None:
    disc = discs.burn(files(discs.ARCHIBALD, 14), tmp_path / "pulled.iso", "PULLED")
    n = kiosk.next()
    kiosk.machine.insert("sata", disc, "--bps", str(HELD))
    until(lambda: kiosk.rows.copied(n) > SOME, "it is in the middle")
    kiosk.machine.do("eject", "sata", "--force")
    kiosk.rows.await_pulled(n)
    kiosk.machine.insert("usb", disc)
    kiosk.rows.await_intake(n, "CATALOGED")
    assert kiosk.rows.medium(n)["location"] == "/dev/sr1"
    assert kiosk.rows.people(n) == {discs.ARCHIBALD}


def test_another_disc_in_its_place_is_another_intake(kiosk: Kiosk, tmp_path: Path) -> None:
    one = discs.burn(files(discs.ARCHIBALD, 15), tmp_path / "one.iso", "ONE")
    other = discs.burn(files(discs.PETER, 15), tmp_path / "other.iso", "OTHER")
    first, second = kiosk.next(), kiosk.next()
    kiosk.machine.insert("sata", one, "--bps", str(HELD))
    until(lambda: kiosk.rows.copied(first) > SOME, "it is in the middle")
    kiosk.machine.do("eject", "sata", "--force")
    kiosk.machine.insert("sata", other)
    kiosk.rows.await_intake(second, "CATALOGED")
    assert kiosk.rows.people(second) == {discs.PETER}
    kiosk.rows.await_pulled(first)
    kiosk.machine.insert("sata", one)
    kiosk.rows.await_intake(first, "CATALOGED")
    assert kiosk.rows.people(first) == {discs.ARCHIBALD}


def test_a_drive_whose_cable_was_pulled_goes_on_when_it_is_back(
    kiosk: Kiosk, tmp_path: Path
) -> None:
    disc = discs.burn(files(discs.PETER, 16), tmp_path / "cable.iso", "CABLE")
    n = kiosk.next()
    kiosk.machine.insert("usb", disc, "--bps", str(HELD))
    until(lambda: kiosk.rows.copied(n) > SOME, "it is in the middle")
    kiosk.machine.do("unplug", "usb")
    kiosk.rows.await_pulled(n)
    until(lambda: kiosk.rows.drive("KVUSB01") == "unplugged", "the drive is missed")
    kiosk.machine.do("plug", "usb")
    until(lambda: kiosk.rows.drive("KVUSB01") == "no-disc", "the drive is back")
    kiosk.machine.insert("usb", disc)
    kiosk.rows.await_intake(n, "CATALOGED")


def test_a_disc_of_another_file_system_is_mounted_for_the_reading(kiosk: Kiosk) -> None:
    make = "mkfs.vfat -S 2048 -n SCANDISC $D"
    image = file_system(kiosk, "fat-disc", 64, make, discs.ARCHIBALD)
    n = kiosk.next()
    kiosk.machine.insert("sata", image)
    kiosk.rows.await_intake(n, "CATALOGED")
    medium = kiosk.rows.medium(n)
    assert (medium["kind"], medium["filesystem"]) == ("optical", "vfat")
    assert kiosk.rows.people(n) == {discs.ARCHIBALD}
    assert kiosk.nothing_mounted()


# -- sticks ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stick(kiosk: Kiosk) -> Path:
    """Two partitions: one that starts a computer, and one with scans."""
    make = (
        r"printf '2048,16M,ef\n,,c\n' | sfdisk -q $D; udevadm settle; "
        "mkfs.vfat ${D}p1 >/dev/null; mkfs.vfat -n MYSCANS ${D}p2 >/dev/null; P=${D}p2"
    )
    return file_system(kiosk, "stick", 64, make, discs.PETER)


def test_a_stick_is_mounted_read_only_read_and_let_go(kiosk: Kiosk, stick: Path) -> None:
    before = hashlib.sha256(stick.read_bytes()).hexdigest()
    n = kiosk.next()
    kiosk.machine.plug(stick, "STICK1", HELD)
    until(lambda: kiosk.rows.copied(n) > 0, "it is being read")
    (mounted,) = kiosk.machine.mounts()
    kiosk.machine.let_go()
    assert set(mounted.split()[1].split(",")) >= {"ro", "nosuid", "nodev", "noexec"}
    kiosk.rows.await_intake(n, "CATALOGED")
    medium = kiosk.rows.medium(n)
    assert (medium["kind"], medium["filesystem"], medium["label"]) == ("usb", "vfat", "MYSCANS")
    assert kiosk.rows.people(n) == {discs.PETER}
    assert kiosk.nothing_mounted()
    kiosk.machine.pull("STICK1")
    until(lambda: kiosk.rows.drive("STICK1") == "unplugged", "it is missed")
    assert hashlib.sha256(stick.read_bytes()).hexdigest() == before, "it was written to"


def test_a_stick_pulled_in_the_middle_goes_on_when_it_is_back(kiosk: Kiosk) -> None:
    image = file_system(kiosk, "pulled", 64, "mkfs.vfat -n PULLED $D", discs.ARCHIBALD)
    n = kiosk.next()
    kiosk.machine.plug(image, "STICK2", HELD)
    until(lambda: kiosk.rows.copied(n) > SOME, "it is in the middle")
    kiosk.machine.pull("STICK2")
    kiosk.rows.await_pulled(n)
    assert kiosk.nothing_mounted()
    kiosk.machine.plug(image, "STICK2-AGAIN")
    kiosk.rows.await_intake(n, "CATALOGED")
    assert kiosk.rows.people(n) == {discs.ARCHIBALD}


def test_an_engine_that_dies_leaves_a_mount_that_the_next_releases(kiosk: Kiosk) -> None:
    image = file_system(kiosk, "killed", 64, "mkfs.vfat -n KILLED $D", discs.PETER)
    n = kiosk.next()
    kiosk.machine.plug(image, "STICK3", HELD)
    until(lambda: kiosk.rows.copied(n) > SOME, "it is in the middle")
    kiosk.machine.kill()
    assert len(kiosk.machine.mounts()) == 1
    kiosk.machine.let_go()
    kiosk.machine.start()
    kiosk.rows.await_intake(n, "CATALOGED")
    assert kiosk.nothing_mounted()


def test_an_image_file_of_another_file_system_is_read_from_a_loop_device(kiosk: Kiosk) -> None:
    """UDF with a sparing table, as a rewritable disc has it, by `kiosk inspect`."""
    make = "mkudffs --media-type=cdrw --spartable=2 -l ODD $D >/dev/null 2>&1"
    file_system(kiosk, "udf.img", 64, make, discs.ARCHIBALD)
    said = kiosk.machine.root(
        "install -o kiosk /tmp/udf.img /home/kiosk/udf.img && cd /home/kiosk && "
        "runuser -u kiosk -- env PYTHONPATH=/opt/kiosk HOME=/home/kiosk "
        "python3 -m kiosk inspect /home/kiosk/udf.img --json 2>/dev/null"
    )
    assert json.loads(said)["medium"]["filesystem"] == "udf"
    assert kiosk.nothing_mounted()
