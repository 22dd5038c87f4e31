"""The golden import dies at its durable steps, one after the other: before and after each fsync,
rename, commit and message to the archive. Whatever was then on the disk keeps the invariants, and
an engine that starts again finishes as if nothing had been (fault matrix 1, 2, 4-6).

`KIOSK_EVERY_STEP=1` dies at every one of some 150 steps (`make bench` does), otherwise at some.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash import golden, invariants
from tests.peers.orthanc import Orthanc, orthanc

AT_MOST = 8
EVERY = os.environ.get("KIOSK_EVERY_STEP") == "1"
ROOT = Path(__file__).resolve().parents[2]


class Runner:
    """The process that forks the ones that die, and what they wrote."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    def run(self, state: Path, port: int, die_at: int = 0) -> tuple[bool, list[str]]:
        """Whether it died, and the steps of one that did not."""
        asked = {"state": str(state), "port": port, "die_at": die_at}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self._log.read_text()
        said = json.loads(answer)
        return said["died"], said["steps"]

    def said(self) -> bytes:
        return self._log.read_bytes()


@contextmanager
def running(folder: Path) -> Iterator[Runner]:
    log = folder / "runner.log"
    command = [sys.executable, "-m", "tests.crash.golden"]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, stderr=errors, text=True)
        with process:  # closes the pipes: it ends when there are no more lines
            yield Runner(process, log)


def chosen(steps: list[str]) -> list[int]:
    """The numbers of the steps to die at: all, or of the kinds of step as many as there is time
    for, evenly over the whole import."""
    if EVERY:
        return list(range(1, len(steps) + 1))
    first = {what: n for n, what in reversed(list(enumerate(steps, 1)))}
    numbers = sorted(first.values())
    return numbers[:: -(-len(numbers) // AT_MOST)]


def emptied(archive: Orthanc, but: invariants.Archived) -> None:
    """The archive as it was before."""
    for each in archive.json("/instances?expand"):
        if each["MainDicomTags"]["SOPInstanceUID"] not in but:
            archive.rest(f"/instances/{each['ID']}", "DELETE")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def archive(folder: Path) -> Iterator[Orthanc]:
    own = folder / "orthanc"
    own.mkdir()
    with orthanc(own) as peer:
        yield peer


@pytest.fixture(scope="module")
def runner(folder: Path) -> Iterator[Runner]:
    with running(folder) as made:
        yield made
        assert golden.CANARY not in made.said()


@pytest.fixture(scope="module")
def fresh(folder: Path) -> Path:
    golden.begin(folder / "fresh", golden.disc(folder))
    return folder / "fresh"


def swept(
    fresh: Path, archive: Orthanc, runner: Runner, before: invariants.Archived
) -> dict[str, list[str]]:
    """What is wrong after dying at the steps of whatever is to be done in `fresh`."""
    whole = shutil.copytree(fresh, fresh.parent / "whole")
    died, steps = runner.run(whole, archive.port)
    assert not died
    assert invariants.in_the_end(whole, archive.data_sets(), before) == []
    wrong: dict[str, list[str]] = {}
    for number in chosen(steps):
        emptied(archive, before)
        state = shutil.copytree(fresh, fresh.parent / "state")
        died, _ = runner.run(state, archive.port, die_at=number)
        assert died, f"step {number} was not reached: {steps[number - 1]}"
        found = invariants.at_rest(state, archive.data_sets())
        runner.run(state, archive.port)
        found += invariants.in_the_end(state, archive.data_sets(), before)
        if found:
            wrong[f"{number}: {steps[number - 1]}"] = found
        shutil.rmtree(state)
    shutil.rmtree(whole)
    return wrong


@pytest.mark.peer("Orthanc")
def test_dying_at_any_durable_step_loses_nothing_and_doubles_nothing(
    fresh: Path, archive: Orthanc, runner: Runner
) -> None:
    assert swept(fresh, archive, runner, {}) == {}


@pytest.mark.peer("Orthanc")
def test_dying_while_a_recall_is_carried_out_takes_back_once_and_sends_once(
    fresh: Path, archive: Orthanc, runner: Runner, folder: Path
) -> None:
    """From the recall of a whole import to the proof that it arrived under the other patient."""
    emptied(archive, {})
    sent = shutil.copytree(fresh, folder / "sent")
    runner.run(sent, archive.port)
    golden.recall(sent)
    assert swept(sent, archive, runner, archive.data_sets()) == {}
