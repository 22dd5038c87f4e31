"""A kiosk for a test: a folder, a configuration, a real engine process, and a look at its rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic

from kiosk import identity, store
from kiosk.model.medium import Medium, MediumKind
from kiosk.model.patient import Identifier
from kiosk.model.work import Case, Intake
from tests.peers import free_port, require

PATIENCE = 120.0


def until(done: Callable[[], bool], what: str) -> None:
    """Waits for a condition; fails with `what` when it does not come true."""
    deadline = monotonic() + PATIENCE
    pause = Event()
    while not done():
        assert monotonic() < deadline, f"not in time: {what}"
        pause.wait(0.02)


@dataclass
class Station:
    folder: Path
    config: Path
    adt_port: int
    rows: store.Store

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def staging(self, ticket: str) -> Path:
        return self.state / "vault" / ticket

    def kiosk(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one command of the real program on this station."""
        command = [sys.executable, "-m", "kiosk", *arguments, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE * 2)

    @contextmanager
    def engine(self, held_at_rename: int = 0) -> Iterator[subprocess.Popen[bytes]]:
        """The engine's process; terminated at the end unless it is dead by then. The first of its
        threads, or of its children's, that renames a file for the `held_at_rename`th time is held
        there for as long as a test may take."""
        command = [sys.executable, "-m", "kiosk", "engine", "--config", str(self.config)]
        if held_at_rename:
            hold = f"inject=/^rename:signal=STOP:when={held_at_rename}"
            # -D: the process is the engine, and strace is the one that stands aside.
            strace = [require("strace"), "-D", "-f", "-qqq", "-o", "/dev/null"]
            command = [*strace, "-e", "trace=/^rename", "-e", hold, *command]
        with (self.folder / "engine.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                yield process
            finally:
                process.terminate()
                process.wait(PATIENCE)

    def insert(self, image: Path, picked: Identifier | None = None) -> Intake:
        medium = Medium(MediumKind.IMAGE, str(image))
        with self.rows.begin() as tx:
            return tx.intakes.create(medium, "kiosk-1", "tester", picked)

    def intake(self, id: int) -> Intake:
        with self.rows.read() as tx:
            return tx.intakes.get(id)

    def cases(self, id: int) -> tuple[Case, ...]:
        with self.rows.read() as tx:
            return tx.cases.of_intake(id)


def kill(process: subprocess.Popen[bytes]) -> None:
    """As the power would: no handler runs."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)


@contextmanager
def station(folder: Path, *destinations: str, more: str = "") -> Iterator[Station]:
    """`destinations` are `[[destination]]` tables in TOML."""
    port = free_port()
    config = folder / "kiosk.toml"
    config.write_text(
        f"""
[relevance]
previews = false

[site]
name = "Test Hospital"
[database]
state = "{folder / "state"}"
[identity]
local_issuer = "HOSP"
[adt]
port = {port}
default_authority = "HOSP"
[retry]
first_seconds = 0.2
longest_seconds = 1.0
{more}
"""
        + "\n".join(f"[[destination]]\n{text}" for text in destinations)
    )
    (folder / "state").mkdir()
    rows = store.open(
        f"sqlite:///{folder / 'state' / 'kiosk.db'}",
        keys_of=identity.keys_of,
        name_keys_of=identity.name_keys_of,
    )
    try:
        yield Station(folder, config, port, rows)
    finally:
        rows.close()


def dicom(port: int, ae_title: str, name: str = "PACS") -> str:
    """A DICOM destination on loopback."""
    return f'name = "{name}"\nport = {port}\nae_title = "{ae_title}"\n'
