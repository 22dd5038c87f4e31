"""What reads hostile bytes is locked in, bounded, and believed in nothing."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from kiosk import sandbox
from kiosk.model.content import Severity
from kiosk.model.medium import MediumKind, Progress, ReadReport
from kiosk.policy.sections import Limits
from kiosk.sandbox import ahead, child
from kiosk.sandbox.calls import MACHINES, Calls, program
from kiosk.sandbox.child import Job
from tests import discs
from tests.fileset.staged import stage
from tests.station import until

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


DRIVE = """
import os, sys
from kiosk.media.drives import await_disc, is_audio, last_session
from kiosk.media.source import MediaError
from kiosk.sandbox.lock import lock_in
lock_in(readable=[sys.argv[1]], writable=[], also_readable=[])
fd = os.open(sys.argv[1], os.O_RDONLY)
print(is_audio(fd), last_session(fd))
try:
    await_disc(sys.argv[1])
except MediaError as e:
    print(e.finding.code)
"""


def test_what_a_locked_child_asks_of_a_drive_needs_nothing_that_it_may_not_have(
    tmp_path: Path,
) -> None:
    """No library that is found by running a program, no /sys: the answers of a file that is no
    drive, instead of a child that dies on every disc."""
    medium = tmp_path / "sr0"
    medium.write_bytes(b"disc")
    ran = subprocess.run(
        [sys.executable, "-c", DRIVE, str(medium)], capture_output=True, text=True, check=False
    )
    assert (ran.stdout.split(), ran.stderr) == (["False", "None", "drive-sick"], "")


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


CALLS = """
import ctypes, os, socket, subprocess, sys, threading
from kiosk.sandbox.lock import lock_in
libc = ctypes.CDLL(None, use_errno=True)
lock_in(readable=["/"], writable=["/tmp"], also_readable=[])
def tried(what, act):
    try:
        print(what, act())
    except OSError as e:
        print(what, os.strerror(e.errno).replace(" ", "-"))
def call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), "")
    return "allowed"
def thread():
    done = []
    worker = threading.Thread(target=lambda: done.append("allowed"))
    worker.start()
    worker.join()
    return done[0]
tried("tcp", lambda: socket.socket(socket.AF_INET))
tried("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
tried("unix", lambda: socket.socket(socket.AF_UNIX))
tried("pair", socket.socketpair)
tried("fork", os.fork)
tried("run", lambda: subprocess.run(["/bin/true"]))
tried("exec", lambda: os.execv("/bin/true", ["true"]))
tried("trace", lambda: call("ptrace", 0, 0, 0, 0))
tried("look-into", lambda: call("process_vm_readv", os.getppid(), 0, 0, 0, 0, 0))
tried("mount", lambda: call("mount", b"none", b"/mnt", b"tmpfs", 0, 0))
tried("unshare", lambda: call("unshare", 0x10000000))
tried("kill", lambda: os.kill(os.getppid(), 0))
tried("link", lambda: os.symlink("/etc/passwd", "/tmp/never-made"))
tried("own", lambda: os.chmod("/tmp", 0o1777))
tried("type", lambda: call("ioctl", 0, 0x5412, b"x"))
tried("set-limit", lambda: call("prlimit", 0, 7, 0, 0))
tried("ring", lambda: call("syscall", 425, 1, 0))
tried("thread", thread)
tried("read", lambda: "allowed" if open("/etc/hostname").read is not None else "")
"""


@pytest.mark.skipif(not sandbox.seccomp_works(), reason="this kernel filters no system calls")
def test_a_locked_child_makes_no_call_that_reading_does_not_need() -> None:
    """Also where Landlock lets it: no socket of any kind, no process, no look at another one."""
    ran = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, check=True)
    said = dict(line.split() for line in ran.stdout.splitlines())
    assert {said.pop(name) for name in ("thread", "read")} == {"allowed"}
    assert len(said) == 17
    assert set(said.values()) == {"Operation-not-permitted"}


@pytest.mark.skipif(not sandbox.seccomp_works(), reason="this kernel filters no system calls")
def test_threads_that_were_there_before_the_lock_are_locked_too() -> None:
    """A numeric library starts its own at import."""
    code = """
import socket, threading
from kiosk.sandbox.lock import lock_in
locked, said = threading.Event(), []
def late():
    locked.wait()
    try:
        socket.socket()
    except PermissionError:
        said.append("denied")
worker = threading.Thread(target=late)
worker.start()
lock_in(readable=[], writable=[], also_readable=[])
locked.set()
worker.join()
print(*said)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["denied"]


@pytest.mark.parametrize("calls", MACHINES.values(), ids=MACHINES)
def test_the_filter_of_every_machine_is_one_that_a_kernel_takes(calls: Calls) -> None:
    """Numbers in order and each once; every jump stays inside (BPF jumps forward only)."""
    assert list(calls.allowed) == sorted(set(calls.allowed))
    code = program(calls)
    steps = [struct.unpack_from("HBBI", code, at) for at in range(0, len(code), 8)]
    for at, (kind, true, false, _) in enumerate(steps):
        if kind & 0x07 == 0x05:
            assert at + 1 + max(true, false) < len(steps)
    assert {true for kind, true, _, _ in steps if kind == 0x06} == {0}


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
            child._listen(job, process, Progress, lambda _: None)
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
        (10, b'{"part":1}'),
        (29, b'{"part":["Medium",{"a":"b"}]}'),
    ],
)
def test_an_answer_of_the_wrong_shape_is_a_finding(
    tmp_path: Path, length: int, body: bytes
) -> None:
    code = WRITE.format(length=length, body=body, then="")
    assert answered(tmp_path, code) == "reader-died"


