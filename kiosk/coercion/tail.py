"""What follows the header in the file: the pixel data and whatever comes after them.

It is forwarded as it lies. Only its end may be left off: a digital signature that no longer
holds, private elements that the policy drops.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from kiosk.coercion.encoding.elements import (
    ITEM,
    LONG,
    SEQUENCE_END,
    SHORT,
    UNDEFINED,
    Encoding,
    Malformed,
)
from kiosk.coercion.recoding import SIGNATURES, Privates, is_private
from kiosk.coercion.wording import change
from kiosk.model.delivery import Change

PADDING = 0xFFFCFFFC
PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


@dataclass(frozen=True, slots=True)
class Tail:
    """The range of the file that goes on after the new header, and in it the pixel data's value:
    of compressed data the items without what ends them."""

    offset: int
    length: int
    changes: tuple[Change, ...] = ()
    pixels_at: int = 0
    pixels_length: int = 0


def find_tail(fd: int, start: int, size: int, encoding: Encoding, privates: Privates) -> Tail:
    """The tail from the pixel data at `start` to the end of the last whole element: what lies
    behind that is of no data set. Found by reading element heads only. Raises Malformed when
    something to be left off is followed by something to be kept."""
    cut, whole, changes = size, start, []
    creators: dict[int, str] = {}
    pixels_at, pixels_length = start, 0
    for tag, at, value, end, behind in _heads(fd, start, size, encoding):
        if behind > size and tag not in PIXELS:
            break
        whole = min(behind, size)
        if tag in PIXELS:
            pixels_at, pixels_length = value, max(0, min(end, size) - value)
        if is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF:
            text = os.pread(fd, min(64, end - value), value).decode("latin-1").strip(" \0")
            creators[(tag >> 16) << 8 | tag & 0xFF] = text
        if tag == SIGNATURES or privates.drops(tag, creators):
            changes.append(change(tag, "present", ""))
            cut = min(cut, at)
        elif cut < size and tag != PADDING:
            raise Malformed("elements to be removed lie between others after the pixel data")
    cut = min(cut, whole)
    return Tail(start, cut - start, tuple(changes), pixels_at, pixels_length)


_HEADS = {True: Struct("<HH2sH"), False: Struct(">HH2sH")}
_PLAIN = {True: Struct("<HHL"), False: Struct(">HHL")}
_LENGTH = {True: Struct("<L"), False: Struct(">L")}


Head = tuple[int, int, int, int, int]


def _heads(fd: int, at: int, size: int, encoding: Encoding) -> Iterator[Head]:
    """Of each element from `at` on: tag, where it starts, where its value starts and ends, and
    where the next one starts. Until the bytes stop making sense: padding that some writers leave
    at the end is no element."""
    while at + 8 <= size:
        head = os.pread(fd, 12, at)
        group, number, vr, length = _HEADS[encoding.little].unpack_from(head)
        skip = 8
        if encoding.implicit:
            length = _PLAIN[encoding.little].unpack_from(head)[2]
        elif vr in LONG and len(head) == 12:
            length, skip = _LENGTH[encoding.little].unpack_from(head, 8)[0], 12
        elif vr not in SHORT:
            return
        if group < 0x7FE0:
            return
        value, delimiter = at + skip, 0
        end = value + length
        if length == UNDEFINED:
            after = _skip(fd, value, size, encoding)
            delimiter = 8 if after < size or _ends(fd, after, encoding) else 0
            end = after - delimiter
        yield group << 16 | number, at, value, end, end + delimiter
        at = end + delimiter


def _ends(fd: int, after: int, encoding: Encoding) -> bool:
    """Whether a sequence delimiter lies right before `after`."""
    group, number, _ = _PLAIN[encoding.little].unpack(os.pread(fd, 8, after - 8))
    return bool(group << 16 | number == SEQUENCE_END)


def _skip(fd: int, at: int, size: int, encoding: Encoding) -> int:
    """Where encapsulated pixel data are over (PS3.5 A.4); the file's end if they never are."""
    head = _PLAIN[encoding.little]
    while at + 8 <= size:
        group, number, length = head.unpack(os.pread(fd, 8, at))
        tag = group << 16 | number
        if tag == SEQUENCE_END:
            return at + 8
        if tag != ITEM or length == UNDEFINED:
            return size
        at += 8 + length
    return size
