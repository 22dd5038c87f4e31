"""What follows the header in the file: the pixel data and whatever comes after them.

It is forwarded as it lies. Only its end may be left off: a digital signature that no longer
holds, private elements that the policy drops.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from kiosk.coercion.elements import (
    ITEM,
    LONG,
    SEQUENCE_END,
    SHORT,
    UNDEFINED,
    Encoding,
    Malformed,
)
from kiosk.coercion.planning import change
from kiosk.coercion.recoding import SIGNATURES, is_private
from kiosk.model.delivery import Change

PADDING = 0xFFFCFFFC


@dataclass(frozen=True, slots=True)
class Tail:
    """The range of the file that goes on after the new header."""

    offset: int
    length: int
    changes: tuple[Change, ...] = ()


def find_tail(fd: int, start: int, size: int, encoding: Encoding, drop_private: bool) -> Tail:
    """The tail from the pixel data at `start` to the file's end, found by reading element heads
    only. Raises Malformed when something to be left off is followed by something to be kept."""
    cut, changes = size, []
    for tag, at in _heads(fd, start, size, encoding):
        if tag == SIGNATURES or (drop_private and is_private(tag)):
            changes.append(change(tag, "present", ""))
            cut = min(cut, at)
        elif cut < size and tag != PADDING:
            raise Malformed("elements to be removed lie between others after the pixel data")
    return Tail(start, cut - start, tuple(changes))


_HEADS = {True: Struct("<HH2sH"), False: Struct(">HH2sH")}
_PLAIN = {True: Struct("<HHL"), False: Struct(">HHL")}
_LENGTH = {True: Struct("<L"), False: Struct(">L")}


def _heads(fd: int, at: int, size: int, encoding: Encoding) -> Iterator[tuple[int, int]]:
    """Tag and offset of each element from `at` on, until the bytes stop making sense: padding
    that some writers leave at the end is no element."""
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
        yield group << 16 | number, at
        at = at + skip + length if length != UNDEFINED else _skip(fd, at + skip, size, encoding)


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
