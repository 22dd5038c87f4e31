"""Jobs on hostile bytes, each in a child process of its own that is watched, bounded and killed.

The child (`kiosk.sandbox.inside`) answers through a pipe: a length and one JSON object, many
times. What it says is believed only in the shape that was asked for; its end is judged by the
answer and the exit status, never by what it printed.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from kiosk.model.content import Catalog, Finding, Severity, Verdict
from kiosk.model.medium import Medium, Progress, ReadReport
from kiosk.model.plain import NotPlain, from_plain, to_plain
from kiosk.policy.sections import Coercion, Limits
from kiosk.sandbox.ahead import Child, ready, spawn

T = TypeVar("T")

DEFAULTS = Coercion()

FRAME = struct.Struct(">I")
LARGEST_ANSWER = 512 * 1024 * 1024  # 200,000 instances at about 600 bytes, four times over


class JobFailed(Exception):
    """The job ended without a result; `finding` says why, in words for people."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.code)
        self.finding = finding


@dataclass(frozen=True, slots=True)
class Job:
    """What the child is to do. `read` and `prepare` may write below `into`, the others nowhere;
    where a medium is `expected` it reads no other."""

    name: str
    location: str
    into: str
    limits: Limits
    expected: Medium | None = None
    coercion: Coercion = DEFAULTS

    def encoded(self) -> bytes:
        plain = {
            "name": self.name,
            "location": self.location,
            "into": self.into,
            "limits": self.limits.model_dump(),
            "expected": to_plain(self.expected),
            "coercion": self.coercion.model_dump(),
        }
        return json.dumps(plain).encode()


def identify(location: Path, limits: Limits) -> Medium:
    """`media.identify`, in a child: opening a hung drive can block for minutes."""
    return _run(Job("identify", str(location), "", limits), Medium, _ignore)


def look(location: Path, limits: Limits) -> Verdict:
    """A first look at the medium, before it is read, in a child. Raises JobFailed only where the
    child did not come to an end: what the medium refuses is a verdict too."""
    return _run(Job("look", str(location), "", limits), Verdict, _ignore)


def read(
    location: Path,
    into: Path,
    limits: Limits,
    report: Callable[[Progress], None],
    expected: Medium | None = None,
) -> ReadReport:
    """`media.read`, in a child. Raises JobFailed."""
    return _run(Job("read", str(location), str(into), limits, expected), ReadReport, report)


def catalog(folder: Path, limits: Limits) -> Catalog:
    """`fileset.read`, in a child. Raises JobFailed."""
    return _run(Job("catalog", "", str(folder), limits), Catalog, _ignore)


def prepare(
    folder: Path, limits: Limits, coercion: Coercion, report: Callable[[Progress], None]
) -> Catalog:
    """`fileset.read` and `coercion.prepare`, in a child. Raises JobFailed."""
    return _run(Job("prepare", "", str(folder), limits, coercion=coercion), Catalog, report)


def _ignore(_progress: Progress) -> None:
    """Progress that nobody asked for."""


def _run(job: Job, shape: type[T], report: Callable[[Progress], None]) -> T:
    process = _told(job)
    assert process.stdout is not None
    try:
        return _listen(job, process.stdout, shape, report)
    except JobFailed as e:
        _end(process)
        raise JobFailed(_too_long(job)) if process.returncode == -signal.SIGXCPU else e from None
    finally:
        _end(process)


def _told(job: Job) -> Child:
    """A child that has its job: one that stood ready, or else a new one."""
    for process in _candidates():
        assert process.stdin is not None
        try:
            process.stdin.write(job.encoded())
            process.stdin.close()
        except BrokenPipeError:
            _end(process)
        else:
            return process
    raise JobFailed(_died(job))


def _candidates() -> Iterator[Child]:
    if (waiting := ready()) is not None:
        yield waiting
    yield spawn()


def _listen(job: Job, pipe: IO[bytes], shape: type[T], report: Callable[[Progress], None]) -> T:
    for untrusted in _messages(job, pipe):
        try:
            if "progress" in untrusted:
                report(from_plain(Progress, untrusted["progress"]))
            elif "finding" in untrusted:
                raise JobFailed(from_plain(Finding, untrusted["finding"]))
            else:
                return from_plain(shape, untrusted.get("result"))
        except NotPlain:
            raise JobFailed(_died(job)) from None
    raise JobFailed(_died(job))


def _messages(job: Job, pipe: IO[bytes]) -> Iterator[dict[str, Any]]:
    deadline = time.monotonic() + job.limits.read_seconds
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        buffer = bytearray()
        while True:
            patience = min(job.limits.stall_seconds, deadline - time.monotonic())
            if patience <= 0 or not selector.select(patience):
                raise JobFailed(_stalled(job))
            chunk = os.read(pipe.fileno(), 1 << 20)
            if not chunk:
                return
            buffer += chunk
            yield from _frames(job, buffer)


def _frames(job: Job, buffer: bytearray) -> Iterator[dict[str, Any]]:
    while len(buffer) >= FRAME.size:
        (length,) = FRAME.unpack_from(buffer)
        if length > LARGEST_ANSWER:
            raise JobFailed(_died(job))
        if len(buffer) < FRAME.size + length:
            return
        body = bytes(buffer[FRAME.size : FRAME.size + length])
        del buffer[: FRAME.size + length]
        try:
            message = json.loads(body)
        except ValueError:
            raise JobFailed(_died(job)) from None
        if not isinstance(message, dict):
            raise JobFailed(_died(job))
        yield message


def _end(process: Child) -> None:
    """Asks, waits five seconds, then kills the whole group: a drive can hang in the kernel."""
    for pipe in (process.stdin, process.stdout):
        with suppress(BrokenPipeError):
            if pipe is not None:
                pipe.close()
    for sign, patience in ((None, 2.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        if sign is not None:
            try:
                os.killpg(process.pid, sign)
            except ProcessLookupError:
                pass
        try:
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue


def _died(job: Job) -> Finding:
    return Finding(
        "reader-died",
        Severity.ERROR,
        detail=f"The program that {_doing(job)} stopped before it was finished. "
        "Nothing was imported from it yet. Try again; if it happens again, give the disc to IT.",
    )


def _too_long(job: Job) -> Finding:
    return Finding(
        "limit-time",
        Severity.UNSAFE,
        detail=f"The program that {_doing(job)} used more processor time than is allowed. It was "
        "stopped to protect this computer. Give the disc to IT.",
    )


def _stalled(job: Job) -> Finding:
    return Finding(
        "reader-stalled",
        Severity.ERROR,
        detail=f"The program that {_doing(job)} made no progress for {job.limits.stall_seconds:g} "
        "seconds. What was read so far is kept. Try another drive, or clean the disc.",
    )


def _doing(job: Job) -> str:
    return "looks at the scans" if job.name in ("catalog", "prepare") else "reads this disc"


def encode(message: dict[str, Any]) -> bytes:
    """One message as it goes through the pipe."""
    body = json.dumps(message).encode()
    return FRAME.pack(len(body)) + body


def plain(kind: str, value: object) -> dict[str, Any]:
    return {kind: to_plain(value)}
