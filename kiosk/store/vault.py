"""The vault: the bytes that were read, one folder per intake, never altered, purged by policy.

A folder is named by the intake's ticket: never by anything that came off a medium.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from kiosk.model.medium import MANIFEST, staged_name


class Vault:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def folder(self, ticket: str) -> Path:
        """The intake's staging folder, made when it is not there."""
        path = self.root / ticket
        path.mkdir(exist_ok=True, mode=0o700)
        _fsync(self.root)  # the folder itself must survive a power loss, not only what is in it
        return path

    def adopt(self, ticket: str, arrived: Path) -> Path:
        """The intake's staging folder, which is what a receiver staged: moved in once, so that this
        may be run again. Raises OSError."""
        folder = self.folder(ticket)
        if arrived.is_dir():
            arrived.replace(folder)  # onto the empty folder that waits for it
        return self.folder(ticket)

    def share(self, ticket: str, with_: str) -> None:
        """Gives the intake `with_`, which has nothing yet, what the intake `ticket` has staged.
        Staged files are only ever replaced, so both may hold them. Raises OSError."""
        mine, theirs = self.root / ticket, self.root / with_
        if not (mine / MANIFEST).exists() or (theirs / MANIFEST).exists():
            return
        half = self.root / f".{with_}.shared"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        for path in mine.iterdir():
            if path.name.isdecimal():
                os.link(path, half / path.name)
            elif path.suffix in (".json", ".jsonl"):
                shutil.copyfile(path, half / path.name)
                _fsync(half / path.name)
        _fsync(half)
        shutil.rmtree(theirs, ignore_errors=True)
        half.replace(theirs)
        _fsync(self.root)

    def file(self, ticket: str, number: int) -> Path:
        return self.root / ticket / staged_name(number)

    def holds(self, ticket: str) -> bool:
        return (self.root / ticket).is_dir()

    def purge(self, ticket: str) -> None:
        """Removes the intake's bytes: renamed first, so that a crash leaves no half folder that
        looks whole."""
        folder, gone = self.root / ticket, self.root / f".{ticket}.purged"
        if folder.exists():
            folder.replace(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def put_aside(self, known: set[str], place: Path) -> list[str]:
        """Moves the folders of intakes that are not among the `known` tickets; returns theirs."""
        found = [p for p in self.root.iterdir() if p.is_dir() and not p.name.startswith(".")]
        unknown = sorted(path.name for path in found if path.name not in known)
        if unknown:
            place.mkdir(exist_ok=True, mode=0o700)
        for name in unknown:
            (self.root / name).replace(place / name)
        return unknown

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.root).free


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
