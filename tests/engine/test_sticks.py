"""A USB stick is mounted read-only, read as a disc is, and let go; so is what our own reader does
not read. UDisks2 is a stand-in (tests/peers/udisks.py); `make vm` has the real one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.cli.context import Context
from kiosk.cli.demonstration import discs
from kiosk.cli.importing import receive
from kiosk.cli.inspecting import inspect
from kiosk.media import MediaError
from kiosk.model.medium import Drive, DriveState, Medium, MediumKind, Progress
from kiosk.model.work import Intake, IntakeState
from kiosk.sandbox import JobFailed
from tests.engine.conftest import Station
from tests.engine.test_coming_back import Kiosk, once
from tests.peers.udisks import UDisks, Volume, udisks
from tests.station import kill, station, until

pytestmark = pytest.mark.peer("dbus-daemon")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[UDisks]:
    with udisks(monkeypatch) as served:
        yield served


class Stick:
    """A stick whose partitions are plain files here; its trees are what their mounts show."""

    def __init__(self, service: UDisks, folder: Path, serial: str = "STICK") -> None:
        self.service, self.folder = service, folder / serial
        self.folder.mkdir()
        self.drive = Drive(serial, str(self.folder / "sdb"), kind=MediumKind.USB)

    def partition(self, files: dict[str, bytes], **about: object) -> Path:
        """The next partition, with these files."""
        node = self.folder / f"sdb{len(self.drive.volumes) + 1}"
        node.touch()
        tree = self.folder / f"tree-{node.name}"
        for name, data in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(data)
        self.service.images[node] = Volume(node, tree, **about)  # type: ignore[arg-type]
        volumes = (*self.drive.volumes, str(node))
        self.drive = replace(self.drive, state=DriveState.DISC_OK, volumes=volumes)
        return node

    def pull(self) -> Drive:
        for node in map(Path, self.drive.volumes):
            node.unlink()
        return replace(self.drive, state=DriveState.UNPLUGGED)


@pytest.fixture
def stick(service: UDisks, tmp_path: Path) -> Stick:
    return Stick(service, tmp_path)


@pytest.fixture(scope="module")
def scans() -> dict[str, bytes]:
    return discs.file_set_of(discs.ARCHIBALD)


def only(kiosk: Kiosk) -> Intake:
    (intake,) = kiosk.intakes
    return intake


def test_a_stick_is_read_as_a_disc_is_and_nothing_stays_mounted(
    here: Station, service: UDisks, stick: Stick, scans: dict[str, bytes]
) -> None:
    """Same intake, same first look, same ledger; each mount is read-only."""
    node = stick.partition(scans, filesystem="exfat", label="MY STICK")
    kiosk = Kiosk(here)
    kiosk.drives.changed(stick.drive)
    assert kiosk.states == [IntakeState.RECEIVED]
    kiosk.work()
    intake = only(kiosk)
    assert intake.state is IntakeState.CATALOGED
    medium = intake.medium
    assert (medium.kind, medium.location) == (MediumKind.USB, str(node))
    assert (medium.filesystem, medium.label) == ("exfat", "MY STICK")
    assert kiosk.names(intake) == {discs.ARCHIBALD}
    with here.rows.read() as tx:
        verdict = tx.intakes.verdict(intake.id)
        kinds = [e.kind for e in tx.journal.since(0)]
    assert verdict is not None
    assert verdict.code == "scans"
    assert set(service.options) == {"ro,nosuid,nodev,noexec"}
    assert service.volumes == {}
    assert "drive.eject-failed" not in kinds, "a stick has no tray"


def test_a_stick_without_partitions_is_not_taken_for_a_drive_with_a_tray(
    here: Station, stick: Stick, scans: dict[str, bytes]
) -> None:
    node = stick.partition(scans)
    kiosk = Kiosk(here)
    kiosk.drives.changed(replace(stick.drive, device=str(node)))
    kiosk.work()
    with here.rows.read() as tx:
        assert "drive.eject-failed" not in [e.kind for e in tx.journal.since(0)]


def test_each_partition_with_files_is_a_medium_of_its_own(
    here: Station, stick: Stick, scans: dict[str, bytes]
) -> None:
    stick.partition(scans)
    stick.partition(discs.file_set_of(discs.PETER))
    kiosk = Kiosk(here)
    kiosk.drives.changed(stick.drive)
    kiosk.work()
    first, second = kiosk.intakes
    assert (kiosk.names(first), kiosk.names(second)) == ({discs.ARCHIBALD}, {discs.PETER})


def test_a_stick_that_stayed_in_is_not_read_again(
    here: Station, stick: Stick, scans: dict[str, bytes]
) -> None:
    stick.partition(scans)
    kiosk = Kiosk(here)
    for _ in range(2):
        kiosk.drives.changed(stick.drive)
        kiosk.work()
    assert kiosk.states == [IntakeState.CATALOGED]


def pulled(kiosk: Kiosk, stick: Stick) -> None:
    """What the reader says when the stick goes while it reads (tests/media has how it knows)."""
    kiosk.drives.changed(stick.pull())
    raise MediaError("medium-removed", "The medium was taken out while it was read.")


def test_a_stick_pulled_in_the_middle_goes_on_when_it_is_back_at_another_port(
    here: Station, service: UDisks, tmp_path: Path, stick: Stick, scans: dict[str, bytes]
) -> None:
    stick.partition(scans)
    kiosk = Kiosk(here)
    kiosk.hook = once(lambda: pulled(kiosk, stick))
    kiosk.drives.changed(stick.drive)
    kiosk.work()
    intake = only(kiosk)
    assert intake.failure is not None
    assert intake.failure.code == "medium-removed"
    assert service.volumes == {}
    before = kiosk.lines(intake)
    assert before
    back = Stick(service, tmp_path, "STICK-AGAIN")
    back.partition(scans)
    kiosk.drives.changed(back.drive)
    kiosk.work()
    intake = only(kiosk)
    assert intake.state is IntakeState.CATALOGED
    assert intake.medium.location.startswith(str(back.folder))
    after = kiosk.lines(intake)
    assert all(after[number] == before[number] for number in before)


def test_another_stick_in_its_place_is_another_intake(
    here: Station, service: UDisks, stick: Stick, scans: dict[str, bytes]
) -> None:
    """Under the same device name, before the first one's turn to be read had come."""
    node = stick.partition(scans)
    kiosk = Kiosk(here)
    kiosk.drives.changed(stick.drive)
    tree = service.images[node].tree
    assert tree is not None
    shutil.rmtree(tree)
    for name, data in discs.file_set_of(discs.PETER).items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    kiosk.work()
    first = only(kiosk)
    assert first.failure is not None
    assert first.failure.code == "medium-swapped"
    kiosk.drives.changed(replace(stick.drive, serial="OTHER"))
    kiosk.work()
    first, second = kiosk.intakes
    assert (first.state, kiosk.names(second)) == (IntakeState.FAILED, {discs.PETER})


