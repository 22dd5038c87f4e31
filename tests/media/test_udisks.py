"""UDisks2 as the second way to a drive: a service of its shape on a system bus of the test's own.

The service is a mock (python3-dbusmock), for the real one wants root and real hardware; the bus,
the library and our side of the conversation are real.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.media import MediaError, eject
from tests.media.images import burn, some_files

SERVICE = """
import sys
import dbus, dbus.mainloop.glib
from gi.repository import GLib
from dbusmock import DBusMockObject

obey = sys.argv[1] == "obey"
U, O = "org.freedesktop.UDisks2", "/org/freedesktop/UDisks2"
dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SystemBus()
name = dbus.service.BusName(U, bus)
root = DBusMockObject(name, O + "/Manager", U + ".Manager", {}, sys.argv[2])
known = f"ret = dbus.Array(['{O}/block_devices/sr0'], 'o') if 'left' in args[0]['path'] else []"
root.AddMethods(U + ".Manager", [("ResolveDevice", "a{sv}a{sv}", "ao", known)])
block = {"Drive": dbus.ObjectPath(O + "/drives/LEFT")}
root.AddObject(O + "/block_devices/sr0", U + ".Block", block, [])
fail = f"raise dbus.exceptions.DBusException('no', name='{U}.Error.NotAuthorized')"
root.AddObject(O + "/drives/LEFT", U + ".Drive", {}, [("Eject", "a{sv}", "", "" if obey else fail)])
print("ready", flush=True)
GLib.MainLoop().run()
"""


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A private daemon that this process takes for the system bus."""
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert daemon.stdout is not None
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", daemon.stdout.readline().strip())
    yield
    daemon.terminate()
    daemon.wait(10)
    daemon.stdout.close()


def serve(how: str, log: Path) -> subprocess.Popen[str]:
    if not Path("/usr/lib/python3/dist-packages/dbusmock").exists() and not os.environ.get("CI"):
        pytest.skip("python3-dbusmock is not installed (installer/system-packages peers)")
    service = subprocess.Popen(
        ["/usr/bin/python3", "-c", SERVICE, how, str(log)], stdout=subprocess.PIPE, text=True
    )
    assert service.stdout is not None
    assert service.stdout.readline() == "ready\n"
    return service


def end(service: subprocess.Popen[str]) -> None:
    service.terminate()
    service.communicate(timeout=10)


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """A node whose kernel knows no ejection: a plain file."""
    return burn(tmp_path / "left", some_files(1))


@pytest.mark.peer("dbus-daemon")
@pytest.mark.usefixtures("bus")
def test_where_the_kernel_does_not_eject_udisks_does(drive: Path, tmp_path: Path) -> None:
    service = serve("obey", tmp_path / "log")
    try:
        eject(str(drive))
    finally:
        end(service)
    assert (tmp_path / "log").read_text().count(" Eject {") == 1


@pytest.mark.peer("dbus-daemon")
@pytest.mark.usefixtures("bus")
def test_a_refusal_of_udisks_is_a_failed_ejection(drive: Path, tmp_path: Path) -> None:
    service = serve("refuse", tmp_path / "log")
    try:
        with pytest.raises(MediaError) as refused:
            eject(str(drive))
    finally:
        end(service)
    assert refused.value.finding.code == "eject-failed"
    assert (tmp_path / "log").read_text().count(" Eject {") == 1


@pytest.mark.peer("dbus-daemon")
@pytest.mark.usefixtures("bus")
def test_a_device_that_udisks_does_not_know_is_a_failed_ejection(tmp_path: Path) -> None:
    service = serve("obey", tmp_path / "log")
    try:
        with pytest.raises(MediaError) as refused:
            eject(str(burn(tmp_path / "other", some_files(1))))
    finally:
        end(service)
    assert refused.value.finding.code == "eject-failed"


@pytest.mark.peer("dbus-daemon")
@pytest.mark.usefixtures("bus")
def test_a_bus_without_udisks_is_a_failed_ejection_in_words(drive: Path) -> None:
    with pytest.raises(MediaError) as refused:
        eject(str(drive))
    assert "button on the drive" in refused.value.finding.detail


def test_no_system_bus_at_all_is_a_failed_ejection_in_words(
    drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nowhere")
    with pytest.raises(MediaError) as refused:
        eject(str(drive))
    assert "button on the drive" in refused.value.finding.detail
