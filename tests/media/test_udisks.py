"""UDisks2: the second way to a drive's tray, and the way to file systems that we do not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.media import MediaError, Mounts, cannot_mount, eject
from tests.media.images import burn, some_files
from tests.peers.udisks import UDisks, Volume, system_bus, udisks

READ_ONLY = "ro,nosuid,nodev,noexec"
pytestmark = pytest.mark.peer("dbus-daemon")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[UDisks]:
    with udisks(monkeypatch) as served:
        yield served


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """A node whose kernel knows no ejection: a plain file."""
    return burn(tmp_path / "left", some_files(1))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What a mount shows."""
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "IM1").write_bytes(b"scan")
    return folder


@pytest.fixture
def mounts(tmp_path: Path) -> Mounts:
    return Mounts(tmp_path / "notes")


def refusal(act: object) -> str:
    with pytest.raises(MediaError) as refused:
        act()  # type: ignore[operator]
    assert "\n" not in refused.value.finding.detail
    return refused.value.finding.code


def notes(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "notes").glob("*"))


# -- trays -----------------------------------------------------------------------------------------


def test_where_the_kernel_does_not_eject_udisks_does(service: UDisks, drive: Path) -> None:
    service.plug(drive, None)
    eject(str(drive))
    assert service.asked.count("Eject") == 1


def test_a_refusal_of_udisks_is_a_failed_ejection(service: UDisks, drive: Path) -> None:
    service.plug(drive, None)
    service.refuse["Eject"] = "NotAuthorized"
    assert refusal(lambda: eject(str(drive))) == "eject-failed"
    assert service.asked.count("Eject") == 1


def test_a_device_that_udisks_does_not_know_is_a_failed_ejection(
    service: UDisks, drive: Path
) -> None:
    assert refusal(lambda: eject(str(drive))) == "eject-failed"
    assert "Eject" not in service.asked


