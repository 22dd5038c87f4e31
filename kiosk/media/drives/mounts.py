"""Mounts that last as long as somebody reads below them, and are found again after a crash."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.media.drives import udisks
from kiosk.media.drives.udisks import Mount
from kiosk.media.source import MediaError

log = logging.getLogger("kiosk.mounts")


class Mounts:
    """What is mounted for one engine. `notes` is its folder of notes: one for each mount, written
    before it is made and removed when it is gone."""

    def __init__(self, notes: Path) -> None:
        self._notes = notes
        self._lock = threading.Lock()
        self._in_use: dict[Path, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def at(self, location: Path) -> Iterator[Mount]:
        """The file system of a block device or image file, for one reader at a time; who comes
        second waits. Raises MediaError."""
        with self._lock:
            mine = self._in_use[location]
        with mine:
            note = self._note(location)
            try:
                yield udisks.mount(location)
            finally:
                self._release(location, note)

    def release_left_over(self) -> None:
        """Releases what an engine that died here had mounted. Only while nobody reads."""
        for note in self._notes.glob("*") if self._notes.is_dir() else ():
            self._release(Path(os.fsdecode(note.read_bytes())), note)

    def _note(self, location: Path) -> Path:
        self._notes.mkdir(mode=0o700, exist_ok=True)
        name = os.fsencode(location)
        note = self._notes / hashlib.sha256(name).hexdigest()
        note.write_bytes(name)
        return note

    def _release(self, location: Path, note: Path) -> None:
        try:
            udisks.unmount(location)
        except MediaError as e:
            # The note stays, and with it another try when the engine starts.
            log.warning("a mount was not released: %s", e.finding.detail)
            return
        note.unlink(missing_ok=True)
