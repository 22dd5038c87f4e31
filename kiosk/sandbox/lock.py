"""The kernel's part of the sandbox: limits, Landlock, the list of system calls, no new privileges,
death with the parent."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
from pathlib import Path

from kiosk.sandbox.calls import allow_only

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # Landlock's system calls
RULE_PATH_BENEATH = 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
EXECUTE, WRITE_FILE = 1 << 0, 1 << 1
# Everything that changes a tree: remove and make each kind, move (ABI 2), truncate (ABI 3).
CHANGE = {1: 0b1_1111_1111 << 4, 2: 0b11_1111_1111 << 4, 3: 0b111_1111_1111 << 4}
NETWORK_TCP = 0b11  # bind, connect (ABI 4)

_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Gone when the engine goes: an orphan would write into a folder that a new child holds."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def limit(memory: int, cpu_seconds: int | None, *, writes: bool) -> None:
    """Bounds on memory, open files and, where given, processor time. Unless it `writes`, no file
    grows by a byte."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    if cpu_seconds is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    if not writes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def landlock_abi() -> int:
    """The kernel's Landlock version, 0 when it has none (or it is switched off)."""
    return max(0, int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def lock_in(readable: list[str], writable: list[str], also_readable: list[str]) -> int:
    """From here on this process reads only these paths and what Python itself needs, writes only
    below `writable`, opens no connection, starts no process, gains no privilege. Best effort: the
    Landlock ABI that was used, 0 for none (`kiosk check` says what this kernel has)."""
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    abi = _landlock(readable, writable, also_readable)
    allow_only()
    return abi


def _landlock(readable: list[str], writable: list[str], also_readable: list[str]) -> int:
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