def test_a_bus_without_udisks_is_a_failed_ejection_in_words(
    drive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with system_bus(monkeypatch), pytest.raises(MediaError) as refused:
        eject(str(drive))
    assert "button on the drive" in refused.value.finding.detail


def test_no_system_bus_at_all_is_a_failed_ejection_in_words(
    drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'nobody'}")
    with pytest.raises(MediaError) as refused:
        eject(str(drive))
    assert "paper clip" in refused.value.finding.detail


# -- mounts ----------------------------------------------------------------------------------------


def test_an_image_is_mounted_read_only_as_long_as_it_is_read(
    service: UDisks, mounts: Mounts, drive: Path, tree: Path, tmp_path: Path
) -> None:
    service.images[drive] = Volume(drive, tree, "hfsplus", "SCANS")
    with mounts.at(drive) as mount:
        assert (mount.folder, mount.label, mount.filesystem) == (tree, "SCANS", "hfsplus")
        assert service.options == [READ_ONLY]
        assert len(notes(tmp_path)) == 1
    assert service.volumes == {}
    assert notes(tmp_path) == []


def test_it_is_released_however_the_reading_ends(
    service: UDisks, mounts: Mounts, drive: Path, tree: Path
) -> None:
    service.images[drive] = Volume(drive, tree)
    with pytest.raises(ZeroDivisionError), mounts.at(drive):
        _ = 1 / 0
    assert service.volumes == {}


def test_what_an_engine_that_died_had_mounted_is_released_by_the_next(
    service: UDisks, drive: Path, tree: Path, tmp_path: Path
) -> None:
    service.images[drive] = Volume(drive, tree)
    died = Mounts(tmp_path / "notes").at(drive)
    died.__enter__()
    assert service.mounted == [drive]
    Mounts(tmp_path / "notes").release_left_over()
    assert service.volumes == {}
    assert notes(tmp_path) == []


def test_a_mount_that_somebody_else_made_is_replaced_by_a_read_only_one(
    service: UDisks, mounts: Mounts, drive: Path, tree: Path
) -> None:
    """A desktop mounts what is plugged in for writing."""
    service.images[drive] = Volume(drive, tree)
    with mounts.at(drive):
        pass
    assert service.asked.count("Unmount") == 1
    loop = service.plug(drive, tree, loop=True)
    loop.mounted = True
    with mounts.at(drive):
        assert service.options[-1] == READ_ONLY


def test_a_stick_that_is_gone_when_it_should_be_released_needs_none(
    service: UDisks, mounts: Mounts, drive: Path, tree: Path, tmp_path: Path
) -> None:
    service.images[drive] = Volume(drive, tree)
    with mounts.at(drive):
        service.volumes.clear()
    assert notes(tmp_path) == []


def test_a_mount_that_cannot_be_released_is_said_and_tried_again_at_the_next_start(
    service: UDisks, mounts: Mounts, drive: Path, tree: Path, tmp_path: Path, expected_logs: object
) -> None:
    expected_logs("WARNING kiosk.mounts: a mount was not released")  # type: ignore[operator]
    service.images[drive] = Volume(drive, tree)
    service.refuse["Unmount"] = "DeviceBusy"
    with mounts.at(drive):
        pass
    assert service.mounted == [drive]
    assert len(notes(tmp_path)) == 1
    service.refuse.clear()
    Mounts(tmp_path / "notes").release_left_over()
    assert service.volumes == {}
    assert notes(tmp_path) == []


def test_who_comes_second_waits_until_the_first_has_read(
    service: UDisks, mounts: Mounts, drive: Path, tree: Path
) -> None:
    service.images[drive] = Volume(drive, tree)
    with mounts.at(drive):
        assert mounts._in_use[drive].locked()
    with mounts.at(drive) as again:
        assert again.folder == tree


@pytest.mark.parametrize(
    ("volume", "code"),
    [
        (Volume(Path(), None, usage="crypto", filesystem="BitLocker"), "medium-encrypted"),
        (Volume(Path(), None, "apfs"), "medium-unsupported"),
        (Volume(Path(), None, usage=""), "medium-unsupported"),
    ],
)
def test_what_cannot_be_mounted_is_said_and_nothing_stays(
    service: UDisks, mounts: Mounts, drive: Path, tmp_path: Path, volume: Volume, code: str
) -> None:
    service.images[drive] = volume
    assert refusal(lambda: mounts.at(drive).__enter__()) == code
    assert service.volumes == {}
    assert notes(tmp_path) == []


def test_an_account_that_may_not_mount_is_told_whom_to_ask(
    service: UDisks, mounts: Mounts, drive: Path, tree: Path
) -> None:
    service.images[drive] = Volume(drive, tree)
    service.refuse["Mount"] = "NotAuthorizedCanObtain"
    with pytest.raises(MediaError) as refused, mounts.at(drive):
        pass
    assert refused.value.finding.code == "udisks-failed"
    assert "Tell IT" in refused.value.finding.detail
    assert service.volumes == {}


def test_what_is_not_there_any_more_is_missing_not_damaged(
    service: UDisks, mounts: Mounts, tmp_path: Path
) -> None:
    assert refusal(lambda: mounts.at(tmp_path / "sdb1").__enter__()) == "medium-missing"


def test_without_udisks_nothing_is_mounted_and_nothing_stays(
    mounts: Mounts, drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with system_bus(monkeypatch):
        assert refusal(lambda: mounts.at(drive).__enter__()) == "udisks-failed"
    assert notes(tmp_path) == []


# -- what `kiosk check` asks -----------------------------------------------------------------------


def test_whether_this_account_may_mount_is_asked_of_polkit(service: UDisks) -> None:
    assert cannot_mount() == ""
    service.allowed.clear()
    assert cannot_mount() == "polkit does not let this account mount"
    assert "Mount" not in service.asked


def test_a_system_without_udisks_cannot_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    with system_bus(monkeypatch):
        assert "does not answer" in cannot_mount()
