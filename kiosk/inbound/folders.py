"""Watched folders: what is put there and left alone for a while is moved aside and told of.

An item is a disc image, a ZIP or a folder that lies in a watched folder. What looks like half a
download is waited for much longer: a download can stand still. It is moved to `taken/` beside
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
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from kiosk.policy.sections import Folders

log = logging.getLogger("kiosk.inbound")

Found = Callable[[Path], bool]
"""An item for the station, whole and in its last place. Told again after a crash, and after False:
the station cannot take it now."""

TAKEN = "taken"
_MARK = ".told"
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp", ".filepart")
_IMAGES = (".iso", ".img", ".bin", ".mdf", ".nrg")
_LOOK_SECONDS = 2.0
_MOST = 100_000  # entries of one item that are looked at
_LONGER = 60  # times as long is waited for what looks unfinished
_ZIP_TAIL = 65_557  # bytes that the end of a ZIP's directory is among (APPNOTE 4.3.16)
_DESCRIPTOR = 16 * 2048  # where an image's volume descriptor is (ECMA-119 6.7.1)

Sign = tuple[int, int, int]
"""How many files an item has, their bytes, and the newest change (ns)."""


class Watched:
    """Watches from construction until `close`. Raises OSError when a folder cannot be used."""

    def __init__(self, settings: Folders, found: Found) -> None:
        self._roots, self._stable = settings.watched, settings.stable_seconds
        self._found = found
        self._seen: dict[Path, tuple[Sign, float]] = {}
        self._unfinished: set[Path] = set()
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
        if since + self._stable > now:
            return False
        if since + _LONGER * self._stable > now and is_unfinished(item):
            if item not in self._unfinished:
                self._unfinished.add(item)
                log.warning("An item in a watched folder is not complete yet: it is waited for.")
            return False
        self._unfinished.discard(item)
        return True

    def _told(self, slot: Path) -> bool:
        if self._stopping.is_set():
            return False
        if not all(self._found(item) for item in slot.iterdir()):
            return False
        (slot / _MARK).touch()
        return True


def _is_item(path: Path) -> bool:
    """A disc image, a ZIP, a folder; other files are left where they are, as are links."""
    name = path.name.lower()
    if name == TAKEN or name.startswith(".") or name.endswith(_UNFINISHED) or path.is_symlink():
        return False
    return path.is_dir() or name.endswith((*_IMAGES, ".zip"))


def is_unfinished(item: Path) -> bool:
    """Whether it looks like half a download: a ZIP without its directory, which comes last; an
    image that is shorter than it says; a folder in which a file has a name for the time being."""
    try:
        if item.is_dir():
            return any(path.name.lower().endswith(_UNFINISHED) for path in _below(item))
        with item.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if item.suffix.lower() == ".zip":
                file.seek(max(0, size - _ZIP_TAIL))
                return b"PK\5\6" not in file.read()
            file.seek(_DESCRIPTOR)
            volume = file.read(2048)
    except OSError:
        return True
    blocks, block = (
        int.from_bytes(volume[80:84], "little"),
        int.from_bytes(volume[128:130], "little"),
    )
    return volume[:6] == b"\1CD001" and blocks * block > size


def _below(folder: Path) -> Iterator[Path]:
    """The files of a folder however deep, so many of them."""
    found = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
    return islice(found, _MOST)


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
