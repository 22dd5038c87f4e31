"""One session's folder: files under our own names, each with a line in the manifest once its bytes
are on the disk, in the form in which a disc is staged (RELIABILITY 3)."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

from kiosk.model.medium import (
    MANIFEST,
    Medium,
    MediumKind,
    StagedFile,
    read_manifest,
    staged_name,
)
from kiosk.model.plain import from_plain, to_plain

MEDIUM = "medium.json"
OPEN = ".open"


class Staging:
    """A session's folder, `NAME.open` until `seal` renames it to `NAME`. The same bytes sent twice
    are one file. Raises OSError."""

    def __init__(self, folder: Path, medium: Medium) -> None:
        self.folder = folder
        self.medium = medium
        self._lock = threading.Lock()
        self._hashes: set[str] = set()
        self._next = 1
        self.files = self.bytes = 0

    @classmethod
    def begin(cls, folder: Path, way: str, caller: str) -> Staging:
        """A new folder; `way` is `c-store` or `stow`."""
        sealed = folder.with_suffix("")
        medium = Medium(MediumKind.NETWORK, str(sealed), label=caller, filesystem=way)
        folder.mkdir(mode=0o700)
        _fsync(folder.parent)
        _replace(folder / MEDIUM, json.dumps(to_plain(medium)))
        return cls(folder, medium)

    @classmethod
    def resume(cls, folder: Path) -> Staging | None:
        """What a receiver that died had promised; None where that is nothing."""
        if not (folder / MANIFEST).exists():
            return None
        staging = cls(folder, read_medium(folder))
        staging._adopt()
        return staging

    def _adopt(self) -> None:
        path = self.folder / MANIFEST
        lines = path.read_bytes()
        whole = lines.rfind(b"\n") + 1
        if whole != len(lines):
            os.truncate(path, whole)
        for file in read_manifest(self.folder):
            self._enter(file)
        promised = {staged_name(f.number) for f in read_manifest(self.folder)}
        for found in self.folder.iterdir():
            if found.name not in promised | {MANIFEST, MEDIUM}:
                found.unlink()  # it was never promised: its sender sends it again

    def _enter(self, file: StagedFile) -> None:
        self._hashes.add(file.sha256)
        self._next = max(self._next, file.number + 1)
        self.files += 1
        self.bytes += file.bytes

    def number(self) -> int:
        with self._lock:
            self._next += 1
            return self._next - 1

    def keep(self, part: Path, file: StagedFile) -> None:
        """When it returns, the file and its line are on the disk."""
        with self._lock:
            if file.sha256 in self._hashes:
                part.unlink()
                return
            part.rename(self.folder / staged_name(file.number))
            _fsync(self.folder)
            self._append(json.dumps(to_plain(file)) + "\n")
            self._enter(file)

    def _append(self, line: str) -> None:
        path = self.folder / MANIFEST
        first = not path.exists()
        before = 0 if first else path.stat().st_size
        with path.open("a", encoding="ascii") as out:
            try:
                out.write(line)
                out.flush()
                os.fsync(out.fileno())
            except OSError:
                os.truncate(path, before)  # half a line would hide the ones after it
                raise
        if first:
            _fsync(self.folder)

    def seal(self) -> Path | None:
        """Closes the session: its folder under its last name, None when nothing was kept. Its
        fingerprint is of its contents: the same scans sent again are recognised."""
        if not self.files:
            remove(self.folder)
            return None
        digest = hashlib.sha256("".join(sorted(self._hashes)).encode()).hexdigest()
        described = {"fingerprint": f"sha256:{digest}", "bytes": self.bytes}
        medium = from_plain(Medium, {**to_plain(self.medium), **described})
        _replace(self.folder / MEDIUM, json.dumps(to_plain(medium)))
        sealed = self.folder.with_suffix("")
        self.folder.rename(sealed)
        _fsync(sealed.parent)
        return sealed


class Part:
    """The bytes of one file on their way in, hashed as they come. Raises OSError."""

    def __init__(self, staging: Staging) -> None:
        self.staging = staging
        self.bytes = 0
        self._number = staging.number()
        self._path = staging.folder / f"{staged_name(self._number)}.part"
        self._digest = hashlib.sha256()
        self._path.unlink(missing_ok=True)
        self._out = self._path.open("xb")

    def write(self, data: bytes | memoryview) -> None:
        self._digest.update(data)
        self._out.write(data)
        self.bytes += len(data)

    def keep(self, sop_instance_uid: str) -> None:
        """When it returns, the file is on the disk and in the manifest."""
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        named = f"{sop_instance_uid}.dcm"
        sha256 = self._digest.hexdigest()
        self.staging.keep(self._path, StagedFile(self._number, named, self.bytes, sha256))

    def drop(self) -> None:
        """What was written goes; nothing, after `keep`."""
        try:
            self._out.close()
        except OSError:
            pass  # a full disk says so again: the file goes all the same
        self._path.unlink(missing_ok=True)


def read_medium(folder: Path) -> Medium:
    return from_plain(Medium, json.loads((folder / MEDIUM).read_text()))


def remove(folder: Path) -> None:
    for path in list(folder.iterdir()):
        path.unlink()
    folder.rmdir()


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="ascii") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    part.rename(path)
    _fsync(path.parent)


def _fsync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
