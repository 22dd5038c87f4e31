"""`kiosk db`: a backup is whole, what was changed is found, and a backup that is put back loses
nothing that it does not know."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kiosk import __main__, identity, store
from kiosk.engine import alone
from kiosk.model.medium import Medium, MediumKind
from kiosk.model.work import Event
from kiosk.store import backups

run = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "kiosk.toml"
    path.write_text(f'[database]\nstate = "{tmp_path / "state"}"\n')
    (tmp_path / "state").mkdir()
    write(path, "destination.paused")
    return path


def rows(config: Path) -> store.Store:
    address = f"sqlite:///{config.parent / 'state' / 'kiosk.db'}"
    return store.open(address, keys_of=identity.keys_of, name_keys_of=identity.name_keys_of)


def write(config: Path, kind: str) -> None:
    with closing(rows(config)) as opened, opened.begin() as tx:
        tx.journal.write(Event(kind, actor="it"))


def kinds(config: Path) -> list[str]:
    with closing(rows(config)) as opened, opened.read() as tx:
        return [event.kind for event in tx.journal.all()]


def db(config: Path, *words: str) -> Result:
    return run.invoke(__main__.app, ["db", *words, "--config", str(config)])


def said(done: Result) -> Any:
    return json.loads(done.stdout)


def backed_up(config: Path) -> Path:
    done = db(config, "backup", "--json")
    assert done.exit_code == 0, done.output
    return Path(said(done)["backup"])


def test_a_backup_is_one_private_file_that_is_whole_while_the_database_is_in_use(
    config: Path,
) -> None:
    with closing(rows(config)) as opened, opened.begin() as tx:
        tx.journal.write(Event("destination.resumed", actor="it"))
        backup = backed_up(config)  # another writer holds the lock meanwhile
    assert backup.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in backup.parent.iterdir()] == [backup.name]
    done = db(config, "verify", str(backup), "--json")
    assert (done.exit_code, said(done)["whole"], said(done)["records"]) == (0, True, 1)


def test_a_backup_is_put_back_and_what_was_is_kept(config: Path) -> None:
    backup = backed_up(config)
    write(config, "destination.resumed")
    done = db(config, "restore", str(backup), "--operator", "it", "--json")
    assert done.exit_code == 0, done.output
    assert kinds(config) == ["destination.paused", "database.restored"]
    kept = backups.examine(Path(said(done)["replaced"]))
    assert (kept.problem, kept.records) == ("", 2)


def test_a_screen_that_is_open_sees_what_was_put_back(config: Path) -> None:
    backup = backed_up(config)
    write(config, "destination.resumed")
    with closing(rows(config)) as screen:
        with screen.read() as tx:
            assert tx.journal.last_id() == 2
        assert db(config, "restore", str(backup)).exit_code == 0
        with screen.read() as tx:
            assert [e.kind for e in tx.journal.all()][-1] == "database.restored"


def test_nothing_is_put_back_while_an_engine_runs(config: Path) -> None:
    backup = backed_up(config)
    write(config, "destination.resumed")
    with alone(config.parent / "state"):
        done = db(config, "restore", str(backup))
    assert done.exit_code == 1
    assert "Stop it first" in done.output
    assert kinds(config) == ["destination.paused", "destination.resumed"]


def test_a_database_that_cannot_be_read_any_more_is_kept_and_replaced(config: Path) -> None:
    backup = backed_up(config)
    database = config.parent / "state" / "kiosk.db"
    database.write_bytes(b"no database at all" * 1000)
    done = db(config, "restore", str(backup), "--json")
    assert done.exit_code == 0, done.output
    assert Path(said(done)["replaced"]).read_bytes().startswith(b"no database")
    assert kinds(config) == ["destination.paused", "database.restored"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no database of this program"),
        (b"PK\x03\x04" * 4000, "is no database, or damaged"),
    ],
)
def test_a_file_that_is_no_backup_is_refused(config: Path, content: bytes, says: str) -> None:
    file = config.parent / "other.db"
    file.write_bytes(content)
    done = db(config, "restore", str(file))
    assert done.exit_code == 1
    assert says in done.output
    assert kinds(config) == ["destination.paused"]


def test_a_backup_that_was_edited_or_flipped_is_called_so(config: Path) -> None:
    edited, newer, flipped = backed_up(config), backed_up(config), backed_up(config)
    for file, change in (
        (edited, "UPDATE journal SET actor = 'nobody'"),
        (newer, "UPDATE alembic_version SET version_num = '9999'"),
    ):
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute(change)
    data = bytearray(flipped.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 8] = b"\xff" * 8
    flipped.write_bytes(data)
    assert "changed at record 1" in backups.examine(edited).problem
    assert "newer version" in backups.examine(newer).problem
    assert "damaged" in backups.examine(flipped).problem
    assert db(config, "verify", str(flipped)).exit_code == 1


def test_a_disc_that_was_read_after_the_backup_is_put_aside_and_said(config: Path) -> None:
    """Its folder must not become another intake's."""
    backup = backed_up(config)
    state = config.parent / "state"
    with closing(rows(config)) as opened, opened.begin() as tx:
        ticket = tx.intakes.create(Medium(MediumKind.IMAGE, "/x.iso"), "kiosk-1").ticket
    vault = store.Vault(state / "vault")
    (vault.folder(ticket) / "00000001").write_bytes(b"a scan")
    done = db(config, "restore", str(backup), "--json")
    assert said(done)["unregistered"] == [ticket]
    assert not vault.holds(ticket)
    assert (state / "unregistered" / ticket / "00000001").read_bytes() == b"a scan"


def test_a_staged_file_that_changed_or_went_is_found(config: Path) -> None:
    state = config.parent / "state"
    with closing(rows(config)) as opened, opened.begin() as tx:
        ticket = tx.intakes.create(Medium(MediumKind.IMAGE, "/x.iso"), "kiosk-1").ticket
        tx.connection.exec_driver_sql("UPDATE intake SET state = 'READ'")
    folder = store.Vault(state / "vault").folder(ticket)
    (folder / "00000001").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    lines = [
        {"number": n, "untrusted_path": f"F{n}", "bytes": 3, "sha256": known, "state": "whole"}
        for n in (1, 2)
    ]
    manifest = folder / "manifest.jsonl"
    manifest.write_text(json.dumps(lines[0]) + "\n")
    assert said(db(config, "verify", "--json"))["whole"]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = db(config, "verify", "--json")
    assert (done.exit_code, said(done)["hurt"]) == (1, {ticket: [2]})
    (folder / "00000001").write_bytes(b"abd")
    assert said(db(config, "verify", "--json"))["hurt"] == {ticket: [1, 2]}


def test_without_a_database_there_is_nothing_to_copy(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[database]\nstate = "{tmp_path / "none"}"\n')
    done = db(config, "backup")
    assert done.exit_code == 5
    assert "nothing to copy" in done.output
    assert not (tmp_path / "none").exists()


def test_a_fleets_database_is_left_to_its_own_tools(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text('[database]\nurl = "postgresql://kiosk@db.example.org/kiosk"\n')
    done = db(config, "backup")
    assert done.exit_code == 5
    assert "pg_dump" in done.output


def test_of_many_backups_the_newest_stay_and_one_of_each_day(tmp_path: Path) -> None:
    made = [
        f"kiosk-202611{day:02}T{hour:02}0000.000000.db" for day in range(1, 11) for hour in (1, 9)
    ]
    for name in made:
        (tmp_path / name).touch()
    backups.thin(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    days = [f"kiosk-202611{day:02}T090000.000000.db" for day in range(4, 11)]
    assert left == sorted({*days, *made[-6:]})
