"""Jobs on hostile bytes, each in a child process of its own that is watched, bounded and killed.

The child (`kiosk.sandbox.inside`) answers through a pipe: a length and one JSON object, many
times (`answers`). What it says is believed only in the shape and to the amount that was asked for;
its end is judged by the answer and the exit status, never by what it printed. Its job comes on its
standard input, and while it reads the patience that people have (`PATIENCE`).
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Any, TypeVar

from kiosk.model.content import Catalog, Finding, Severity, Verdict
from kiosk.model.medium import Medium, Progress, ReadReport
from kiosk.model.plain import NotPlain, from_plain, to_plain
from kiosk.policy.sections import Coercion, Limits
from kiosk.sandbox.ahead import Child, ready, spawn
from kiosk.sandbox.answers import FRAME, LARGEST_PART, Allowance, Answer, TooMuch

T = TypeVar("T")

DEFAULTS = Coercion()

PATIENCE = Struct(">d")  # seconds

Report = Callable[[Progress], float | None]
"""Is told how far a job is, and answers how many seconds of patience with damage people have asked
for (nothing: the policy's)."""


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

    @property
    def most_files(self) -> int:
        """How many files the answer may tell of."""
        return 0 if self.name in ("identify", "look") else self.limits.files

    def encoded(self) -> bytes:
        plain = {
            "name": self.name,
            "location": self.location,
            "into": self.into,
            "limits": self.limits.model_dump(),
            "expected": to_plain(self.expected),
            "coercion": self.coercion.model_dump(),
        }
        body = json.dumps(plain).encode()
        return FRAME.pack(len(body)) + body


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
    report: Report,
    expected: Medium | None = None,
) -> ReadReport:
    """`media.read`, in a child. What `report` answers reaches it while it reads. Raises
    JobFailed."""
    return _run(Job("read", str(location), str(into), limits, expected), ReadReport, report)


def catalog(folder: Path, limits: Limits) -> Catalog:
    """`fileset.read`, in a child. Raises JobFailed."""
    return _run(Job("catalog", "", str(folder), limits), Catalog, _ignore)


def prepare(folder: Path, limits: Limits, coercion: Coercion, report: Report) -> Catalog:
    """`fileset.read` and `coercion.prepare`, in a child. Raises JobFailed."""
    return _run(Job("prepare", "", str(folder), limits, coercion=coercion), Catalog, report)


def _ignore(_progress: Progress) -> None:
    """Progress that nobody asked for."""


def _run(job: Job, shape: type[T], report: Report) -> T:
    process = _told(job)
    try:
        return _listen(job, process, shape, report)
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
            process.stdin.flush()
        except BrokenPipeError:
            _end(process)
        else:
            return process
    raise JobFailed(_died(job))


def _candidates() -> Iterator[Child]:
    if (waiting := ready()) is not None:
        yield waiting
    yield spawn()


def _listen(job: Job, process: Child, shape: type[T], report: Report) -> T:
    answer, clock = Answer(shape), _Clock(job)
    try:
        for untrusted in _messages(job, process, clock):
            if "progress" in untrusted:
                if clock.extend(report(from_plain(Progress, untrusted["progress"])) or 0.0):
                    _pass_on(process, clock.patience)
            elif "part" in untrusted:
                answer.part(untrusted["part"])
            elif "finding" in untrusted:
                raise JobFailed(from_plain(Finding, untrusted["finding"]))
            else:
                return answer.result(untrusted.get("result"))
    except NotPlain:
        raise JobFailed(_died(job)) from None
    except TooMuch:
        raise JobFailed(_too_much(job)) from None
    raise JobFailed(_died(job))


class _Clock:
    """When a job is given up: later for those who asked for more patience with damage."""

    def __init__(self, job: Job) -> None:
        self.patience = job.limits.patience_seconds
        self._policy = job.limits.patience_seconds
        self._end = time.monotonic() + job.limits.read_seconds

    def extend(self, patience: float) -> bool:
        more = patience > self.patience
        self.patience = max(patience, self.patience)
        return more

    @property
    def left(self) -> float:
        return self._end + self.patience - self._policy - time.monotonic()


def _pass_on(process: Child, patience: float) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has just ended: its answer says how
        process.stdin.write(PATIENCE.pack(patience))
        process.stdin.flush()


def _messages(job: Job, process: Child, clock: _Clock) -> Iterator[dict[str, Any]]:
    pipe, allowed = process.stdout, Allowance.of_files(job.most_files)
    assert pipe is not None
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        buffer = bytearray()
        while True:
            patience = min(job.limits.stall_seconds, clock.left)
            if patience <= 0 or not selector.select(patience):
                raise JobFailed(_stalled(job))
            chunk = os.read(pipe.fileno(), 1 << 20)
            if not chunk:
                return
            buffer += chunk
            yield from _frames(job, buffer, allowed)


def _frames(job: Job, buffer: bytearray, allowed: Allowance) -> Iterator[dict[str, Any]]:
    while len(buffer) >= FRAME.size:
        (length,) = FRAME.unpack_from(buffer)
        if length > LARGEST_PART:
            raise JobFailed(_died(job))
        if len(buffer) < FRAME.size + length:
            return
        body = bytes(buffer[FRAME.size : FRAME.size + length])
        del buffer[: FRAME.size + length]
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            raise JobFailed(_died(job)) from None
        if not isinstance(message, dict):
            raise JobFailed(_died(job))
        if "progress" not in message:
            allowed.pay(length)
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


def _too_much(job: Job) -> Finding:
    return Finding(
        "limit-memory",
        Severity.UNSAFE,
        detail=f"The program that {_doing(job)} had more to say than a disc with scans ever has. "
        "It was stopped to protect this computer. Give the disc to IT.",
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
