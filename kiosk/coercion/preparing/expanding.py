"""Deflated and big endian data sets written anew in Explicit VR Little Endian, in bounded memory.

Both are lossless: what is deflated is inflated, and of a big endian data set each number's bytes
are turned round (PS3.5 7.3); its layout stays, byte for byte. The pixel data are turned back and
compared before the new file counts.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from kiosk.coercion.applying import DEFLATED, EXPLICIT_LE
from kiosk.coercion.encoding.elements import (
    BIG,
    EXPLICIT,
    ITEM,
    ITEM_END,
    LONG,
    SEQUENCE_END,
    UNDEFINED,
    Element,
    Encoding,
    Malformed,
    element_at,
    items,
)
from kiosk.coercion.tail import PIXELS
from kiosk.model.content import Instance
from kiosk.model.medium import MADE, staged_name

CHUNK = 1 << 20
_WIDE = {b"US": 2, b"SS": 2, b"OW": 2, b"AT": 2, b"UL": 4, b"SL": 4, b"FL": 4, b"OF": 4}
_WIDE |= {b"OL": 4, b"FD": 8, b"OD": 8, b"OV": 8, b"SV": 8, b"UV": 8}
_CODES = {2: "H", 4: "I", 8: "Q"}


def expanded(folder: Path, instance: Instance, most: int) -> Instance:
    """`instance` as the file that is made of it has it; the same one however often this runs.
    Raises Malformed when it cannot be done exactly, or when it would become larger than `most`."""
    number = MADE + instance.file
    source, made = folder / staged_name(instance.file), folder / staged_name(number)
    part = made.with_suffix(".part")
    with source.open("rb") as original, part.open("wb") as out:
        if instance.transfer_syntax_uid == DEFLATED:
            _inflate(original, instance.dataset_offset, out, most)
        else:
            _turn_round(original, instance, out)
        out.flush()
        os.fsync(out.fileno())
    pixel_offset = _pixel_offset(part)
    if instance.transfer_syntax_uid != DEFLATED:
        _compare_pixels(source, instance.pixel_offset, part, pixel_offset)
    part.replace(made)
    return _placed(instance, number, pixel_offset)


def _placed(instance: Instance, number: int, pixel_offset: int) -> Instance:
    return replace(
        instance,
        file=number,
        transfer_syntax_uid=EXPLICIT_LE,
        dataset_offset=0,
        pixel_offset=pixel_offset,
    )


def _inflate(original: BinaryIO, start: int, out: BinaryIO, most: int) -> None:
    original.seek(start)
    unpack, total, packed = zlib.decompressobj(-zlib.MAX_WBITS), 0, b""
    while not unpack.eof:
        packed = packed or original.read(CHUNK)
        try:
            piece = unpack.decompress(packed, CHUNK)
        except zlib.error:
            raise Malformed("the deflated data set cannot be inflated") from None
        if not packed and not piece:
            raise Malformed("the deflated data set is cut short")
        packed = unpack.unconsumed_tail
        total += len(piece)
        if total > most:
            raise Malformed(f"the deflated data set inflates past {most} bytes")
        out.write(piece)


def _turn_round(original: BinaryIO, instance: Instance, out: BinaryIO) -> None:
    if original.seek(0, 2) <= instance.dataset_offset:
        raise Malformed("the file is shorter than when it was cataloged")
    with mmap.mmap(original.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at, size = instance.dataset_offset, len(data)
        while at + 8 <= size:
            element = element_at(data, BIG, at)
            for piece in _turned(data, element):
                out.write(piece)
            at = element.end
        if at != size:
            raise Malformed(f"an element is cut short at {at}")


def _turned(data: mmap.mmap, element: Element) -> Iterator[bytes]:
    """An element's bytes in little endian: as many as it had."""
    yield _head(element)
    if element.vr == b"SQ" or (element.undefined and element.vr not in (b"OB", b"OW", b"UN")):
        for item in items(data, BIG, element):
            yield from _turned_item(data, item)
    elif element.vr == b"UN":  # no byte order (PS3.5 6.2), inside always little (6.2.2)
        yield from _values(data, element.at, element.end, 1)
        return
    elif element.undefined:
        raise Malformed("a big endian data set has compressed pixel data")
    else:
        yield from _values(data, element.at, element.stop, _WIDE.get(element.vr, 1))
    if element.undefined:
        yield _word(SEQUENCE_END) + bytes(4)


def _turned_item(data: mmap.mmap, item: Element) -> Iterator[bytes]:
    length = UNDEFINED if item.undefined else item.stop - item.at
    yield _word(ITEM) + length.to_bytes(4, "little")
    at = item.at
    while at < item.stop:
        element = element_at(data, BIG, at)
        yield from _turned(data, element)
        at = element.end
    if item.undefined:
        yield _word(ITEM_END) + bytes(4)


def _word(tag: int) -> bytes:
    return (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")


def _head(element: Element) -> bytes:
    length = UNDEFINED if element.undefined else element.stop - element.at
    if element.vr in LONG:
        return _word(element.tag) + element.vr + bytes(2) + length.to_bytes(4, "little")
    return _word(element.tag) + element.vr + length.to_bytes(2, "little")


def _values(data: mmap.mmap, at: int, stop: int, width: int) -> Iterator[bytes]:
    for start in range(at, stop, CHUNK):
        piece = data[start : min(stop, start + CHUNK)]
        yield _swapped(piece, width)


def _swapped(piece: bytes, width: int) -> bytes:
    if width == 1:
        return piece
    whole = len(piece) - len(piece) % width
    numbers = array(_CODES[width], piece[:whole])
    numbers.byteswap()
    return numbers.tobytes() + piece[whole:]


def _pixel_offset(path: Path) -> int:
    """Where the pixel data start in a data set in Explicit VR Little Endian; its length where
    there are none."""
    with path.open("rb") as f:
        size = f.seek(0, 2)
        if size == 0:
            raise Malformed("the data set is empty")
        with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at = 0
            while at + 8 <= size:
                tag = int.from_bytes(data[at : at + 2], "little") << 16
                tag |= int.from_bytes(data[at + 2 : at + 4], "little")
                if tag in PIXELS:
                    return at
                at = element_at(data, EXPLICIT, at).end
            return size


def _compare_pixels(source: Path, start: int, made: Path, made_start: int) -> None:
    with source.open("rb") as before, made.open("rb") as after:
        if _digest(before, start, BIG) != _digest(after, made_start, EXPLICIT, turn=True):
            raise Malformed("the pixel data did not survive being written in little endian")


def _digest(f: BinaryIO, start: int, encoding: Encoding, *, turn: bool = False) -> str:
    size = f.seek(0, 2)
    if start >= size:
        return ""
    digest = hashlib.sha256()
    with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
        element = element_at(data, encoding, start)
        width = _WIDE.get(element.vr, 1) if turn else 1
        for piece in _values(data, element.at, element.stop, width):
            digest.update(piece)
    return digest.hexdigest()
