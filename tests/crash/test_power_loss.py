"""The power is lost at any operation of a golden import: on whatever a disk may then hold, nothing
acknowledged is lost, and an engine that starts on it finishes (fault matrix 9).

How the states are made, and what they do not show, says powerloss.py.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import golden, invariants
from tests.crash.powerloss import (
    CALLS,
    Changes,
    Disk,
    Op,
    Trace,
    Writes,
    everything,
    nothing,
    some,
    up_to,
)
from tests.crash.test_sweep import EVERY, ROOT, running
from tests.peers import require
from tests.peers.orthanc import orthanc

POINTS = 12  # of some hundred, where there is not the time for all
FINISHED = 2  # of them are taken up again by an engine


def record(folder: Path, port: int, fresh: Path) -> list[Op]:
    """The import of `fresh`, once, with every operation on its folder."""
    state = Path(shutil.copytree(fresh, folder / "traced"))
    trace, log = Trace(state), folder / "trace.txt"
    tracer = [require("strace"), "-f", "-xx", "-y", "-s", "9999999", "-e", f"trace={CALLS}"]
    command = [*tracer, "-o", str(log), sys.executable, "-m", "tests.crash.golden"]
    asked = json.dumps({"state": str(state), "port": port, "die_at": 0})
    ended = subprocess.run(command, cwd=ROOT, input=asked, text=True, capture_output=True)
    assert ended.returncode == 0, ended.stderr
    with log.open(encoding="ascii") as lines:
        return list(trace.read(lines))


def points(ops: list[Op]) -> list[int]:
    """Just before a sync or a rename, and just before anything is said to the archive."""
    telling = [n for n, op in enumerate(ops) if op.what in ("sync", "rename", "say")]
    if EVERY:
        return [*telling, len(ops)]
    return [*telling[:: -(-len(telling) // POINTS)], len(ops)]


def states(seed: int) -> Iterator[tuple[str, Writes, Changes]]:
    chance = random.Random(seed)
    yield "only what was synced", nothing, nothing
    yield "names without their data", nothing, everything
    yield "data without their names", everything, nothing
    yield f"some of both ({seed})", some(chance), up_to(chance)


def told(ops: list[Op], archived: dict[str, bytes]) -> dict[str, bytes]:
    """The images that the archive may have by now."""
    said = b"".join(op.data for op in ops if op.what == "say")
    return {uid: data for uid, data in archived.items() if uid.encode() in said}


@pytest.mark.peer("Orthanc", "strace")
def test_after_any_power_loss_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    golden.begin(fresh, golden.disc(tmp_path))
    own = tmp_path / "orthanc"
    own.mkdir()
    with orthanc(own) as archive, running(tmp_path) as runner:
        ops = record(tmp_path, archive.port, fresh)
        archived = archive.data_sets()
        assert len(archived) == golden.IMAGES
        disk, done, wrong, tried = Disk(fresh), 0, {}, 0
        for number, point in enumerate(points(ops)):
            for op in ops[done:point]:
                disk.do(op)
            done = point
            for name, writes, changes in states(point):
                state = tmp_path / "lost"
                disk.write_to(state, writes, changes)
                found = invariants.at_rest(state, told(ops[:point], archived))
                tried += 1
                if EVERY or (number * 7 + tried) % (4 * POINTS // FINISHED) == 0:
                    runner.run(state, archive.port)
                    found += invariants.in_the_end(state, archive.data_sets())
                if found:
                    wrong[f"{point} ({ops[point - 1].what}), {name}"] = found
                shutil.rmtree(state)
        assert wrong == {}
        assert tried > 2 * POINTS
        # A program that did not sync its files would be found out.
        careless = Disk(fresh)
        for op in ops:
            if op.what != "sync" or not op.path.startswith("vault"):
                careless.do(op)
        careless.write_to(tmp_path / "careless", nothing, everything)
        assert invariants.at_rest(tmp_path / "careless", archived)


# -- the model itself ------------------------------------------------------------------------------


def after(folder: Path, ops: list[Op], writes: Writes, changes: Changes) -> dict[str, bytes]:
    """What a disk that was empty holds after `ops` and a power loss."""
    (folder / "empty").mkdir()
    disk = Disk(folder / "empty")
    for op in ops:
        disk.do(op)
    disk.write_to(folder / "lost", writes, changes)
    found = (folder / "lost").rglob("*")
    return {p.relative_to(folder / "lost").as_posix(): p.read_bytes() for p in found if p.is_file()}


WRITTEN = [Op("create", "a.part"), Op("write", "a.part", data=b"scan")]
NAMED = Op("rename", "a.part", "a")


def test_what_was_renamed_without_a_sync_comes_back_empty(tmp_path: Path) -> None:
    assert after(tmp_path, [*WRITTEN, NAMED], nothing, everything) == {"a": b""}


def test_what_was_synced_has_no_name_until_its_folder_is(tmp_path: Path) -> None:
    ops = [*WRITTEN, Op("sync", "a.part"), NAMED]
    assert after(tmp_path, ops, everything, nothing) == {}


def test_what_was_synced_with_its_folder_is_there(tmp_path: Path) -> None:
    ops = [*WRITTEN, Op("sync", "a.part"), NAMED, Op("sync", ".")]
    assert after(tmp_path, ops, nothing, nothing) == {"a": b"scan"}


def test_an_old_content_stays_until_the_new_one_is_synced(tmp_path: Path) -> None:
    ops = [*WRITTEN, Op("sync", "a.part"), Op("sync", "."), Op("write", "a.part", at=2, data=b"!!")]
    assert after(tmp_path, ops, nothing, nothing) == {"a.part": b"scan"}


def test_a_trace_is_read_as_what_was_done(tmp_path: Path) -> None:
    """Each write of a real program, byte for byte, with its names and syncs."""
    root = tmp_path / "root"
    root.mkdir()
    program = f"""
import os
fd = os.open({str(root / "a,b")!r}, os.O_WRONLY | os.O_CREAT)
os.write(fd, b'one"'); os.write(fd, b'two'); os.pwrite(fd, b'x', 1); os.fsync(fd)
os.rename({str(root / "a,b")!r}, {str(root / "c")!r}); os.ftruncate(fd, 3)
log = os.open({str(root / "c")!r}, os.O_WRONLY | os.O_APPEND); os.write(log, b'end')
"""
    log = tmp_path / "trace.txt"
    tracer = [require("strace"), "-f", "-xx", "-y", "-s", "9999", "-e", f"trace={CALLS}"]
    subprocess.run([*tracer, "-o", str(log), sys.executable, "-c", program], check=True)
    with log.open() as lines:
        found = list(Trace(root).read(lines))
    assert found == [
        Op("create", "a,b"),
        Op("write", "a,b", at=0, data=b'one"'),
        Op("write", "a,b", at=4, data=b"two"),
        Op("write", "a,b", at=1, data=b"x"),
        Op("sync", "a,b"),
        Op("rename", "a,b", "c"),
        Op("truncate", "c", at=3),
        Op("write", "c", at=3, data=b"end"),
    ]
