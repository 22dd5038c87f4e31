"""A virtual kiosk PC: driven by the program `kiosk-vm`, with the product put into it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pwd
import re
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = Path(os.environ.get("KIOSK_VM") or ROOT.parent / "shared/tools/kiosk-vm")
HOME = Path(pwd.getpwuid(os.getuid()).pw_dir)  # the tests' own HOME is empty
STATE = Path(os.environ.get("KIOSK_VM_DIR") or HOME / ".cache/kiosk-vm")
DATABASE = "/home/kiosk/state/kiosk.db"
UNIT = "kiosk-engine"
PATH = "PYTHONPATH=/opt/kiosk"
TOOLS = "dosfstools udftools fdisk"  # what makes the file systems of these tests
READY = "journey"  # the snapshot that has them
CONFIG = """
[site]
name = "Virtual Hospital"
[database]
state = "/home/kiosk/state"
[identity]
local_issuer = "HOSP"
[adt]
enabled = false
[limits]
patience_seconds = 20.0
stall_seconds = 600.0
child_cpu_seconds = 600
"""
PATIENCE = 900.0  # without KVM the guest is some ten times slower than a PC


def until(done: Callable[[], bool], what: Callable[[], str] | str) -> None:
    """Waits for a condition; fails with `what` when it does not come true."""
    deadline, pause = monotonic() + PATIENCE, threading.Event()
    while not done():
        said = what if isinstance(what, str) else what()
        assert monotonic() < deadline, f"not in time: {said}"
        pause.wait(0.2)


class Machine:
    def __init__(self) -> None:
        self._disks = 0

    def do(self, *arguments: str, patience: float = 600) -> str:
        done = subprocess.run(
            [sys.executable, str(TOOL), *arguments],
            env=os.environ | {"KIOSK_VM_DIR": str(STATE)},
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def root(self, command: str, patience: float = 300) -> str:
        """Runs a shell command in the guest as root."""
        return self.do("run", "-t", str(int(patience)), command, patience=patience + 60)

    def insert(self, drive: str, image: Path, *how: str) -> None:
        self.do("insert", drive, str(image), *how)

    # -- the engine ------------------------------------------------------------------------

    def start(self) -> None:
        """The engine as a service of an account that sits at no screen."""
        self.root(
            f"systemd-run -q --collect --unit={UNIT} --uid=kiosk --gid=kiosk -p Group=cdrom "
            f"--setenv={PATH} --setenv=HOME=/home/kiosk "
            "-p StandardError=append:/home/kiosk/engine.log -- "
            "python3 -m kiosk engine --config /home/kiosk/kiosk.toml"
        )

    def kill(self) -> None:
        """As the power would: no handler of it runs."""
        self.root(f"systemctl kill -s KILL {UNIT}; systemctl stop {UNIT}; true")

    @contextmanager
    def watched(self) -> Iterator[Rows]:
        command = f"python3 /opt/kiosk/guest.py {DATABASE}"
        process = subprocess.Popen(
            [sys.executable, str(TOOL), "run", "-u", "kiosk", "-t", "7200", command],
            env=os.environ | {"KIOSK_VM_DIR": str(STATE)},
            stdout=subprocess.PIPE,
            text=True,
        )
        rows = Rows(process)
        try:
            yield rows
        finally:
            rows.end()

    def mounts(self) -> list[str]:
        """Source and options of what is mounted where UDisks2 mounts."""
        listed = self.root("findmnt -rn -o TARGET,SOURCE,OPTIONS")
        fields = (line.split() for line in listed.splitlines())
        return [f"{s} {o}" for t, s, o in fields if t.startswith(("/media/", "/run/media/"))]

    def loops(self) -> list[str]:
        return self.root("losetup -n -l -O BACK-FILE").split()

    # -- sticks ----------------------------------------------------------------------------

    def plug(self, image: Path, serial: str, bytes_a_second: int = 0) -> None:
        """A USB stick, which may be written to."""
        self._disks += 1
        data, slow = f"stick{self._disks}", f"slow{self._disks}"
        self.qmp("blockdev-add", driver="raw", node_name=data, file=_file(image))
        limits = {"bps-total": bytes_a_second}
        self.qmp("object-add", qom_type="throttle-group", id=f"tg-{data}", limits=limits)
        self.qmp(
            "blockdev-add",
            driver="throttle",
            node_name=slow,
            throttle_group=f"tg-{data}",
            file=data,
        )
        device = {"driver": "usb-storage", "id": serial, "serial": serial, "drive": slow}
        self.qmp("device_add", **device, bus="xhci.0", removable=True)

    def let_go(self) -> None:
        """The stick plugged last is read as fast as it can be."""
        group, free = f"/objects/tg-stick{self._disks}", {"bps-total": 0}
        self.qmp("qom-set", path=group, property="limits", value=free)

    def pull(self, serial: str) -> None:
        self.qmp("device_del", id=serial)

    def qmp(self, command: str, **arguments: Any) -> Any:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(STATE / "run/qmp"))
            talk = line.makefile("rw")
            talk.readline()
            _say(talk, "qmp_capabilities", {})
            return _say(talk, command, {k.replace("_", "-"): v for k, v in arguments.items()})


def _file(image: Path) -> dict[str, str]:
    return {"driver": "file", "filename": str(image), "locking": "off"}


def _say(talk: Any, command: str, arguments: dict[str, Any]) -> Any:
    talk.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    talk.flush()
    for line in talk:
        answer = json.loads(line)
        assert "error" not in answer, answer
        if "return" in answer:
            return answer["return"]
    raise AssertionError(f"the machine went away during {command}")


class Rows:
    """What the rows in the guest said last."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        names = ("intakes", "people", "drives", "progress", "failures")
        self.now: dict[str, list[list[Any]]] = {name: [] for name in names}
        self._process = process
        self._reader = threading.Thread(target=self._follow, args=(process.stdout,), daemon=True)
        self._reader.start()

    def _follow(self, lines: Any) -> None:
        for line in lines:
            self.now = json.loads(line)

    def intake(self, number: int) -> tuple[str, str]:
        """State and failure of the intake with this number, from 1."""
        if len(self.now["intakes"]) < number:
            return "", ""
        state, _, _, failure, _ = self.now["intakes"][number - 1]
        return state, failure["code"] if failure else ""

    def medium(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.now["intakes"][number - 1][2]
        return found

    def report(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.now["intakes"][number - 1][4]
        return found

    def people(self, number: int) -> set[str]:
        return {s["identifiers"][0]["value"] for i, s in self.now["people"] if i == number}

    def copied(self, number: int) -> int:
        """Bytes."""
        return next((v["bytes_done"] for i, v in self.now["progress"] if i == number), 0)

    def drive(self, serial: str) -> str:
        """The state of the drive whose serial has this in it."""
        found = [d["state"] for (d,) in self.now["drives"] if serial in d["serial"]]
        return found[0] if found else ""

    def await_intake(self, number: int, state: str) -> None:
        until(
            lambda: self.intake(number) == (state, ""),
            lambda: f"intake {number} is {state}; now {self.now['intakes']}",
        )

    def await_pulled(self, number: int) -> None:
        """That its medium was missed, by the journal: its reading may have begun again since."""
        codes = {"medium-removed", "medium-swapped", "medium-missing"}
        until(
            lambda: any(n == number and d["code"] in codes for n, d in self.now["failures"]),
            lambda: f"the medium of {number} is missed; now {self.now}",
        )

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """A kiosk PC, started with the product in it and nothing read yet."""
    if not TOOL.is_file():
        pytest.skip(f"no virtual machine: {TOOL} is not there (KIOSK_VM names another)")
    if not (STATE / "stamp").exists():
        pytest.skip(f"no guest in {STATE}: `kiosk-vm deps` and `kiosk-vm build` make it")
    here = Machine()
    here.do("down")
    kept = any(STATE.glob(f"snap-*-{READY}.state"))
    here.do("up", READY if kept else "clean")
    try:
        if not kept:
            here.root(f"apt-get -qq update; apt-get install -yqq {TOOLS}", 600)
            here.do("save", READY)
        here.do("put", str(_product(folder)), "/tmp/product.tar")
        config = folder / "kiosk.toml"
        config.write_text(CONFIG)
        here.do("put", str(config), "/home/kiosk/kiosk.toml")
        rules = ROOT / "installer/50-kiosk.rules"
        here.do("put", str(rules), "/etc/polkit-1/rules.d/50-kiosk.rules")
        here.root(
            "mkdir -p /opt/kiosk && tar xf /tmp/product.tar -C /opt/kiosk && "
            "python3 -m compileall -q /opt/kiosk/kiosk && "
            "install -d -o kiosk -g kiosk -m 700 /home/kiosk/state && "
            "chmod 644 /etc/polkit-1/rules.d/50-kiosk.rules && systemctl restart polkit"
        )
        yield here
    finally:
        here.do("down")


def _product(folder: Path) -> Path:
    """The product and what it depends on, less the screens, compiled: the guest has the same Python
    and is slow."""
    packed = folder / "product.tar"
    found: dict[str, importlib.metadata.Distribution] = {}
    _need("kiosk", found)
    with tarfile.open(packed, "w") as out:
        out.add(ROOT / "kiosk", "kiosk")
        out.add(Path(__file__).with_name("guest.py"), "guest.py")
        for distribution in found.values():
            for file in distribution.files or ():
                path = Path(str(file.locate()))
                if path.is_file() and ".." not in file.parts:
                    out.add(path, str(file))
    return packed


def _need(name: str, found: dict[str, importlib.metadata.Distribution]) -> None:
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in found or key.startswith(("pyside6", "shiboken6")):
        return
    try:
        found[key] = importlib.metadata.distribution(key)
    except importlib.metadata.PackageNotFoundError:
        return  # for another system or Python
    for line in found[key].requires or ():
        if "extra ==" not in line:
            _need(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0], found)
