"""Files are read in the order in which they lie: counted in seeks and modelled seconds, since a
clock on a test machine says nothing about a drive."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path

import pytest

from kiosk.media.iso import SECTOR, Sectors
from kiosk.media.reading import copy
from tests.media.images import LIMITS, burn, contents, dicom, open_disc, quiet

SEEK, RATE = 0.15, 3_600_000  # seconds; bytes a second (a 24x CD)
READ_AHEAD = 1 << 20  # what a drive reads through rather than seek


class Logged(Sectors):
    """The real reader, its reads written down."""

    def __init__(self, image: Path) -> None:
        super().__init__(os.open(image, os.O_RDONLY), image.stat().st_size)
        self.reads: list[tuple[int, int]] = []

    def transfer(self, into: memoryview, start: int) -> int:
        done = super().transfer(into, start)
        self.reads.append((start, done))
        return done


def modelled_seconds(reads: list[tuple[int, int]]) -> float:
    """Bytes at the drive's rate, and a seek for each jump back or far ahead."""
    head, seconds = 0, 0.0
    for start, length in reads:
        if not head - SECTOR <= start <= head + READ_AHEAD:
            seconds += SEEK
        seconds += max(0, start + length - max(head, start)) / RATE if start >= head else 0
        head = start + length
    return seconds


@pytest.mark.parametrize("order", ["as listed", "reversed", "shuffled"])
def test_a_disc_is_read_in_one_sweep_whatever_its_order(tmp_path: Path, order: str) -> None:
    """Modelled time of the files <= 1.03 x that of one sequential read of the image, but for the
    DICOMDIR, which is fetched first and costs two seeks."""
    names = [f"IMAGES/IM{n:04d}" for n in range(60)]
    if order == "reversed":
        names.reverse()
    if order == "shuffled":
        random.Random(1).shuffle(names)
    files = {name: dicom(n, 120_000) for n, name in enumerate(names)} | {"DICOMDIR": dicom(99)}
    sectors = Logged(burn(tmp_path / "a.iso", files))
    disc = open_disc(sectors)
    assert len(disc.listing.entries) == len(files)
    looked = len(sectors.reads)
    copy(disc, tmp_path / "s", LIMITS, quiet)
    disc.close()
    assert contents(tmp_path / "s") == files
    sweep = sectors.reads[looked:]
    jumps = sum(b[0] < a[0] for a, b in itertools.pairwise(sweep))
    assert jumps <= 1  # back from the DICOMDIR
    assert modelled_seconds(sweep) <= 1.03 * sectors.size / RATE + 2 * SEEK
