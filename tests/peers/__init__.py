"""Real peers for everybody's tests: other people's archives, and one that misbehaves on request.

Each module has a context manager that starts its program on loopback in a folder of its own, gives
its address once it answers, and stops it by its own process id.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

LOOPBACK = "127.0.0.1"
_START_SECONDS = 60.0


def require(program: str) -> str:
    """The program's path. Where it is missing: a failure in CI, elsewhere a skip that says why."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin:/sbin")
    if path is None:
        said = f"the peer {program} is not installed (installer/system-packages peers)"
        in_ci = os.environ.get("CI", "").lower() in ("1", "true")
        (pytest.fail if in_ci else pytest.skip)(said)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection((LOOPBACK, port), 1.0):
            return True
    except OSError:
        return False


@contextmanager
def running(
    command: Sequence[str],
    folder: Path,
    ready: Callable[[], bool],
    end: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """The program, from when it is `ready` to the end of the block, when `end` is sent to it. Its
    output is in `folder/output.txt`, and part of the failure when it does not start."""
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
        try:
            _await(process, folder, ready)
            yield process
        finally:
            process.send_signal(end)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(process: subprocess.Popen[bytes], folder: Path, ready: Callable[[], bool]) -> None:
    deadline = monotonic() + _START_SECONDS
    while not ready():
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            if monotonic() < deadline:
                continue
        said = (folder / "output.txt").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{process.args} did not start:\n{said}")
