"""Watched folders: what is put there and left alone for a while is moved aside and told of.

An item is an ISO, a ZIP or a folder that lies in a watched folder. It is moved to `taken/` beside
it, under a name of ours, and never deleted or written to; a mark beside it says that the station
has it. After a crash, what has no mark is told again.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from kiosk.policy.sections import Folders

log = logging.getLogger("kiosk.inbound")

Found = Callable[[Path], bool]
"""An item for the station, whole and in its last place. Told again after a crash, and after False:
the station cannot take it now."""

TAKEN = "taken"
_MARK = ".told"
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp", ".filepart")
_LOOK_SECONDS = 60.0  # a share on another machine reports nothing
_MOST = 100_000  # entries of one item that are looked at

Sign = tuple[int, int, int]
"""How many files an item has, their bytes, and the newest change (ns)."""


class Watched:
    """Watches from construction until `close`. Raises OSError when a folder cannot be watched."""

    def __init__(self, settings: Folders, found: Found) -> None:
        self._roots, self._stable = settings.watched, settings.stable_seconds
        self._found = found
        self._seen: dict[Path, tuple[Sign, float]] = {}
        self._changed, self._stopping = threading.Event(), threading.Event()
        self._observer = Observer()
        for root in self._roots:
            (root / TAKEN).mkdir(mode=0o700, exist_ok=True)
            self._observer.schedule(_Waker(self._changed), str(root), recursive=True)
        self._observer.start()
        self._thread = threading.Thread(target=self._run, name="inbound-folders", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._changed.set()
        self._thread.join()
        self._observer.stop()
        self._observer.join()

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._stopping.wait(min(1.0, self._stable / 4)):  # one look for many events
            self._changed.clear()
            waits = [_LOOK_SECONDS]
            for root in self._roots:
                try:
                    waits += self._look(root)
                except OSError as e:
                    log.error("A watched folder cannot be read (%s). See [folders].", e.strerror)
            self._changed.wait(min(waits))

    def _look(self, root: Path) -> Iterator[float]:
        """Takes what is whole; yields the seconds after which to look again."""
        for slot in sorted((root / TAKEN).iterdir()):
            if not self._tell(slot):
                yield self._stable
        for item in sorted(root.iterdir()):
            if _is_item(item):
                left = self._left(item)
                if left <= 0:
                    left = 0.0 if self._tell(_take(root, item)) else self._stable
                if left:
                    yield left

    def _left(self, item: Path) -> float:
        """Seconds that it must still stay unchanged."""
        sign, now = _sign(item), time.monotonic()
        seen, since = self._seen.get(item, (None, now))
        if sign != seen:
            self._seen[item] = (sign, now)
            return self._stable
        if since + self._stable > now:
            return since + self._stable - now
        del self._seen[item]
        return 0.0

    def _tell(self, slot: Path) -> bool:
        if self._stopping.is_set() or (slot / _MARK).exists():
            return True
        for item in slot.iterdir():
            if not self._found(item):
                return False
        (slot / _MARK).touch()
        return True


class _Waker(FileSystemEventHandler):
    def __init__(self, changed: threading.Event) -> None:
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("created", "modified", "moved", "closed"):
            self._changed.set()


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
