"""A station on a bad day, as whole processes: two imports at once, one that dies under the other,
a full or read-only disk, a stop in the middle; and whatever happens, no patient's name in a log."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from kiosk import adt
from kiosk.cli.demonstration import discs, registration
from kiosk.model.work import IntakeState
from tests.peers.scripted import Conversation, Scripted, scripted
from tests.station import PATIENCE, Station, dicom, station, until

CANARY = registration.Registered("0071177", "QXZZALDEN", "CANARY", "19610509", "F")
OTHER = registration.OTHERS[0]
DONE, STOPPED, UNSAFE = 0, 1, 6


def disc_of(who: registration.Registered, folder: Path) -> Path:
    """Seven images of two studies."""
    stated = discs.Stated(f"{who.family}^{who.given}", who.birth_date, who.sex)
    files = discs.file_set_of(discs.ARCHIBALD, stated)
    return discs.burn(files, folder / f"{who.number}.iso", "SCANS")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("discs")
    return disc_of(CANARY, folder), disc_of(OTHER, folder)


@contextmanager
def at(folder: Path, peer: Scripted, more: str = "") -> Iterator[Station]:
    """A station whose archive is `peer`, at its word; both patients are registered."""
    target = dicom(peer.port, "SCRIPTED") + "verify_level = 0\ncommitment = false\n"
    with station(folder, target, more=more) as here:
        now = datetime.now(UTC)
        with here.rows.begin() as tx:
            for number, who in enumerate((CANARY, OTHER)):
                raw = registration._message("A04", who, "", now, number).text.encode()
                event = adt.parse(raw, default_charset="utf-8", default_authority="HOSP")
                assert tx.roster.apply(event, raw).ack == "AA"
        yield here


def importing(here: Station, image: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "kiosk", "import", str(image), "--json"]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*command, "--config", str(here.config)], stdout=pipe, stderr=pipe, text=True
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, object], str]:
    out, said = process.communicate(timeout=PATIENCE)
    return process.returncode, json.loads(out) if out else {}, said


def filed_under(report: dict[str, object]) -> set[str]:
    cases = report["cases"]
    assert isinstance(cases, list)
    return {case["local"]["value"] for case in cases}


def test_two_imports_at_once_end_well_each_with_its_own_patient(
    tmp_path: Path, images: tuple[Path, Path]
) -> None:
    """One of them works for both; the other waits for it, or takes over when it ends first."""
    with scripted() as peer, at(tmp_path, peer) as here:
        both = [importing(here, image) for image in images]
        for process, who in zip(both, (CANARY, OTHER), strict=True):
            code, report, said = ended(process)
            assert code == DONE, said
            assert report["state"] == "CLOSED"
            assert filed_under(report) == {who.number}
        assert len(peer.received) == len(set(peer.received)) * 2  # one file-set, two patients


def test_an_import_beside_an_engine_reports_when_all_is_done(
    tmp_path: Path, images: tuple[Path, Path]
) -> None:
    with scripted() as peer, at(tmp_path, peer) as here, here.engine():
        code, report, said = ended(importing(here, images[0]))
        assert (code, report["state"]) == (DONE, "CLOSED"), said


def test_an_import_takes_over_from_one_that_dies(tmp_path: Path, images: tuple[Path, Path]) -> None:
    """The first holds the station while its archive keeps it waiting; it is killed there, and the
    second, which had only waited, does its own work."""
    asked, gate = Event(), Event()

    def first_waits(number: int, conversation: Conversation) -> None:
        asked.set()
        gate.wait(PATIENCE)
        conversation.answer(0)

    with scripted(first_waits) as peer, at(tmp_path, peer) as here:
        first = importing(here, images[0])
        assert asked.wait(PATIENCE)
        second = importing(here, images[1])
        assert second.stderr is not None
        until(lambda: "it does the work" in second.stderr.readline(), "the second waits")
        first.kill()
        first.communicate(timeout=PATIENCE)
        gate.set()
        code, report, said = ended(second)
        assert code == DONE, said
        assert filed_under(report) == {OTHER.number}


def test_an_engine_that_is_told_to_stop_ends_after_the_image_it_is_at(
    tmp_path: Path, images: tuple[Path, Path]
) -> None:
    """SIGTERM drains: what was answered is written down, the rest goes on at the next start."""
    asked, gate = Event(), Event()

    def second_waits(number: int, conversation: Conversation) -> None:
        if number == 2:
            asked.set()
            gate.wait(PATIENCE)
        conversation.answer(0)

    with scripted(second_waits) as peer, at(tmp_path, peer) as here:
        intake = here.insert(images[0])
        with here.engine() as engine:
            assert asked.wait(PATIENCE)
            engine.send_signal(signal.SIGTERM)
            gate.set()
            assert engine.wait(PATIENCE) == 0
        before = list(peer.received)
        assert 2 <= len(before) < 7
        assert here.intake(intake.id).state is IntakeState.CATALOGED
        with here.engine():
            until(lambda: here.intake(intake.id).state is IntakeState.CLOSED, "it is closed")
        assert sorted(peer.received) == sorted(set(peer.received))  # nothing was sent twice


def test_a_medium_past_the_limits_ends_with_the_code_for_unsafe(
    tmp_path: Path, images: tuple[Path, Path]
) -> None:
    """What lies within them is imported, and the rest is in the findings."""
    with scripted() as peer, at(tmp_path, peer, "[limits]\nfiles = 2\n") as here:
        code, report, said = ended(importing(here, images[0]))
        assert code == UNSAFE, said
        findings = report["findings"]
        assert isinstance(findings, list)
        assert "unsafe" in {finding["severity"] for finding in findings}
        assert len(peer.received) < 7


# -- disks -----------------------------------------------------------------------------------------


def mounted(options: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a mount namespace of its own, in which `options` (for mount) were done."""
    quoted = " ".join(f"'{part}'" for part in command)
    inside = f"{options} && exec {quoted}"
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", inside], capture_output=True, text=True, timeout=PATIENCE
    )


