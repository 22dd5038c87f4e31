"""Watched folders: what is put there and left alone for a while is moved aside and told of.

An item is an ISO, a ZIP or a folder that lies in a watched folder. It is moved to `taken/` beside
it, under a name of ours, and never deleted or written to; a mark beside it says that the station
has it. After a crash, what has no mark is told again. The folders are looked at again and again: a
share on another machine, where portals put their downloads, tells nobody of changes.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from kiosk.policy.sections import Folders

log = logging.getLogger("kiosk.inbound")

Found = Callable[[Path], bool]
"""An item for the station, whole and in its last place. Told again after a crash, and after False:
the station cannot take it now."""

TAKEN = "taken"
_MARK = ".told"
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp", ".filepart")
_LOOK_SECONDS = 2.0
_MOST = 100_000  # entries of one item that are looked at

Sign = tuple[int, int, int]
"""How many files an item has, their bytes, and the newest change (ns)."""


class Watched:
    """Watches from construction until `close`. Raises OSError when a folder cannot be used."""

    def __init__(self, settings: Folders, found: Found) -> None:
        self._roots, self._stable = settings.watched, settings.stable_seconds
        self._found = found
        self._seen: dict[Path, tuple[Sign, float]] = {}
        self._untold: list[Path] = []
        self._stopping = threading.Event()
        for root in self._roots:
            (root / TAKEN).mkdir(mode=0o700, exist_ok=True)
            slots = sorted((root / TAKEN).iterdir())
            self._untold += [slot for slot in slots if not (slot / _MARK).exists()]
        self._thread = threading.Thread(target=self._run, name="inbound-folders", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._stopping.wait(min(_LOOK_SECONDS, self._stable / 2)):
            try:
                for root in self._roots:
                    self._look(root)
                self._untold = [slot for slot in self._untold if not self._told(slot)]
            except OSError as e:
                log.error("A watched folder cannot be used (%s). See [folders].", e.strerror)

    def _look(self, root: Path) -> None:
        """Moves aside what has not changed for long enough."""
        for item in sorted(root.iterdir()):
            if _is_item(item) and self._is_stable(item):
                del self._seen[item]
                try:
                    self._untold.append(_take(root, item))
                except OSError as e:
                    log.error("An item in a watched folder cannot be moved (%s).", e.strerror)

    def _is_stable(self, item: Path) -> bool:
        sign, now = _sign(item), time.monotonic()
        seen, since = self._seen.get(item, (None, now))
        if sign != seen:
            self._seen[item] = (sign, now)
            return False
        return since + self._stable <= now

    def _told(self, slot: Path) -> bool:
        if self._stopping.is_set():
            return False
        if not all(self._found(item) for item in slot.iterdir()):
            return False
        (slot / _MARK).touch()
        return True


def _is_item(path: Path) -> bool:
    """An ISO, a ZIP, a folder; other files are left where they are, as are links."""
    name = path.name.lower()
    if name == TAKEN or name.startswith(".") or name.endswith(_UNFINISHED) or path.is_symlink():
        return False
    return path.is_dir() or name.endswith((".iso", ".zip", ".img"))


def _sign(item: Path) -> Sign:
    """Equal twice: nothing was written meanwhile."""
    files = size = newest = 0
    waiting = [item]
    while waiting and files < _MOST:
        path = waiting.pop()
        try:
            found = path.lstat()
            if stat.S_ISDIR(found.st_mode):
                waiting += path.iterdir()
        except OSError:
            newest += 1  # it goes or comes just now
            continue
        files += 1
        size += found.st_size
        newest = max(newest, found.st_mtime_ns)
    return files, size, newest


def _take(root: Path, item: Path) -> Path:
    slot = root / TAKEN / secrets.token_hex(8)
    slot.mkdir(mode=0o700)
    item.rename(slot / item.name)
    for folder in (slot, root):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    return slot
