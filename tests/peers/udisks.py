"""UDisks2's shape on a system bus of the test's own: what it was asked, and a tree for each file
system that it "mounts".

The service is a stand-in, for the real one wants root, polkit and a kernel to mount with (`make vm`
has them); the bus, the library and our side of the conversation are real.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.peers import require

POLKIT = "org.freedesktop.PolicyKit1"
U, ROOT = "org.freedesktop.UDisks2", "/org/freedesktop/UDisks2"


@dataclass
class Volume:
    """A file system as blkid sees it; `tree` is what a mount shows, None where it cannot be
    mounted. `usage` is `filesystem`, `crypto` or empty."""

    device: Path
    tree: Path | None = None
    filesystem: str = "vfat"
    label: str = "STICK"
    usage: str = "filesystem"
    mounted: bool = False
    loop: bool = False


@dataclass
class UDisks:
    """The stand-in. `volumes` by the last part of their object path; `asked` are the calls."""

    volumes: dict[str, Volume] = field(default_factory=dict)
    images: dict[Path, Volume] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)  # member: name of the error
    allowed: set[str] = field(default_factory=lambda: {f"{U.lower()}.filesystem-mount"})  # polkit's
    mounting: threading.Event = field(default_factory=threading.Event)
    may_mount: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_mount.set()

    def plug(self, device: Path, tree: Path | None, **about: Any) -> Volume:
        self.volumes[device.name] = Volume(device, tree, **about)
        return self.volumes[device.name]

    def pull(self, device: Path) -> None:
        del self.volumes[device.name]

    @property
    def mounted(self) -> list[Path]:
        return [v.device for v in self.volumes.values() if v.mounted]

    # -- the service's side ----------------------------------------------------------------

    def answer(self, message: Message) -> Message | None:
        if (
            message.destination not in (U, POLKIT)
            or message.message_type is not MessageType.METHOD_CALL
        ):
            return None
        member = str(message.member)
        self.asked.append(member)
        try:
            if member in self.refuse:
                raise LookupError(self.refuse[member])
            signature, body = getattr(self, f"_{member}")(message)
        except LookupError as e:
            return Message.new_error(message, f"{U}.Error.{e.args[0]}", "no")
        return Message.new_method_return(message, signature, body)

    def _volume(self, message: Message) -> Volume:
        try:
            return self.volumes[str(message.path).rpartition("/")[2]]
        except KeyError:
            raise LookupError("Failed") from None

    def _ResolveDevice(self, message: Message) -> tuple[str, list[Any]]:
        path = message.body[0]["path"].value
        names = [n for n, v in self.volumes.items() if str(v.device) == path]
        return "ao", [[f"{ROOT}/block_devices/{name}" for name in names]]

    def _GetManagedObjects(self, _message: Message) -> tuple[str, list[Any]]:
        objects = {f"{ROOT}/block_devices/{n}": _interfaces(v) for n, v in self.volumes.items()}
        return "a{oa{sa{sv}}}", [objects]

    def _Mount(self, message: Message) -> tuple[str, list[Any]]:
        volume = self._volume(message)
        self.options.append(message.body[0]["options"].value)
        if volume.mounted:
            raise LookupError("AlreadyMounted")
        if volume.tree is None:
            raise LookupError("Failed")
        volume.mounted = True
        self.mounting.set()
        assert self.may_mount.wait(120)
        return "s", [str(volume.tree)]

    def _Unmount(self, message: Message) -> tuple[str, list[Any]]:
        self._volume(message).mounted = False
        return "", []

    def _LoopSetup(self, message: Message) -> tuple[str, list[Any]]:
        fd = message.unix_fds[message.body[0]]
        image = Path(f"/proc/self/fd/{fd}").readlink()
        os.close(fd)
        about = self.images.get(image, Volume(image, usage=""))
        name = f"loop{len(self.asked)}"
        self.volumes[name] = Volume(
            image, about.tree, about.filesystem, about.label, about.usage, loop=True
        )
        return "o", [f"{ROOT}/block_devices/{name}"]

    def _Delete(self, message: Message) -> tuple[str, list[Any]]:
        del self.volumes[str(message.path).rpartition("/")[2]]
        return "", []

    def _CheckAuthorization(self, message: Message) -> tuple[str, list[Any]]:
        subject, action = message.body[:2]
        assert subject[1]["name"].value == message.sender, "one may ask for oneself only"
        return "(bba{ss})", [[action in self.allowed, False, {}]]

    def _Eject(self, _message: Message) -> tuple[str, list[Any]]:
        return "", []


def _interfaces(volume: Volume) -> dict[str, dict[str, Variant]]:
    path = Variant("ay", os.fsencode(volume.device) + b"\0")
    block = {
        "Device": Variant("ay", b"/dev/loop\0") if volume.loop else path,
        "Drive": Variant("o", f"{ROOT}/drives/LEFT"),
        "IdType": Variant("s", volume.filesystem if volume.usage else ""),
        "IdLabel": Variant("s", volume.label),
        "IdUsage": Variant("s", volume.usage),
        "Size": Variant("t", 1 << 30),
    }
    found = {f"{U}.Block": block}
    if volume.usage == "filesystem":
        points = [os.fsencode(str(volume.tree)) + b"\0"] if volume.mounted else []
        found[f"{U}.Filesystem"] = {"MountPoints": Variant("aay", points)}
    if volume.loop:
        found[f"{U}.Loop"] = {"BackingFile": path}
    return found


@contextmanager
def system_bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A private daemon that this process and its children take for the system bus."""
    daemon = subprocess.Popen(
        [require("dbus-daemon"), "--session", "--nofork", "--print-address"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert daemon.stdout is not None
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", daemon.stdout.readline().strip())
        yield
    finally:
        daemon.terminate()
        daemon.communicate(timeout=10)


@contextmanager
def udisks(monkeypatch: pytest.MonkeyPatch) -> Iterator[UDisks]:
    """The stand-in, on a bus of its own, served by a thread of this process."""
    service = UDisks()
    with system_bus(monkeypatch), _served(service.answer):
        yield service


@contextmanager
def _served(answer: Callable[[Message], Message | None]) -> Iterator[None]:
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        bus = await MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True).connect()
        bus.add_message_handler(answer)
        await bus.request_name(U)
        await bus.request_name(POLKIT)
        ready.set()
        await ended.wait()
        bus.disconnect()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="udisks")
    thread.start()
    try:
        assert ready.wait(30)
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(30)
        loop.close()
