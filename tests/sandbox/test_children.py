"""What reads hostile bytes is locked in, bounded, and believed in nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk import sandbox
from kiosk.model.content import Severity
from kiosk.model.medium import MediumKind, Progress
from kiosk.policy.sections import Limits
from kiosk.sandbox import child
from kiosk.sandbox.child import Job
from tests import discs

LOCKED = """
import os, socket, sys
from kiosk.sandbox.lock import lock_in
lock_in(readable=[sys.argv[1]], writable=[sys.argv[2]], also_readable=[])
def tried(what, act):
    try:
        act()
        print(what, "allowed")
    except PermissionError:
        print(what, "denied")
tried("read-medium", lambda: open(sys.argv[1], "rb").read())
tried("write-medium", lambda: open(sys.argv[1], "ab"))
tried("write-staging", lambda: open(sys.argv[2] + "/a", "wb").write(b"x"))
tried("read-elsewhere", lambda: open(sys.argv[3]).read())
tried("write-elsewhere", lambda: open(sys.argv[3] + ".new", "w"))
tried("run", lambda: os.execv(sys.argv[2] + "/a", ["a"]))
tried("connect", lambda: socket.create_connection(("127.0.0.1", 9)))
"""


@pytest.mark.skipif(sandbox.landlock_abi() < 4, reason="this kernel's Landlock is too old")
def test_a_locked_child_reaches_its_medium_and_its_staging_only(tmp_path: Path) -> None:
    medium, staging, secret = tmp_path / "disc.iso", tmp_path / "staging", tmp_path / "secret"
    medium.write_bytes(b"disc")
    staging.mkdir()
    secret.write_text("another patient's")
    arguments = [str(medium), str(staging), str(secret)]
    ran = subprocess.run(
        [sys.executable, "-c", LOCKED, *arguments], capture_output=True, text=True, check=True
    )
    assert dict(line.split() for line in ran.stdout.splitlines()) == {
        "read-medium": "allowed",
        "write-medium": "denied",
        "write-staging": "allowed",
        "read-elsewhere": "denied",
        "write-elsewhere": "denied",
        "run": "denied",
        "connect": "denied",
    }


def test_a_disc_is_identified_read_and_cataloged_in_children(tmp_path: Path) -> None:
    image, into = discs.archibald(tmp_path), tmp_path / "into"
    into.mkdir()
    seen: list[Progress] = []
    assert sandbox.identify(image, Limits()).kind is MediumKind.IMAGE
    report = sandbox.read(image, into, Limits(), seen.append)
    assert report.files == 9
    assert seen
    catalog = sandbox.catalog(into, Limits())
    assert catalog.ledger.balances
    assert sum(len(p.instances) for p in catalog.patients) == 7


def test_a_refusal_comes_through_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(sandbox.JobFailed) as caught:
        sandbox.identify(tmp_path / "none.iso", Limits())
    assert caught.value.finding.severity is Severity.ERROR
    assert caught.value.finding.detail


def answered(tmp_path: Path, code: str, seconds: float = 5.0) -> str:
    """The finding's code when the child's answer is what `code` writes."""
    job = Job("catalog", "", str(tmp_path), Limits(stall_seconds=seconds))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    try:
        with pytest.raises(sandbox.JobFailed) as caught:
            child._listen(job, process.stdout, Progress, lambda _: None)
        return caught.value.finding.code
    finally:
        child._end(process)


WRITE = "import os, struct; os.write(1, struct.pack('>I', {length}) + {body!r}); {then}"


@pytest.mark.parametrize(
    ("length", "body"),
    [
        (0xFFFFFFFF, b""),
        (4, b"null"),
        (3, b"{x}"),
        (13, b'{"result": 1}'),
        (14, b'{"progress":1}'),
        (2, b"{}"),
        (50, b"{"),
    ],
)
def test_an_answer_of_the_wrong_shape_is_a_finding(
    tmp_path: Path, length: int, body: bytes
) -> None:
    code = WRITE.format(length=length, body=body, then="")
    assert answered(tmp_path, code) == "reader-died"


def test_a_child_that_dies_is_a_finding(tmp_path: Path) -> None:
    assert answered(tmp_path, "import os; os.kill(os.getpid(), 11)") == "reader-died"


def test_a_child_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    """Fault 47: a drive that blocks in the kernel; the worker is given up, the others go on."""
    code = "import signal; signal.sigwait({signal.SIGTERM})"
    assert answered(tmp_path, code, seconds=0.3) == "reader-stalled"


def test_a_child_does_not_outlive_its_engine(tmp_path: Path) -> None:
    """Its successor's child will write into the same folder."""
    parent = (
        "import subprocess, sys, os\n"
        "p = subprocess.Popen([sys.executable, '-c', "
        "'import os, sys, signal; from kiosk.sandbox.lock import die_with; "
        'die_with(int(sys.argv[1])); os.write(1, b"r"); signal.pause()\', str(os.getpid())],'
        " stdout=subprocess.PIPE)\n"
        "p.stdout.read(1)\n"
        "print(p.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ran = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True)
    pid = int(ran.stdout)
    try:
        os.waitid(os.P_PIDFD, os.pidfd_open(pid), os.WEXITED | os.WNOWAIT)
    except (ProcessLookupError, ChildProcessError):
        pass  # gone, or being reaped by its new parent
    assert not Path(f"/proc/{pid}/cmdline").exists() or not _runs(pid)


def _runs(pid: int) -> bool:
    """Whether the process still executes anything: a zombie has no command line."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False
