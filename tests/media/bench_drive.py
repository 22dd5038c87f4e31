"""Drives and sticks described to umockdev: udev lists them, nodes open, events arrive, trays obey.
Run under `umockdev-wrapper`, as `test_drives.py` does: udev is real, only the kernel's side is
described (through libumockdev and ctypes, which works in any virtual environment)."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Callable
from pathlib import Path

NO_DISC, TRAY_OPEN, NOT_READY, DISC_OK = 1, 2, 3, 4
DRIVE_STATUS, DISC_STATUS, EJECT, LOCK_DOOR = 0x5326, 0x5327, 0x5309, 0x5329
SELECT_SPEED = 0x5322
DATA_DISC, ENOTTY, EIO = 101, 25, 5

DESCRIPTION = """\
P: /devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:{n}/0:0:{n}:0/block/sr{n}
N: sr{n}
E: DEVNAME=/dev/sr{n}
E: DEVTYPE=disk
E: ID_CDROM=1
E: ID_MODEL=BENCH_DVD
E: ID_SERIAL={serial}
E: ID_PATH=pci-0000:00:1f.2-ata-{n}
E: MAJOR=11
E: MINOR={n}
E: SUBSYSTEM=block
A: removable=1\\n
A: dev=11:{n}\\n
"""

_umockdev = ctypes.CDLL("libumockdev.so.0")
_gobject = ctypes.CDLL("libgobject-2.0.so.0")
_P, _S = ctypes.c_void_p, ctypes.c_char_p
_HANDLER = ctypes.CFUNCTYPE(ctypes.c_int, _P, _P, _P)
_gobject.g_object_ref.argtypes = [_P]
_gobject.g_signal_connect_data.argtypes = [_P, _S, _HANDLER, _P, _P, ctypes.c_int]


def _function(name: str, result: object, *arguments: object) -> Callable[..., object]:
    found = getattr(_umockdev, f"umockdev_{name}")
    found.restype, found.argtypes = result, arguments
    return found  # type: ignore[no-any-return]


_new = _function("testbed_new", _P)
_root = _function("testbed_get_root_dir", _S, _P)
_add = _function("testbed_add_from_string", ctypes.c_int, _P, _S, _P)
_uevent = _function("testbed_uevent", None, _P, _S, _S)
_remove = _function("testbed_remove_device", None, _P, _S)
_attach = _function("testbed_attach_ioctl", ctypes.c_int, _P, _S, _P, _P)
_base_new = _function("ioctl_base_new", _P)
_complete = _function("ioctl_client_complete", None, _P, ctypes.c_long, ctypes.c_int)
_request = _function("ioctl_client_get_request", ctypes.c_ulong, _P)


class Bench:
    """The machine that the drives are plugged into."""

    def __init__(self) -> None:
        self.testbed = _new()
        self.root = Path(_root(self.testbed).decode())  # type: ignore[attr-defined]
        (self.root / "sys/dev/block").mkdir(parents=True)

    def plug(self, number: int, serial: str, more: str = "") -> BenchDrive:
        return BenchDrive(self, number, serial, more)


STICK = """\
P: /devices/pci0000:00/usb1/1-{n}/host{n}/target{n}:0:0/{n}:0:0:0/block/sd{letter}
N: sd{letter}
E: DEVNAME=/dev/sd{letter}
E: DEVTYPE=disk
E: ID_BUS=usb
E: ID_TYPE=disk
E: ID_MODEL=BENCH_STICK
E: ID_SERIAL={serial}
E: MAJOR=8
E: MINOR={minor}
E: SUBSYSTEM=block
A: removable=1\\n
A: size={size}\\n
"""

PARTITION = """\
P: {parent}/sd{letter}{number}
N: sd{letter}{number}
E: DEVNAME=/dev/sd{letter}{number}
E: DEVTYPE=partition
E: ID_BUS=usb
E: MAJOR=8
E: MINOR={minor}
E: PARTN={number}
E: SUBSYSTEM=block
{more}
"""


class BenchStick:
    """A stick or a slot of a card reader. `volumes` are the properties of its partitions; without
    any, `whole` are those of the stick itself. `blocks` is its size, 0 for an empty slot; `known`
    tells whether udev has looked at it."""

    def __init__(
        self,
        bench: Bench,
        serial: str,
        *volumes: str,
        letter: str = "b",
        whole: str = "",
        blocks: int = 1 << 20,
        known: bool = True,
    ) -> None:
        self.bench = bench
        self.done = " USEC_INITIALIZED=1" if known else ""
        at = ord(letter) - ord("a")
        text = STICK.format(n=at, letter=letter, serial=serial, minor=16 * at, size=blocks)
        self.paths = [self._add(text, whole)]
        for number, more in enumerate(volumes, 1):
            parent, minor = self.paths[0].removeprefix("/sys"), 16 * at + number
            fields = {"letter": letter, "number": number, "minor": minor, "more": _lines(more)}
            self.paths.append(self._add(PARTITION.format(parent=parent, **fields), ""))

    def _add(self, text: str, more: str) -> str:
        whole = text.rstrip("\n") + "\n" + _lines(more + self.done) + "\n"
        assert _add(self.bench.testbed, whole.encode(), None)
        return "/sys" + text.split("\n", 1)[0].removeprefix("P: ")

    def plug(self) -> BenchStick:
        for path in self.paths:
            _uevent(self.bench.testbed, path.encode(), b"add")
        return self

    def pull(self) -> None:
        for path in reversed(self.paths):
            _uevent(self.bench.testbed, path.encode(), b"remove")
            _remove(self.bench.testbed, path.encode())

    def mounted(self) -> None:
        """A change that is no other medium."""
        _uevent(self.bench.testbed, self.paths[0].encode(), b"change")


def _lines(properties: str) -> str:
    return "".join(f"E: {each}\n" for each in properties.split())


class BenchDrive:
    def __init__(self, bench: Bench, number: int, serial: str, more: str = "") -> None:
        self.bench, self.node = bench, f"/dev/sr{number}"
        description = DESCRIPTION.format(n=number, serial=serial) + _lines(more)
        self.syspath = "/sys" + description.split("\n", 1)[0].removeprefix("P: ")
        assert _add(bench.testbed, description.encode(), None)
        self.status, self.obeys, self.hangs = NO_DISC, True, False
        self.asked: list[object] = []
        self._put(None)
        self._answer_ioctls()

    def insert(self, image: Path, status: int = DISC_OK) -> None:
        self._put(image)
        self.status = status
        self.event("change", DISK_MEDIA_CHANGE="1", ID_CDROM_MEDIA="1")

    def take_out(self) -> None:
        self._put(None)
        self.status = TRAY_OPEN
        self.event("change", DISK_MEDIA_CHANGE="1")

    def unplug(self) -> None:
        self.event("remove")
        _remove(self.bench.testbed, self.syspath.encode())

    def event(self, action: str, **properties: str) -> None:
        uevent = self.bench.root / (self.syspath[1:] + "/uevent")
        before = uevent.read_text()
        uevent.write_text(before + "".join(f"{k}={v}\n" for k, v in properties.items()))
        _uevent(self.bench.testbed, self.syspath.encode(), action.encode())
        uevent.write_text(before)

    def _put(self, image: Path | None) -> None:
        node = self.bench.root / self.node[1:]
        node.unlink()
        shutil.copyfile(image or os.devnull, node)
        node.chmod(0o1660)  # umockdev shows a file with the sticky bit as a block device

    def _answer_ioctls(self) -> None:
        def handle(_base: int, client: int, _data: int) -> int:
            if self.hangs:
                _gobject.g_object_ref(client)  # never answered, never let go
            else:
                _complete(client, *self._answer(_request(client)))
            return 1

        self._handle = _HANDLER(handle)  # called in umockdev's own thread; kept alive here
        base = _base_new()
        _gobject.g_signal_connect_data(base, b"handle-ioctl", self._handle, None, None, 0)
        assert _attach(self.bench.testbed, self.node.encode(), base, None)

    def _answer(self, request: object) -> tuple[int, int]:
        self.asked.append(request)
        if request == DRIVE_STATUS:
            return self.status, 0
        if request == DISC_STATUS:
            return DATA_DISC, 0
        if request == EJECT and not self.obeys:
            return -1, EIO
        if request == EJECT:
            self.status = TRAY_OPEN
        return (0, 0) if request in (EJECT, LOCK_DOOR) else (-1, ENOTTY)
