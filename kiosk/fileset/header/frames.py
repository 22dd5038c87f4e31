"""Which frames of an instance lie in bytes that could not be read (PS3.3 C.7.6.6, PS3.5 A.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import pairwise

from kiosk.fileset.header.file import Budget, Header, native_bits
from kiosk.fileset.header.source import Source
from kiosk.model.medium import Span

_MOST_FRAMES = 100_000
_ITEM = b"\xfe\xff\x00\xe0"


def hurt_frames(
    header: Header, source: Source, missing: Iterable[Span], budget: Budget
) -> list[tuple[int, int]]:
    """The frames, from 1, that the missing byte ranges of the file touch, as the fewest (first,
    last); none where a file of several frames does not tell where they lie, and of a file of one.
    Each frame is paid for as ten elements."""
    if not 1 < header.frames <= _MOST_FRAMES or budget.elements < 10 * header.frames:
        return []
    budget.elements -= 10 * header.frames
    hit = native(header, missing) if header.is_native else encapsulated(header, source, missing)
    return _fewest(hit)


def native(header: Header, missing: Iterable[Span]) -> Iterator[tuple[int, int]]:
    """Frames of one length follow each other."""
    start = header.pixel_offset + (8 if header.encoding.implicit else 12)
    length = native_bits(header) // header.frames / 8
    for span in missing if length else ():
        first = int((max(span.start, start) - start) // length)
        last = int((span.start + span.length - 1 - start) // length)
        if last >= 0 and first < header.frames:
            yield first + 1, min(last + 1, header.frames)


def encapsulated(
    header: Header, source: Source, missing: Iterable[Span]
) -> Iterator[tuple[int, int]]:
    """Frames lie where the offset table says, else one in each fragment, as far as they can be
    followed: where an item's head is lost, all that comes behind it is."""
    places = list(_places(header, source))
    for span in missing if places else ():
        stop = span.start + span.length
        hit = [n for n, (a, b) in enumerate(places, 1) if a < stop and span.start < b]
        if hit:
            yield hit[0], hit[-1]
    if places and len(places) < header.frames:
        yield len(places) + 1, header.frames


def _places(header: Header, source: Source) -> Iterator[tuple[int, int]]:
    """Where each frame begins, and the next one."""
    at = header.pixel_offset + (8 if header.encoding.implicit else 12)
    head = source.read(at, 8)
    if head[:4] != _ITEM:
        return
    length = int.from_bytes(head[4:8], "little")
    first = at + 8 + length
    if length == 4 * header.frames:
        table = struct.unpack(
            f"<{header.frames}I", source.read(at + 8, length).ljust(length, b"\0")
        )
        if table[0] == 0 and all(a < b for a, b in pairwise(table)):
            yield from ((first + a, first + b) for a, b in pairwise((*table, 1 << 40)))
            return
    at = first
    for _ in range(header.frames):
        head = source.read(at, 8)
        if head[:4] != _ITEM:
            return
        end = at + 8 + int.from_bytes(head[4:8], "little")
        yield at, end
        at = end


def _fewest(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found