def test_more_than_a_disc_can_say_is_unsafe(tmp_path: Path) -> None:
    """The engine holds what it asked for, whatever a child that was taken over sends."""
    part = '{"part": ["Span", {"start": 0, "length": 0}]}'
    code = f"import os, struct\nwhile True: os.write(1, struct.pack('>I', {len(part)}) + b'{part}')"
    job = Job("read", "", str(tmp_path), Limits(files=1))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with pytest.raises(sandbox.JobFailed) as caught:
            child._listen(job, process, ReadReport, lambda _: None)
    finally:
        child._end(process)
    finding = caught.value.finding
    assert (finding.code, finding.severity) == ("limit-memory", Severity.UNSAFE)


PATIENT = """
import select, sys
from kiosk.model.medium import Progress
from kiosk.model.plain import to_plain
from kiosk.sandbox.answers import encode
from kiosk.sandbox.inside import _reporter, _told
assert b"read" in _told()
report = _reporter(sys.stdout.buffer)
while not (patience := report(Progress("retrying"))):
    select.select([0], [], [])
sys.stdout.buffer.write(encode({"result": to_plain(Progress("retrying", round(patience)))}))
"""


def test_who_asks_for_more_time_is_heard_while_it_reads(tmp_path: Path) -> None:
    """Twice, and the last word counts; the time after which the child is given up moves too."""
    job = Job("read", "", str(tmp_path), Limits(patience_seconds=60))
    process = subprocess.Popen(
        [sys.executable, "-c", PATIENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(job.encoded())
    process.stdin.flush()
    try:
        last = child._listen(job, process, Progress, lambda _: 900.0)
    finally:
        child._end(process)
    assert last.bytes_done == 900
    clock = child._Clock(job)
    before = clock.left
    assert (clock.extend(0.0), clock.extend(60.0), clock.extend(900.0)) == (False, False, True)
    assert clock.left > before + 800


def test_a_child_that_dies_is_a_finding(tmp_path: Path) -> None:
    assert answered(tmp_path, "import os; os.kill(os.getpid(), 11)") == "reader-died"


def test_a_child_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    """Fault 47: a drive that blocks in the kernel; the worker is given up, the others go on."""
    code = "import signal; signal.sigwait({signal.SIGTERM})"
    assert answered(tmp_path, code, seconds=0.3) == "reader-stalled"


def test_a_child_stands_ready_and_is_used_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three jobs, three children; each was started before its job was there."""
    image, used = discs.archibald(tmp_path), []
    real = child._end
    monkeypatch.setattr(child, "_end", lambda process: (used.append(process), real(process))[1])
    with sandbox.warm(), sandbox.warm():
        for _ in range(3):
            expected = standing_ready()
            assert sandbox.identify(image, Limits()).kind is MediumKind.IMAGE
            assert used[-1] is expected
    assert len({process.pid for process in used}) == 3
    assert ahead._ahead is None


def standing_ready() -> subprocess.Popen[bytes]:
    waiting = ahead._ahead
    assert waiting is not None
    until(lambda: waiting._ready is not None, "a child stands ready")
    assert waiting._ready is not None
    return waiting._ready


def test_a_child_that_died_while_it_stood_ready_costs_nothing(tmp_path: Path) -> None:
    image = discs.archibald(tmp_path)
    with sandbox.warm():
        waiting = standing_ready()
        waiting.kill()
        os.waitid(os.P_PID, waiting.pid, os.WEXITED | os.WNOWAIT)
        assert sandbox.identify(image, Limits()).kind is MediumKind.IMAGE


def test_a_child_that_stands_ready_ends_with_its_engine() -> None:
    """Also when that is killed: its input ends."""
    code = (
        "import os\n"
        "from kiosk.sandbox.ahead import AHEAD, spawn\n"
        "print(spawn(AHEAD).pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    until(lambda: not _runs(int(ran.stdout)), "the child is gone")


def test_who_uses_up_the_processor_is_stopped_as_unsafe(tmp_path: Path) -> None:
    """A second is allowed, and a dozen files unpack to 300 MB each."""
    packed = zlib.compressobj(1, wbits=-15)
    bomb = packed.compress(bytes(300_000_000)) + packed.flush()
    meta = b"\2\0\x10\0UI\x16\0" + b"1.2.840.10008.1.2.1.99"
    stage(tmp_path, {f"IM{n}": bytes(128) + b"DICM" + meta + bomb for n in range(12)})
    with pytest.raises(sandbox.JobFailed) as caught:
        sandbox.catalog(tmp_path, Limits(child_cpu_seconds=1))
    finding = caught.value.finding
    assert (finding.code, finding.severity) == ("limit-time", Severity.UNSAFE)


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
