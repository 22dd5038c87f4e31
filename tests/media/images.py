"""Disc images for these tests, and what a staging folder holds after a read."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from pathlib import Path

import pycdlib

from kiosk.media import read
from kiosk.media.iso import SECTOR, Disc, Sectors
from kiosk.model.content import Finding, read_findings
from kiosk.model.medium import (
    FileState,
    MediumKind,
    Progress,
    ReadReport,
    StagedFile,
    read_manifest,
    staged_name,
)
from kiosk.policy.sections import Limits

LIMITS = Limits()
FOR_EVER = 1 << 30


def dicom(seed: int, size: int = 9000) -> bytes:
    """Bytes that say they are DICOM and are like no other seed's."""
    body = hashlib.shake_256(str(seed).encode()).digest(size - 132)
    return bytes(128) + b"DICM" + body


def some_files(count: int = 6, size: int = 9000) -> dict[str, bytes]:
    """Paths of at most 8 upper-case characters, so that every naming keeps them."""
    files = {"DICOMDIR": dicom(0, 3000)}
    files |= {f"IMAGES/IM{n:04d}": dicom(n, size + n) for n in range(1, count)}
    return files


def burn(
    path: Path,
    files: dict[str, bytes],
    *,
    joliet: bool = True,
    rock_ridge: bool = True,
    udf: bool = False,
    links: dict[str, str] | None = None,
) -> Path:
    """An image with the files under their names, in every naming that is asked for."""
    disc = pycdlib.PyCdlib()
    disc.new(
        interchange_level=1,
        joliet=3 if joliet else None,
        rock_ridge="1.09" if rock_ridge else None,
        udf="2.60" if udf else None,
        vol_ident="TEST",
    )
    folders = {
        f.rsplit("/", n)[0] for f in (files | (links or {})) for n in range(1, f.count("/") + 1)
    }
    for folder in sorted(folders):
        disc.add_directory(**_named(folder, "", joliet, rock_ridge, udf))
    for name, data in files.items():
        end = ";1" if "." in name else ".;1"
        disc.add_fp(io.BytesIO(data), len(data), **_named(name, end, joliet, rock_ridge, udf))
    for name, target in (links or {}).items():
        leaf = name.rpartition("/")[2]
        disc.add_symlink(f"/{name.upper()}.;1", rr_symlink_name=leaf, rr_path=target)
    disc.write(str(path))
    disc.close()
    return path


def _named(name: str, end: str, joliet: bool, rock_ridge: bool, udf: bool) -> dict[str, str]:
    names = {"iso_path": f"/{name.upper()}{end}"}
    if joliet:
        names["joliet_path"] = f"/{name}"
    if rock_ridge:
        names["rr_name"] = name.rpartition("/")[2]
    if udf:
        names["udf_path"] = f"/{name}"
    return names


def forget_iso(image: Path) -> Path:
    """Wipes the ISO 9660 descriptors and every directory of its trees: the UDF side is left."""
    data = bytearray(image.read_bytes())
    for number in range(16, min(len(data) // SECTOR, 600)):
        at = number * SECTOR
        own = data[at + 2 : at + 6] == number.to_bytes(4, "little")
        if data[at + 1 : at + 6] == b"CD001" or (own and data[at + 32 : at + 34] == b"\1\0"):
            data[at : at + SECTOR] = bytes(SECTOR)
    image.write_bytes(data)
    return image


def extent(image: Path, iso_path: str) -> int:
    """The byte at which a file (or, with a trailing slash, a directory) starts."""
    disc = pycdlib.PyCdlib()
    disc.open(str(image))
    record = disc.get_record(iso_path=iso_path)
    disc.close()
    return int(record.extent_location()) * SECTOR


def moved(image: Path, start: int) -> bytes:
    """A one-folder image whose places count from a sector further on, as a session's do."""
    root, file = extent(image, "/") // SECTOR, extent(image, "/IM9999.;1") // SECTOR
    data = bytearray(image.read_bytes())
    table = int.from_bytes(data[16 * SECTOR + 140 :][:4], "little")
    for at, place in ((16 * SECTOR + 140, table), (table * SECTOR + 2, root)):
        data[at : at + 4] = (place + start).to_bytes(4, "little")
    for place in (root, file):
        data = data.replace(spelled(place), spelled(place + start))
    return bytes(data)


def spelled(number: int) -> bytes:
    return number.to_bytes(4, "little") + number.to_bytes(4, "big")


def quiet(_progress: Progress) -> None:
    """Progress is not looked at here."""


def take(image: Path, into: Path, limits: Limits = LIMITS) -> ReadReport:
    """One whole read."""
    return read(image, into, limits, quiet)


def staged(into: Path) -> dict[str, StagedFile]:
    """The newest state of each file, by its path on the medium; every number once."""
    newest = {file.number: file for file in read_manifest(into)}
    by_path = {file.untrusted_path: file for file in newest.values()}
    assert len(by_path) == len(newest), "two files of this medium have one path"
    return by_path


def contents(into: Path) -> dict[str, bytes]:
    """The bytes of every file that was staged, checked against its hash."""
    held = {}
    for path, file in staged(into).items():
        if file.state in (FileState.WHOLE, FileState.HURT):
            held[path] = (into / staged_name(file.number)).read_bytes()
            assert hashlib.sha256(held[path]).hexdigest() == file.sha256
    return held


def codes(into: Path) -> list[str]:
    return [finding.code for finding in findings(into)]


def findings(into: Path) -> list[Finding]:
    return list(read_findings(into))


def open_disc(sectors: Sectors) -> Disc:
    return Disc(sectors, MediumKind.IMAGE, "disc", LIMITS)


class Scratched(Sectors):
    """A disc whose chosen sectors fail, for ever or for so many tries: the real reader over the
    one system call, since no file system in a plain CI gives EIO at a chosen place."""

    def __init__(self, image: Path, bad: dict[int, int], error: int = errno.EIO) -> None:
        super().__init__(os.open(image, os.O_RDONLY), image.stat().st_size)
        self.bad_bytes, self.error = bad, error
        self.reads: list[tuple[int, int]] = []

    def transfer(self, into: memoryview, start: int) -> int:
        self.reads.append((start, len(into)))
        for at in sorted(b for b in self.bad_bytes if start < b + SECTOR and b < start + len(into)):
            if at > start:
                return super().transfer(into[: at - start], start)  # up to the scratch, as Linux
            self.bad_bytes[at] -= 1
            if self.bad_bytes[at] <= 0:
                del self.bad_bytes[at]
            raise OSError(self.error, os.strerror(self.error))
        return super().transfer(into, start)