@pytest.fixture
def may_mount() -> None:
    if mounted("mount -t tmpfs none /mnt", "true").returncode != 0:
        pytest.skip("this machine lets nobody mount in a namespace of his own")


def words_of(said: str) -> str:
    """What a person reads, without the log's lines."""
    return "\n".join(x for x in said.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", x))


@pytest.mark.usefixtures("may_mount")
def test_a_disk_that_fills_up_is_said_and_nothing_half_read_stays(
    tmp_path: Path, images: tuple[Path, Path]
) -> None:
    """Fault 11: the vault is a disk of 300 kB; the medium has more."""
    with scripted() as peer, at(tmp_path, peer) as here:
        vault = here.state / "vault"
        vault.mkdir(exist_ok=True)
        small = f"mount -t tmpfs -o size=300k none '{vault}'"
        command = [sys.executable, "-m", "kiosk", "import", str(images[0])]
        done = mounted(small, *command, "--config", str(here.config))
        assert done.returncode in (STOPPED, 4), done.stderr
        assert "Traceback" not in done.stderr
        assert re.search("disk|room|space", words_of(done.stderr)), done.stderr
        assert peer.received == []
        code, report, said = ended(importing(here, images[0]))  # the next day there is room
        assert (code, report["state"]) == (DONE, "CLOSED"), said


@pytest.mark.usefixtures("may_mount")
def test_a_disk_that_has_turned_read_only_is_said_at_once(
    tmp_path: Path, images: tuple[Path, Path]
) -> None:
    """Fault 14."""
    with scripted() as peer, at(tmp_path, peer) as here:
        only = f"mount --bind '{here.state}' '{here.state}'"
        only += f" && mount -o remount,bind,ro '{here.state}'"
        command = [sys.executable, "-m", "kiosk", "import", str(images[0])]
        done = mounted(only, *command, "--config", str(here.config))
        assert done.returncode == STOPPED, done.stderr
        assert "Traceback" not in done.stderr
        assert re.search(r"[A-Z].+\.\s*$", words_of(done.stderr)), done.stderr
        assert peer.received == []


# -- the canary ------------------------------------------------------------------------------------


def test_a_patients_name_is_in_the_database_and_in_staged_bytes_and_nowhere_else(
    tmp_path: Path, images: tuple[Path, Path]
) -> None:
    """I8, through refusals, an association that is aborted and a defect-free end: not in what the
    engine logged, in no temporary file, in no file's name."""
    folders = {name: tmp_path / name for name in ("tmp", "home", "run")}
    for folder in folders.values():
        folder.mkdir()

    def difficult(number: int, conversation: Conversation) -> None:
        if number == 3:
            conversation.abort()
        conversation.answer(0xA900 if number == 2 else 0, f"{CANARY.family} is unknown here")

    own = {"TMPDIR": "tmp", "HOME": "home", "XDG_DATA_HOME": "home", "XDG_RUNTIME_DIR": "run"}
    surroundings = os.environ | {key: str(folders[name]) for key, name in own.items()}
    with scripted(difficult) as peer, at(tmp_path, peer) as here:
        command = [sys.executable, "-m", "kiosk", "import", str(images[0]), "--json"]
        done = subprocess.run(
            [*command, "--config", str(here.config)],
            env=surroundings,
            capture_output=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 4, done.stderr
        assert CANARY.family.encode() not in done.stderr
        for path in tmp_path.rglob("*"):
            name = path.relative_to(tmp_path).as_posix()
            assert CANARY.family not in name
            kept = name.startswith(("state/kiosk.db", "state/vault/"))
            if path.is_file() and not kept:
                assert CANARY.family.encode() not in path.read_bytes(), name
        with here.rows.read() as tx:
            journal = json.dumps([event.data for event in tx.journal.since(0)], default=str)
        assert CANARY.family not in journal
