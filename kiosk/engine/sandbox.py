"""The child's side of a job: lock yourself in, do it, say the result.

`python -m kiosk.engine.sandbox PARENT_PID`, the job as JSON on standard input. Imports come
before the lock, hostile bytes after it.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

from kiosk import fileset, media
from kiosk.engine.child import Job, encode, plain
from kiosk.model.content import Finding, Severity
from kiosk.model.medium import Progress
from kiosk.policy.sections import Limits

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # Landlock's system calls
RULE_PATH_BENEATH = 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
EXECUTE, WRITE_FILE = 1 << 0, 1 << 1
# Everything that changes a tree: remove and make each kind, move (ABI 2), truncate (ABI 3).
CHANGE = {1: 0b1_1111_1111 << 4, 2: 0b11_1111_1111 << 4, 3: 0b111_1111_1111 << 4}
NETWORK_TCP = 0b11  # bind, connect (ABI 4)

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    job = _job(sys.stdin.buffer.read())
    _die_with(int(sys.argv[1]))
    _limit(job)
    lock_in(
        readable=[job.location] if job.location else [],
        writable=[job.into] if job.name == "read" else [],
        also_readable=[job.into] if job.into else [],
    )
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a stray print must not corrupt the answer
    return _answer(job, pipe)


def _answer(job: Job, pipe: BinaryIO) -> int:
    try:
        message = plain("result", _do(job, pipe))
    except media.MediaError as e:
        message = plain("finding", e.finding)
    except MemoryError:
        message = plain("finding", _too_large())
    pipe.write(encode(message))
    pipe.flush()
    return 0


def _do(job: Job, pipe: BinaryIO) -> object:
    if job.name == "identify":
        return media.identify(Path(job.location), job.limits)
    if job.name == "read":
        with _alone(Path(job.into)):
            return media.read(Path(job.location), Path(job.into), job.limits, _reporter(pipe))
    return fileset.read(Path(job.into), job.limits)


def _reporter(pipe: BinaryIO) -> Any:
    """Progress at most four times a second, and at each change of phase."""
    last: list[Any] = [0.0, ""]

    def report(progress: Progress) -> None:
        now = time.monotonic()
        if now - last[0] >= 0.25 or progress.phase != last[1]:
            last[:] = [now, progress.phase]
            pipe.write(encode(plain("progress", progress)))
            pipe.flush()

    return report


def _alone(folder: Path) -> BinaryIO:
    """Holds the staging folder: after a crash of the engine its old child may still be dying."""
    handle = (folder / ".lock").open("wb")
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def _job(encoded: bytes) -> Job:
    data = json.loads(encoded)
    return Job(data["name"], data["location"], data["into"], Limits(**data["limits"]))


def _too_large() -> Finding:
    return Finding(
        "limit-memory",
        Severity.UNSAFE,
        detail="Something on this disc needs more memory than is allowed. Reading was stopped "
        "to protect this computer. Give the disc to IT.",
    )


# -- the lock ---------------------------------------------------------------------------------


def _die_with(parent: int) -> None:
    """Gone when the engine goes: an orphan would write into a folder that a new child holds."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _limit(job: Job) -> None:
    memory = job.limits.child_memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    if job.name == "catalog":
        seconds = job.limits.child_cpu_seconds
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def landlock_abi() -> int:
    """The kernel's Landlock version, 0 when it has none (or it is switched off)."""
    return max(0, int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def lock_in(readable: list[str], writable: list[str], also_readable: list[str]) -> int:
    """From here on this process reads only these paths and what Python itself needs, writes only
    below `writable`, opens no TCP connection, gains no privilege. Best effort: the Landlock ABI
    that was used, 0 for none (`kiosk check` says which)."""
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    abi = landlock_abi()
    if abi == 0:
        return 0
    change = CHANGE[min(abi, 3)] | WRITE_FILE
    handled = EXECUTE | READ_FILE | READ_DIR | change
    attributes = struct.pack("QQ", handled, NETWORK_TCP) if abi >= 4 else struct.pack("Q", handled)
    ruleset = _libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    for path in [*_python_paths(), *readable, *also_readable]:
        _allow(ruleset, path, EXECUTE | READ_FILE | READ_DIR)
    for path in writable:
        _allow(ruleset, path, handled & ~EXECUTE)
    _allow(ruleset, os.devnull, READ_FILE | WRITE_FILE)
    if _libc.syscall(RESTRICT_SELF, ruleset, 0) != 0:
        return 0
    os.close(ruleset)
    return abi


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no right
    if not os.path.isdir(path):  # noqa: PTH112 - a device node is no folder either
        rights &= EXECUTE | READ_FILE | WRITE_FILE
    rule = struct.pack("=Qi", rights, handle)
    _libc.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, rule, 0)
    os.close(handle)


def _python_paths() -> list[str]:
    """What an import or a codec may still open after the lock."""
    home = str(Path(__file__).parents[2])
    return [sys.prefix, sys.base_prefix, home, "/usr", "/lib", "/lib64", "/dev/urandom"]


if __name__ == "__main__":
    sys.exit(main())
