"""The child's side of a job: lock yourself in, do it, say the result.

`python -m kiosk.sandbox.inside PARENT_PID [--ahead]`, the job as JSON on standard input. Imports
come before the lock (with `--ahead`, those of every job before there is one), hostile bytes after
it.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from kiosk.model.content import Finding, Severity, Verdict
from kiosk.model.medium import Medium, Progress
from kiosk.model.plain import from_plain, to_plain
from kiosk.policy.sections import Coercion, Limits
from kiosk.sandbox.ahead import AHEAD
from kiosk.sandbox.answers import FRAME, encode, parts
from kiosk.sandbox.child import PATIENCE, Job
from kiosk.sandbox.lock import die_with, limit, lock_in


class Refused(Exception):
    """The job found a reason not to go on; it goes to the parent as it is."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.code)
        self.finding = finding


Work = Callable[[Job, BinaryIO], object]


def main() -> int:
    ahead = {name: made() for name, made in WORK.items()} if AHEAD in sys.argv else {}
    encoded = _told()
    if not encoded:
        return 0  # there was no job for us
    job = _job(encoded)
    work = ahead[job.name] if ahead else WORK[job.name]()
    die_with(int(sys.argv[1]))
    writes = job.name in ("read", "prepare")
    limit(job.limits.child_memory_bytes, _cpu_seconds(job), writes=writes)
    lock_in(
        readable=[job.location] if job.location else [],
        writable=[job.into] if writes else [],
        also_readable=[job.into] if job.into else [],
    )
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a stray print must not corrupt the answer
    return _answer(job, work, pipe)


def _told() -> bytes:
    """The job, or nothing where there is none; the pipe stays open for what is said later."""
    pipe = sys.stdin.buffer
    head = pipe.read(FRAME.size)
    return pipe.read(*FRAME.unpack(head)) if len(head) == FRAME.size else b""


def _cpu_seconds(job: Job) -> int | None:
    """Reading takes as long as the medium does; looking at it must not."""
    if job.name == "prepare":  # it goes through all the pixels as well
        return 5 * job.limits.child_cpu_seconds
    return None if job.name == "read" else job.limits.child_cpu_seconds


def _answer(job: Job, work: Work, pipe: BinaryIO) -> int:
    try:
        for message in parts(work(job, pipe)):
            pipe.write(encode(message))
    except Refused as e:
        pipe.write(encode({"finding": to_plain(e.finding)}))
    except MemoryError:
        pipe.write(encode({"finding": to_plain(_too_large())}))
    pipe.flush()
    return 0


# Each job's imports come before the lock, and only its own: a child starts for every medium.


def _identify() -> Work:
    from kiosk import media

    def work(job: Job, _pipe: BinaryIO) -> object:
        with _refusing(media.MediaError):
            return media.identify(Path(job.location), job.limits)

    return work


def _look() -> Work:
    from kiosk import fileset, media

    def work(job: Job, _pipe: BinaryIO) -> object:
        try:
            with media.glimpse(Path(job.location), job.limits) as seen:
                return fileset.first_look(seen.files, seen.start, job.limits, seen.whole)
        except media.MediaError as e:
            return Verdict(_verdict_of(e.finding))

    return work


def _verdict_of(refusal: Finding) -> str:
    """The verdict that a medium's refusal comes to."""
    if refusal.severity is Severity.UNSAFE:
        return "unsafe"
    return REFUSALS.get(refusal.code, "unreadable")


def _read() -> Work:
    from kiosk import media

    def work(job: Job, pipe: BinaryIO) -> object:
        with _alone(Path(job.into)), _refusing(media.MediaError):
            return media.read(
                Path(job.location), Path(job.into), job.limits, _reporter(pipe), job.expected
            )

    return work


def _catalog() -> Work:
    from kiosk import fileset

    return lambda job, _pipe: fileset.read(Path(job.into), job.limits)


def _prepare() -> Work:
    from kiosk import coercion, fileset

    def work(job: Job, pipe: BinaryIO) -> object:
        folder, report = Path(job.into), _reporter(pipe)
        found = fileset.read(folder, job.limits)
        total = sum(len(patient.instances) for patient in found.patients)

        def done(count: int) -> None:
            report(Progress("checking", files_done=count, files_total=total))

        return coercion.prepare(folder, found, job.coercion, job.limits, done)

    return work


WORK: dict[str, Callable[[], Work]] = {
    "identify": _identify,
    "look": _look,
    "read": _read,
    "catalog": _catalog,
    "prepare": _prepare,
}
REFUSALS = {
    "medium-encrypted": "locked",
    "medium-audio": "audio",
    "medium-blank": "blank",
    "medium-unsupported": "unsupported",
}


@contextmanager
def _refusing(error: type[Any]) -> Iterator[None]:
    try:
        yield
    except error as e:
        raise Refused(e.finding) from e


def _reporter(pipe: BinaryIO) -> Any:
    """Progress at most four times a second, and at each change of phase; what it answers is the
    patience that the parent has passed on, 0 for none."""
    last: list[Any] = [0.0, "", 0.0]
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_NONBLOCK)

    def report(progress: Progress) -> float:
        now = time.monotonic()
        if now - last[0] >= 0.25 or progress.phase != last[1]:
            last[:2] = [now, progress.phase]
            pipe.write(encode({"progress": to_plain(progress)}))
            pipe.flush()
            last[2] = _passed_on() or last[2]
        return float(last[2])

    return report


def _passed_on() -> float:
    """The newest patience on standard input; each is written, and so read, whole (pipe(7))."""
    try:
        said = os.read(0, 1024 * PATIENCE.size)
    except BlockingIOError:
        return 0.0
    return float(PATIENCE.unpack(said[-PATIENCE.size :])[0]) if said else 0.0


def _alone(folder: Path) -> BinaryIO:
    """Holds the staging folder: after a crash of the engine its old child may still be dying."""
    handle = (folder / ".lock").open("wb")
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def _job(encoded: bytes) -> Job:
    data = json.loads(encoded)
    limits = Limits(**data["limits"])
    expected = from_plain(Medium, data["expected"]) if data["expected"] else None
    coercion = Coercion(**data["coercion"])
    return Job(data["name"], data["location"], data["into"], limits, expected, coercion)


def _too_large() -> Finding:
    return Finding(
        "limit-memory",
        Severity.UNSAFE,
        detail="Something on this disc needs more memory than is allowed. Reading was stopped "
        "to protect this computer. Give the disc to IT.",
    )


if __name__ == "__main__":
    sys.exit(main())
