"""Which version runs: the link moves only after a check, and what was killed in its middle, or is
not fit, leaves link and database as they were. Real programs, real databases, in a root of their
own."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = "1.0.0", "1.1.0"
MIGRATE = """
import sqlite3, sys
rows = sqlite3.connect(sys.argv[1])
rows.execute("UPDATE alembic_version SET version_num = 'of-1.1.0'")
rows.commit()
"""


@dataclass
class Machine:
    root: Path

    @property
    def opt(self) -> Path:
        return self.root / "opt/kiosk"

    @property
    def database(self) -> Path:
        return self.root / "state/kiosk.db"

    def install(self, version: str, before: str = "") -> None:
        """A version: the real program, with what else it does `before` in shell."""
        home = self.opt / version / "bin"
        home.mkdir(parents=True)
        (home / "python3").symlink_to(sys.executable)
        config = self.root / "kiosk.toml"
        real = f'exec {sys.executable} -m kiosk "$@" --config {config}'
        (home / "kiosk").write_text(f"#!/bin/sh\n{before}\n{real}\n")
        (home / "kiosk").chmod(0o755)

    def migrating(self, then: str) -> str:
        """A version that changes the schema to one of its own, and then..."""
        script = self.root / "migrate.py"
        script.write_text(MIGRATE)
        return when("db upgrade", f"{sys.executable} {script} {self.database}; {then}")

    def switch(self, *words: str) -> subprocess.CompletedProcess[str]:
        run = self.root / "run"
        run.write_text('#!/bin/sh\nexec "$KIOSK_HOME/bin/kiosk" "$@"\n')
        run.chmod(0o755)
        own = {"KIOSK_ROOT": str(self.root), "KIOSK_RUN": str(run), "PYTHONPATH": str(ROOT)}
        command = ["sh", str(ROOT / "installer/switch"), *words]
        return subprocess.run(command, env=os.environ | own, capture_output=True, text=True)

    @property
    def current(self) -> str:
        assert (self.opt / "current/bin/kiosk").exists()
        return (self.opt / "current").readlink().name

    @property
    def schema(self) -> str:
        with closing(sqlite3.connect(self.database)) as rows:
            return str(rows.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def when(words: str, then: str) -> str:
    return f'case "$1 $2" in "{words}") {then} ;; esac'


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    here = Machine(tmp_path)
    (tmp_path / "kiosk.toml").write_text(
        f'[database]\nstate = "{tmp_path / "state"}"\n[adt]\nenabled = false\n'
    )
    here.install(OLD)
    assert here.switch("to", OLD).returncode == 0
    command = [here.opt / OLD / "bin/kiosk", "db", "upgrade"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    return here


def test_a_version_that_passes_its_check_becomes_the_current_one(machine: Machine) -> None:
    """There is no archive in this configuration: what failed before, too, holds up no upgrade."""
    assert machine.current == OLD
    machine.install(NEW)
    done = machine.switch("to", NEW)
    assert (done.returncode, machine.current) == (0, NEW), done.stderr
    (backup,) = (machine.root / "state/backups").glob("kiosk-*.db")
    assert backup.stat().st_size
    assert not (machine.opt / ".switching").exists()
    assert machine.switch("to", NEW).returncode == 0  # again: nothing to do


def test_a_schema_that_cannot_be_made_leaves_all_as_it_was(machine: Machine) -> None:
    before = machine.schema
    machine.install(NEW, machine.migrating("exit 1"))
    done = machine.switch("to", NEW)
    assert done.returncode == 1
    assert "not fit for this kiosk: the database's upgrade" in done.stderr
    assert (machine.current, machine.schema) == (OLD, before)
    assert not (machine.opt / ".switching").exists()


def test_a_check_that_fails_only_now_takes_link_and_database_back(machine: Machine) -> None:
    """The new version's own program finds its database of an unknown schema."""
    before = machine.schema
    machine.install(NEW, machine.migrating("exit 0"))
    done = machine.switch("to", NEW)
    assert done.returncode == 1
    assert "not fit for this kiosk: database" in done.stderr
    assert (machine.current, machine.schema) == (OLD, before)


@pytest.mark.parametrize("during", ["db backup", "db upgrade", "check --json"])
def test_an_upgrade_that_is_killed_is_taken_back_before_anything_runs(
    machine: Machine, during: str
) -> None:
    before = machine.schema
    dies = "kill -9 $PPID; exit 1"
    if during == "db upgrade":
        machine.install(NEW, machine.migrating(dies))
    else:
        machine.install(NEW, machine.migrating("exit 0") + "\n" + when(during, dies))
    assert machine.switch("to", NEW).returncode == -9
    assert machine.current == OLD
    assert (machine.schema == before) is (during == "db backup")
    done = machine.switch("settle")
    assert done.returncode == 0, done.stderr
    assert (machine.current, machine.schema) == (OLD, before)


def test_without_a_backup_nothing_is_changed(machine: Machine) -> None:
    machine.install(NEW)
    (machine.root / "state/backups").write_text("no folder can be made here")
    done = machine.switch("to", NEW)
    assert done.returncode == 1
    assert "without a backup nothing is changed" in done.stderr
    assert machine.current == OLD
