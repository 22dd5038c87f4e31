"""Nothing on a medium makes the catalog raise, hang or lose count of a file."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.fileset.directory import walk
from kiosk.fileset.header.elements import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    scan,
)
from kiosk.fileset.header.file import Budget, read_header
from kiosk.fileset.header.source import MemorySource
from kiosk.fileset.header.stated import Statements
from kiosk.fileset.header.tags import OF_INSTANCE
from kiosk.model.medium import FileState
from tests.fileset.dicomdirs import dicomdir, image_record, one_series
from tests.fileset.staged import catalog, charset_sample, image, part10, sample
from tests.fileset.test_frames import compressed, native

DIRECTORY = dicomdir(one_series(*(image_record(f"IM\\IM{n}", f"1.2.{n}") for n in range(6))))
SEEDS: list[Callable[[], bytes]] = [
    lambda: part10(image()),
    lambda: sample("MR_small.dcm")[:4000],
    lambda: sample("JPEG2000.dcm")[:6000],
    lambda: sample("rtplan.dcm"),
    lambda: sample("ExplVR_BigEnd.dcm")[:3000],
    lambda: sample("image_dfl.dcm"),
    lambda: sample("nested_priv_SQ.dcm"),
    lambda: charset_sample("chrH32.dcm"),
    lambda: compressed(table=True)[0],
    lambda: native()[0],
    lambda: DIRECTORY,
]


def mutated(data: bytes, seed: int, blows: int) -> bytes:
    """Bytes overwritten, spans copied, removed, zeroed, and the end cut off."""
    chance = random.Random(seed)
    out = bytearray(data)
    for _ in range(blows):
        at, length = chance.randrange(len(out) or 1), chance.choice((1, 2, 4, 8, 60, 400))
        match chance.randrange(6):
            case 0:
                out[at : at + length] = chance.randbytes(length)
            case 1:
                out[at : at + length] = bytes(length)
            case 2:
                out[at : at + length] = b""
            case 3:
                out[at:at] = out[chance.randrange(len(out) or 1) :][:length]
            case 4:
                out[at : at + 4] = chance.choice(
                    (b"\xff" * 4, b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0")
                )
            case _:
                del out[max(len(out) - length, 140) :]
    return bytes(out)


@settings(max_examples=150)
@given(st.integers(0, len(SEEDS) - 1), st.integers(0, 2**32), st.integers(1, 12))
def test_any_mutation_of_a_file_is_one_file_in_one_bucket(
    which: int, seed: int, blows: int
) -> None:
    """Headers, text decoding, directory and ledger together; `catalog` checks the balance."""
    data = mutated(SEEDS[which](), seed, blows)
    with TemporaryDirectory() as folder:
        found = catalog(
            Path(folder),
            {
                "DICOMDIR": mutated(DIRECTORY, seed, blows),
                "IM/IM1": data,
                "IM/IM2": data[:999],
                "IM/IM3": data,
            },
            {"IM/IM3": FileState.HURT},
        )
    assert found.ledger.files == 4


@settings(max_examples=200)
@given(
    st.binary(max_size=2000),
    st.sampled_from([EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG]),
    st.integers(0, 40),
)
def test_any_bytes_are_scanned_to_an_end(data: bytes, encoding: Encoding, start: int) -> None:
    """With an honest account of how many elements were passed."""
    found = scan(MemorySource(data), start, encoding, OF_INSTANCE, elements=1000)
    assert 0 <= found.elements <= 1000
    assert found.problem in ("", "truncated", "broken", "too-deep", "too-complex")
    assert all(len(value) <= len(data) for value in found.values.values())


@settings(max_examples=100)
@given(st.binary(max_size=600))
def test_any_bytes_behind_a_preamble_are_a_header_or_none(data: bytes) -> None:
    source = MemorySource(bytes(128) + b"DICM" + data)
    found = read_header(source, Budget())
    assert found is not None
    Statements().of(found)
    assert 0 <= found.dataset_offset <= source.size
    assert 0 <= found.pixel_offset <= source.size


@settings(max_examples=100)
@given(st.integers(0, 2**32), st.integers(1, 20))
def test_any_mutation_of_a_directory_is_walked_within_its_records(seed: int, blows: int) -> None:
    source = MemorySource(mutated(DIRECTORY, seed, blows))
    header = read_header(source, Budget())
    if header is not None:
        found = walk(source, header, "DICOMDIR", 100, Budget())
        assert len(found.claims) <= found.records <= 100


@pytest.mark.corpus
def test_mutations_of_every_kind_of_real_file_are_survived(corpus: Path) -> None:
    """A few blows to each single file of the corpus, by seed."""
    for seed, path in enumerate(sorted((corpus / "media" / "singles").rglob("*.dcm"))):
        data = path.read_bytes()[:60_000]
        found = read_header(MemorySource(mutated(data, seed, 6)), Budget())
        if found is not None:
            Statements().of(found)
