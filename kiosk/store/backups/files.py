"""Copying a SQLite database by its online backup, and putting a copy back."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from kiosk.store.database import StoreUnusable

NEWEST = 6  # of the copies of one day
DAYS = 7
_DAY = len("kiosk-20261124")


def copy(source: Path, into: Path) -> None:
    """One consistent state of `source`, whoever writes to it meanwhile: whole under its name or
    not there. Raises StoreUnusable."""
    part = into.with_name(f"{into.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(_existing(source)) as old, closing(sqlite3.connect(part)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")  # one file: no log beside it
        _fsync(part)
        part.replace(into)
        _fsync(into.parent)
    except (OSError, sqlite3.Error) as e:
        part.unlink(missing_ok=True)
        said = f"{source} could not be copied to {into} ({_why(e)}). Check disk and permissions."
        raise StoreUnusable(said) from e


def put_back(backup: Path, database: Path, replaced: Path) -> None:
    """`database` becomes what `backup` is, in one transaction: a crash leaves it as it was. What
    it was is kept as `replaced`, file by file where it cannot be read any more. Nobody may write
    meanwhile. Raises StoreUnusable."""
    try:
        if database.exists():
            try:
                copy(database, replaced)
                _overwrite(backup, database)
                return
            except (StoreUnusable, sqlite3.Error):
                _move_aside(database, replaced)
        copy(backup, database)
    except OSError as e:
        said = f"{database} could not be replaced ({_why(e)}). It is kept as {replaced}."
        raise StoreUnusable(said) from e


def _overwrite(backup: Path, database: Path) -> None:
    with closing(_existing(backup)) as old, closing(_existing(database)) as new:
        new.execute("PRAGMA synchronous=FULL")
        old.backup(new)


def _move_aside(database: Path, replaced: Path) -> None:
    """The log goes last: without its database it is applied to nothing."""
    for end in ("", "-wal", "-shm"):
        beside = database.with_name(database.name + end)
        if beside.exists():
            shutil.copyfile(beside, replaced.with_name(replaced.name + end))
            _fsync(replaced.with_name(replaced.name + end))
    for end in ("-wal", "-shm", ""):
        database.with_name(database.name + end).unlink(missing_ok=True)


def thin(folder: Path) -> None:
    """Of the copies in a folder, `kiosk-YYYYMMDD...db`, the newest few stay, and the newest of each
    of the last days."""
    names = sorted((path.name for path in folder.glob("kiosk-*.db")), reverse=True)
    last_of_day = {name[:_DAY]: name for name in reversed(names)}
    days = sorted(last_of_day, reverse=True)[:DAYS]
    kept = {*names[:NEWEST], *(last_of_day[day] for day in days)}
    for name in set(names) - kept:
        (folder / name).unlink()


def _existing(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)


def _why(error: OSError | sqlite3.Error) -> str:
    return (error.strerror or "unreadable") if isinstance(error, OSError) else str(error)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