@pytest.mark.parametrize(
    ("volume", "code"),
    [
        ({"usage": "crypto", "filesystem": "BitLocker"}, "medium-encrypted"),
        ({"usage": ""}, "medium-unsupported"),
    ],
)
def test_a_stick_that_cannot_be_read_is_said_in_plain_words(
    here: Station, service: UDisks, stick: Stick, volume: dict[str, str], code: str
) -> None:
    stick.partition({}, **volume)
    kiosk = Kiosk(here)
    kiosk.drives.changed(stick.drive)
    intake = only(kiosk)
    assert intake.state is IntakeState.FAILED
    assert intake.failure is not None
    assert intake.failure.code == code
    assert intake.medium.kind is MediumKind.USB
    assert service.volumes == {}


def test_a_stick_without_any_file_system_is_said_once(here: Station, stick: Stick) -> None:
    kiosk = Kiosk(here)
    for _ in range(2):
        kiosk.drives.changed(replace(stick.drive, state=DriveState.DISC_OK))
    failure = only(kiosk).failure
    assert failure is not None
    assert failure.code == "medium-unsupported"
    assert "copy its files" in failure.detail


# -- what our own reader does not read -------------------------------------------------------------


@pytest.fixture
def hfs_plus(tmp_path: Path) -> Path:
    """An image that says of itself that it is HFS+ (TN1150, volume header)."""
    image = tmp_path / "mac.img"
    image.write_bytes(bytes(1024) + b"H+\0\4" + bytes(200_000))
    return image


