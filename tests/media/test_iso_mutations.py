"""Mutated disc images: whatever the bytes, a read ends, and every entry is in the manifest."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kiosk.media import MediaError
from kiosk.media.iso.records import parse_sector, rock_ridge
from kiosk.model.medium import read_manifest
from kiosk.policy.sections import Limits
from tests.media.images import burn, contents, extent, forget_iso, some_files, take

SMALL = Limits(files=100, directory_records=2000, medium_bytes=20_000_000, file_bytes=5_000_000)


@cache
def image(joliet: bool, rock_ridge: bool, udf: bool = False) -> tuple[bytes, int, int]:
    """An image, and from where to where its structure lies; with UDF, that and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.iso"
        burn(path, some_files(5, 3000), joliet=joliet, rock_ridge=rock_ridge, udf=udf)
        end = extent(path, "/DICOMDIR.;1")
        if udf:
            return forget_iso(path).read_bytes(), 32 * 2048, end
        return path.read_bytes(), 16 * 2048, end


# (Joliet, Rock Ridge, UDF alone)
NAMINGS = [(True, True, False), (True, False, False), (False, False, False), (True, True, True)]
mutations = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=24)), max_size=12
)


@given(mutations, st.sampled_from(NAMINGS), st.none() | st.integers(0, 200_000))
@example([(0.96, b"\0" * 24), (0.97, b"\xff" * 24)], NAMINGS[0], None)
@example([], NAMINGS[-1], None)
def test_a_mutated_image_loses_no_entry_and_ends(
    changes: list[tuple[float, bytes]], namings: tuple[bool, bool, bool], cut: int | None
) -> None:
    """Structure overwritten anywhere, the end cut off anywhere: the manifest has each number from
    1 to the count once, hashes hold, and only MediaError is ever raised."""
    whole, start, end = image(*namings)
    data = bytearray(whole[:cut])
    for place, change in changes:
        at = start + int(place * (end - start))
        data[at : at + len(change)] = change[: max(0, len(data) - at)]
    with tempfile.TemporaryDirectory() as folder:
        disc, into = Path(folder) / "a.iso", Path(folder) / "s"
        disc.write_bytes(data)
        try:
            report = take(disc, into, SMALL)
        except MediaError:
            return  # the whole medium was refused, with a finding
        newest = {f.number: f for f in read_manifest(into)}
        assert sorted(newest) == list(range(1, report.files + 1))


@settings(max_examples=40)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 255))
def test_one_wrong_byte_in_the_structure_hides_no_file(place: float, value: int) -> None:
    """With two trees and a path table, one byte anywhere costs nothing but at most a name."""
    whole, start, end = image(True, True)
    data = bytearray(whole)
    data[start + int(place * (end - start))] = value
    with tempfile.TemporaryDirectory() as folder:
        disc, into = Path(folder) / "a.iso", Path(folder) / "s"
        disc.write_bytes(data)
        take(disc, into)
        held = list(contents(into).values())
        assert all(body in held for body in some_files(5, 3000).values())


@given(st.binary(max_size=4096))
def test_any_bytes_parse_as_a_directory_without_harm(sector: bytes) -> None:
    """At most one record for each 34 bytes, each within the sector."""
    for strict in (False, True):
        items = list(parse_sector(sector, 1000, strict))
        assert len(items) <= 1 + len(sector) // 2


@given(st.binary(max_size=512), st.integers(0, 255), st.binary(max_size=512))
def test_any_bytes_parse_as_system_use_and_continuations_end(
    area: bytes, skip: int, continuation: bytes
) -> None:
    """A continuation that points to itself is followed a bounded number of times."""
    reads: list[int] = []

    def read(block: int, _offset: int, _length: int) -> bytes:
        reads.append(block)
        return continuation

    rock_ridge(area, skip, read)
    assert len(reads) <= 8
