"""A damaged file of several frames tells which of them are hurt, and is never counted as whole."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from kiosk.fileset import read
from kiosk.model.content import Catalog, InstanceStatus
from kiosk.model.medium import MANIFEST, FileState, Span, StagedFile, read_manifest
from kiosk.model.plain import to_plain
from kiosk.policy.sections import Limits
from tests.fileset.staged import element, image, part10, stage

FRAME, FRAMES = 32, 10  # 4 by 4 pixels of 16 bits
JPEG_LS = "1.2.840.10008.1.2.4.80"

COPY = "Clean the disc and read it again, or ask the sender for a copy."


def native() -> tuple[bytes, int]:
    """A file of ten frames, and where the first one starts."""
    number = element(0x00280008, b"IS", b"10")
    data = part10(image(extra=number, pixels=bytes(range(1, FRAME + 1)) * FRAMES))
    return data, len(data) - FRAME * FRAMES


def compressed(table: bool) -> tuple[bytes, int]:
    """The same in fragments of 32 bytes, with the offsets of its frames or without."""
    number = element(0x00280008, b"IS", b"10")
    offsets = b"".join(struct.pack("<I", n * (8 + FRAME)) for n in range(FRAMES)) if table else b""
    items = [offsets, *([b"x" * FRAME] * FRAMES)]
    body = b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(i)) + i for i in items)
    head = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"
    data = part10(image(extra=number, pixels=b"") + head + body, JPEG_LS)
    return data + b"\xfe\xff\xdd\xe0\0\0\0\0", len(data) - FRAMES * (8 + FRAME)


def cataloged(folder: Path, data: bytes, *missing: Span) -> Catalog:
    """What is told of a file whose missing ranges are zeros."""
    body = bytearray(data)
    for span in missing:
        body[span.start : span.start + span.length] = bytes(span.length)
    stage(folder, {"IM1": bytes(body)})
    (file,) = read_manifest(folder)
    hurt = StagedFile(file.number, "IM1", file.bytes, file.sha256, FileState.HURT, missing)
    line = hurt if missing else file
    (folder / MANIFEST).write_text(json_line(line))
    found = read(folder, Limits())
    assert found.ledger.balances
    assert [i.status for p in found.patients for i in p.instances] == [InstanceStatus.DAMAGED]
    return found


def json_line(file: StagedFile) -> str:
    return json.dumps(to_plain(file)) + "\n"


def said(found: Catalog) -> list[str]:
    return [f.detail for f in found.findings if f.code == "damaged-frames"]


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [(2, 2, "3"), (2, 4, "3-5"), (0, 9, "1-10"), (9, 9, "10")],
)
@pytest.mark.parametrize("made", ["native", "table", "fragments"])
def test_the_frames_in_the_missing_bytes_are_named(
    first: int, last: int, words: str, made: str, tmp_path: Path
) -> None:
    """A few bytes from the middle of the first to the middle of the last."""
    step = FRAME if made == "native" else 8 + FRAME
    data, start = native() if made == "native" else compressed(made == "table")
    begin = start + first * step + 12
    span = Span(begin, max(4, (last - first) * step + 4))
    if made == "fragments" and last > first:
        words = f"{first + 1}-10"  # the head of the next fragment is lost, and so is the way on
    assert said(cataloged(tmp_path, data, span)) == [
        f"Frames {words} of 10 are damaged or missing. {COPY}"
    ]


def test_several_scratches_are_several_ranges(tmp_path: Path) -> None:
    data, start = native()
    spans = [Span(start + n * FRAME, 2) for n in (0, 1, 4, 8)]
    found = cataloged(tmp_path, data, *spans)
    assert said(found) == [f"Frames 1-2, 5, 9 of 10 are damaged or missing. {COPY}"]


@pytest.mark.parametrize("made", [native(), compressed(True), compressed(False)])
def test_what_is_cut_off_is_missing(made: tuple[bytes, int], tmp_path: Path) -> None:
    """A file that ends in its fourth frame, on a medium that reads well."""
    data, start = made
    step = (len(data) - start) // FRAMES
    (detail,) = said(cataloged(tmp_path, data[: start + 3 * step + 10]))
    assert detail == f"Frames 4-10 of 10 are damaged or missing. {COPY}"


def test_damage_in_the_header_names_no_frame(tmp_path: Path) -> None:
    data, _ = native()
    assert said(cataloged(tmp_path, data, Span(0, 100))) == []