def mac(service: UDisks, image: Path, tree: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    service.images[image] = Volume(image, tree, "hfsplus", "Scans of 2025")


def test_an_image_of_another_file_system_is_read_below_a_mount(
    here: Station, service: UDisks, hfs_plus: Path, tmp_path: Path, scans: dict[str, bytes]
) -> None:
    mac(service, hfs_plus, tmp_path / "tree", scans)
    intake = here.insert(hfs_plus)
    here.work()
    with here.rows.read() as tx:
        read = tx.intakes.get(intake)
        verdict = tx.intakes.verdict(intake)
    assert read.state is IntakeState.CATALOGED
    medium = read.medium
    assert (medium.kind, medium.location) == (MediumKind.IMAGE, str(hfs_plus))
    assert (medium.filesystem, medium.label) == ("hfsplus", "Scans of 2025")
    assert verdict is not None
    assert verdict.code == "scans"
    assert service.volumes == {}


def test_a_disc_of_another_file_system_is_read_below_a_mount_in_its_drive(
    here: Station, service: UDisks, hfs_plus: Path, tmp_path: Path, scans: dict[str, bytes]
) -> None:
    mac(service, hfs_plus, tmp_path / "tree", scans)
    kiosk = Kiosk(here)
    kiosk.drives.changed(Drive("LEFT", str(hfs_plus), state=DriveState.DISC_OK))
    kiosk.work()
    intake = only(kiosk)
    assert intake.state is IntakeState.CATALOGED
    assert intake.medium.kind is MediumKind.OPTICAL


@pytest.mark.usefixtures("service")
def test_what_nothing_here_can_read_says_what_it_is_and_what_to_do(
    here: Station, hfs_plus: Path
) -> None:
    intake = here.insert(hfs_plus)
    here.work()
    with here.rows.read() as tx:
        read, verdict = tx.intakes.get(intake), tx.intakes.verdict(intake)
    assert read.failure is not None
    assert read.failure.code == "medium-unsupported"
    assert "Mac computers (HFS+)" in read.failure.detail
    assert "copy its files" in read.failure.detail
    assert verdict is not None
    assert verdict.code == "unsupported"


def test_a_mount_is_released_when_the_reader_dies(
    here: Station, service: UDisks, hfs_plus: Path, tmp_path: Path, scans: dict[str, bytes]
) -> None:
    mac(service, hfs_plus, tmp_path / "tree", scans)
    kiosk = Kiosk(here)

    def dies(_progress: Progress) -> None:
        raise JobFailed(MediaError("reader-died", "It stopped.").finding)

    kiosk.hook = dies
    intake = here.insert(hfs_plus)
    kiosk.work()
    with here.rows.read() as tx:
        assert tx.intakes.get(intake).state is IntakeState.FAILED
    assert "Mount" in service.asked
    assert service.volumes == {}


def test_what_a_killed_engine_left_mounted_is_released_and_read_by_the_next(
    service: UDisks, hfs_plus: Path, tmp_path: Path, scans: dict[str, bytes]
) -> None:
    """A real engine, killed before it hears that its mount is there."""
    mac(service, hfs_plus, tmp_path / "tree", scans)
    service.may_mount.clear()
    with station(tmp_path) as here:
        intake = here.insert(hfs_plus)
        with here.engine() as engine:
            until(service.mounting.is_set, "it is mounted")
            kill(engine)
        service.may_mount.set()
        asked = len(service.asked)
        with here.engine():
            until(lambda: here.intake(intake.id).state is IntakeState.CATALOGED, "it is read")
    since = service.asked[asked:]
    assert since.index("Unmount") < since.index("Mount")
    assert service.volumes == {}


def test_a_stick_that_a_person_names_is_mounted_too(
    here: Station, service: UDisks, stick: Stick, scans: dict[str, bytes]
) -> None:
    """`kiosk import /dev/sdb1`."""
    node = stick.partition(scans)
    with here.rows.begin() as tx:
        intake = tx.intakes.create(Medium(MediumKind.USB, str(node)), "kiosk-1", "tester").id
    here.work()
    with here.rows.read() as tx:
        assert tx.intakes.get(intake).state is IntakeState.CATALOGED
    assert service.volumes == {}


def test_the_commands_read_below_a_mount_as_the_engine_does(
    here: Station, service: UDisks, hfs_plus: Path, tmp_path: Path, scans: dict[str, bytes]
) -> None:
    """`kiosk inspect` and `kiosk import` of a Mac's image."""
    mac(service, hfs_plus, tmp_path / "tree", scans)
    report, code = inspect(hfs_plus, here.policy)
    assert (code, report["medium"]["filesystem"]) == (0, "hfsplus")
    assert [p["patient_id"] for p in report["patients"]] == [discs.ARCHIBALD]
    context = Context(here.policy, None, here.folder, here.rows, here.vault)
    intake = receive(context, hfs_plus, "tester", None)
    assert (intake.medium.kind, intake.medium.filesystem) == (MediumKind.IMAGE, "hfsplus")
    assert service.volumes == {}
