"""The tests' own rules, beside those in pyproject.toml (warnings fail) and test_own_rules.py (no
sleeps, no mocks, a sentence each):

* a log record at WARNING or above fails its test, unless the test declared it (`expected_logs`);
* the network is the loopback interface, and nothing else;
* a process left behind fails the session;
* nothing is read from or written to the home folder of whoever runs the tests.
"""

from __future__ import annotations

import ctypes
import ipaddress
import logging
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")

# A slow machine is no defect (deadline), and CI finds the same examples twice.
settings.register_profile("kiosk", deadline=None, max_examples=60, derandomize=IN_CI)
settings.load_profile("kiosk")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


# -- marks ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Real and hostile discs, HL7 messages and DICOM files, which a clone does not have."""
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}")
    return CORPUS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "corpus" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.corpus)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("corpus") and not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}")
    for mark in item.iter_markers("peer"):
        for program in mark.args:
            _need(program)


def _need(program: str) -> None:
    """Debian keeps servers (Orthanc) in /usr/sbin, which a user's PATH may leave out."""
    if shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin:/sbin"):
        return
    said = f"the peer {program} is not installed (installer/system-packages peers)"
    if IN_CI:
        pytest.fail(said, pytrace=False)
    pytest.skip(said)


# -- logs ----------------------------------------------------------------------------------------


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []
        self.expected: list[re.Pattern[str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def unexpected(self) -> list[str]:
        lines = [f"{r.levelname} {r.name}: {r.getMessage()}" for r in self.records]
        return [x for x in lines if not any(p.search(x) for p in self.expected)]


@pytest.fixture(autouse=True)
def _no_unexpected_logs() -> Iterator[_Records]:
    handler = _Records()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    if lines := handler.unexpected():
        pytest.fail("logged without being declared by expected_logs:\n" + "\n".join(lines))


@pytest.fixture
def expected_logs(_no_unexpected_logs: _Records) -> Callable[..., None]:
    """`expected_logs(r"pynetdicom.*: .*aborted")` allows what matches `LEVEL logger: message`."""

    def expect(*patterns: str) -> None:
        _no_unexpected_logs.expected += [re.compile(p) for p in patterns]

    return expect


# -- network -------------------------------------------------------------------------------------

_refused: list[str] = []


def is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "", "localhost", socket.gethostname()):
        return host != ""  # "" binds every interface
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


def _guard_network(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook, since no library can get around it (sys.addaudithook), unlike a patch."""
    if event in ("socket.connect", "socket.bind", "socket.sendto"):
        if args[0].family not in (socket.AF_INET, socket.AF_INET6):
            return
        host, port = args[1][:2]
        if event == "socket.bind" and port == 0 and host in ("", "0.0.0.0", "::"):
            return  # how pynetdicom's requestor and ldap3 prepare to connect
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if not is_local(host):
        _refused.append(f"{event} {host!r}")
        raise RuntimeError(f"tests use the loopback interface only: {event} {host!r}")


sys.addaudithook(_guard_network)


@pytest.fixture(autouse=True)
def _loopback_only() -> Iterator[None]:
    """A refusal fails the test even where the code under test swallowed the error."""
    _refused.clear()
    yield
    if _refused:
        pytest.fail("not on the loopback interface: " + ", ".join(_refused))


# -- home and processes --------------------------------------------------------------------------


@pytest.fixture(autouse=True, scope="session")
def _nobodys_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    home = tmp_path_factory.mktemp("home")
    patch.setenv("HOME", str(home))
    patch.setenv("XDG_DATA_HOME", str(home / "share"))
    patch.delenv("KIOSK_CONFIG", raising=False)
    yield
    patch.undo()


PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>: orphans of our children become ours, and are seen


def pytest_sessionstart() -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _living_descendants() -> dict[int, str]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it ended while we looked
        if state != "Z":
            parents[int(folder.name)] = int(parent)
    ours, found = {os.getpid()}, {os.getpid()}
    while found:
        found = {pid for pid, parent in parents.items() if parent in found} - ours
        ours |= found
    return {pid: _command(pid) for pid in ours - {os.getpid()}}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


# multiprocessing's own servants, which it ends at exit.
_SERVANTS = re.compile(r"multiprocessing\.(resource_tracker|forkserver)")


def pytest_sessionfinish(session: pytest.Session) -> None:
    left = {p: c for p, c in _living_descendants().items() if c and not _SERVANTS.search(c)}
    for pid, command in left.items():
        print(f"\nLEFT BEHIND: process {pid}: {command}", file=sys.stderr)
        os.kill(pid, signal.SIGKILL)
    if left and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
