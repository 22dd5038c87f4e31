"""How long an optical drive would take for a disc, by a model: `python -m bench.optical`.

650 MB in 1,200 files, from insertion to the last staged byte: telling which disc it is, the first
look, and the reading, as the engine does them. Every read that reaches the drive is counted: what
the kernel still has in its cache does not. A seek costs 150 ms, a byte 1/3.6 us (a 24x CD); a drive
reads through gaps of up to 1 MiB. The files lie on the disc in the order in which they are listed,
in the reverse of it, and at random. Goal: 1.03 times one sequential read of the disc.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

from kiosk import fileset, media
from kiosk.cli.demonstration import discs
from kiosk.media.iso.sectors import SECTOR, Sectors
from kiosk.media.opening import open_medium
from kiosk.policy.sections import Limits

FILES, BYTES = 1200, 542_000
SEEK, RATE, THROUGH = 0.15, 3_600_000, 1 << 20


class Drive:
    """Every read that the kernel has not cached, in the order in which it comes."""

    def __init__(self) -> None:
        self.reads: list[tuple[int, int]] = []
        self._cached: set[int] = set()

    def asked(self, start: int, length: int) -> None:
        sectors = range(start // SECTOR, -(-(start + length) // SECTOR))
        new = [s for s in sectors if s not in self._cached]
        self._cached.update(new)
        if new:
            self.reads.append((new[0] * SECTOR, (new[-1] + 1 - new[0]) * SECTOR))

    def seconds(self) -> tuple[float, int]:
        """Modelled time, and how many seeks are in it."""
        head, seconds, seeks = 0, 0.0, 0
        for start, length in self.reads:
            if not head <= start <= head + THROUGH:
                seeks += 1
                head = start
            seconds += (start + length - head) / RATE
            head = start + length
        return seconds + seeks * SEEK, seeks


def main() -> int:
    files = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as name:
        for order in ("as listed", "reversed", "at random"):
            image = _image(Path(name), files, order)
            drive = _insert(image, Path(name) / "staged" / order)
            seconds, seeks = drive.seconds()
            best = image.stat().st_size / RATE
            print(
                f"{files} files {order}: {seconds:.0f} s modelled, {seconds / best:.3f} x one "
                f"sequential read (goal 1.03), {seeks} seeks"
            )
            image.unlink()
    return 0


def _insert(image: Path, into: Path) -> Drive:
    """What the engine does with a disc that goes in, its reads written down."""
    drive, real = Drive(), Sectors.transfer

    def transfer(sectors: Sectors, into: memoryview, start: int) -> int:
        done = real(sectors, into, start)
        drive.asked(start, done)
        return done

    Sectors.transfer = transfer  # type: ignore[method-assign]
    try:
        media.identify(image, Limits())
        with media.glimpse(image, Limits()) as seen:
            fileset.first_look(seen.files, seen.start, Limits(), seen.whole)
        media.read(image, into, Limits(), lambda progress: None)
    finally:
        Sectors.transfer = real  # type: ignore[method-assign]
    return drive


def _image(folder: Path, files: int, order: str) -> Path:
    """A disc whose files are listed by name, and lie in this order."""
    noise = folder / "noise"
    noise.write_bytes(bytes(128) + b"DICM" + os.urandom(BYTES - 132))
    content: dict[str, bytes | Path] = {"DICOMDIR": b"listed by name"}
    content |= {f"D{n // 100:03d}/IM{n % 100:04d}": noise for n in range(files)}
    image = discs.burn(content, folder / f"{order}.iso", "BENCH")
    source = open_medium(image, Limits())
    starts = [e.where[0][0] // SECTOR for e in source.listing.entries if e.bytes == BYTES]
    source.close()
    moved = list(starts)
    if order == "reversed":
        moved.reverse()
    if order == "at random":
        random.Random(1).shuffle(moved)
    _move(image, dict(zip(starts, moved, strict=True)))
    return image


def _move(image: Path, places: dict[int, int]) -> None:
    """Every directory record (ECMA-119 9.1) of a file leads to another one's place: all have the
    same size and content."""
    with image.open("r+b") as disc:
        structure = bytearray(disc.read(min(places) * SECTOR))
        at = 16 * SECTOR
        while at < len(structure):
            start = int.from_bytes(structure[at + 2 : at + 6], "little")
            both = start.to_bytes(4, "little") + start.to_bytes(4, "big")
            if structure[at] >= 34 and start in places and structure[at + 2 : at + 10] == both:
                new = places[start]
                structure[at + 2 : at + 10] = new.to_bytes(4, "little") + new.to_bytes(4, "big")
            record = structure[at] >= 34 and at % SECTOR + structure[at] <= SECTOR
            at += structure[at] if record else 2
        disc.seek(0)
        disc.write(structure)


if __name__ == "__main__":
    raise SystemExit(main())
