"""Where the data elements of a DICOM stream begin and end (PS3.5 7), without decoding them.

One pass over the bytes with a stack of its own: hostile nesting costs memory that the depth limit
bounds, never the interpreter's stack, and every element is paid for from a budget.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct

from pydicom.datadict import dictionary_VR, keyword_dict

from kiosk.fileset.header.source import Source
from kiosk.fileset.header.tags import PIXEL_DATA

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
# Implicit VR does not say what is a sequence, only the dictionary does.
SEQUENCE_TAGS = frozenset(tag for tag in keyword_dict.values() if dictionary_VR(tag) == "SQ")
# What is no element: delimiters, and the zeros that fill a file up.
_NO_ELEMENTS = frozenset({ITEM, ITEM_END, SEQUENCE_END, 0})
_RARE_TAGS = SEQUENCE_TAGS | _NO_ELEMENTS

_ITEM_LITTLE = b"\xfe\xff\x00\xe0"

_NOTHING: dict[int, int] = {}
MAX_VALUE = 65_536  # nothing that cataloging needs is longer


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written: with or without VR, in which byte order."""

    implicit: bool = False
    big: bool = False


IMPLICIT_LITTLE, EXPLICIT_LITTLE = Encoding(implicit=True), Encoding()
EXPLICIT_BIG = Encoding(big=True)

_EXPLICIT = {False: Struct("<I2sH").unpack_from, True: Struct(">I2sH").unpack_from}
_IMPLICIT = {False: Struct("<II").unpack_from, True: Struct(">II").unpack_from}
_LONG = {False: Struct("<I").unpack_from, True: Struct(">I").unpack_from}


def _halves_swapped(tag: int) -> int:
    return tag >> 16 | (tag & 0xFFFF) << 16


@lru_cache(64)
def _as_read(tags: frozenset[int], big: bool) -> dict[int, int]:
    """The tags by what they look like when their four bytes are read as one number."""
    return {tag if big else _halves_swapped(tag): tag for tag in tags}


@dataclass(slots=True)
class Scan:
    """What one pass found. `values` holds the wanted elements of the outermost data set (of a
    sequence its raw items); `end` is where the pass ended, `elements` how many it passed.

    `problem` is "" or one of `truncated`, `broken`, `too-deep`, `too-complex`: what came before
    `end` holds even then. `fragments` counts those of encapsulated pixel data without the offset
    table, -1 when pixel data are native. `until` and `length` are the value of the sequence that
    the pass was to end at, -1 when it was not there. `malformed`: the inside of a sequence could
    not be followed, but the sequence's own length led past it.
    """

    values: dict[int, bytes] = field(default_factory=dict)
    pixel_start: int = -1
    pixel_length: int = 0
    fragments: int = -1
    until: int = -1
    length: int = 0
    end: int = 0
    elements: int = 0
    problem: str = ""
    malformed: bool = False


@dataclass(slots=True)
class _Frame:
    """A data set or sequence that was entered; `open` when only a delimiter ends it, `end` where
    it must have ended at the latest."""

    sequence: bool
    end: int
    open: bool
    encoding: Encoding
    tag: int = 0
    start: int = 0


class _Stop(Exception):
    """The pass cannot go on; the text is the Scan's problem."""


def scan(
    source: Source,
    start: int,
    encoding: Encoding,
    wanted: frozenset[int],
    *,
    depth: int = 32,
    elements: int = 5_000_000,
    until: int = 0,
    stop: int | None = None,
    item: bool = False,
) -> Scan:
    """One pass over the data set from `start` to `stop` (None: the end of the source).

    Pixel data are found when their tags are wanted. `until` is the tag of a sequence at which the
    pass ends, before its first item. With `item` the data set is an item of undefined length: the
    pass ends behind its delimiter.
    """
    walk = _Walk(source, start, wanted, depth, elements, until)
    walk.stack.append(_Frame(False, source.size if stop is None else stop, item, encoding))
    try:
        walk.run()
    except _Stop as stopped:
        walk.found.problem = str(stopped)
    if walk.found.problem == "broken" and _only_padding(source, walk.position, stop):
        walk.found.problem = ""
    walk.found.end = walk.position
    walk.found.elements = elements - walk.left
    return walk.found


class _Walk:
    def __init__(
        self,
        source: Source,
        start: int,
        wanted: frozenset[int],
        depth: int,
        elements: int,
        until: int,
    ) -> None:
        self.source, self.position = source, start
        self.wanted = wanted
        self.depth, self.left, self.until = depth, elements, until
        self.stack: list[_Frame] = []
        self.found = Scan()
        self.data, self.base = b"", start

    def run(self) -> None:
        while self.stack:
            frame = self.stack[-1]
            if self.position >= frame.end:
                self._ran_out(frame)
            elif frame.sequence:
                self._item(frame)
            elif frame.encoding.implicit:
                self._implicit(frame)
            else:
                self._explicit(frame)

    # The two loops below run once for every element of every header. They count from the window's
    # beginning, keep their state in locals, and put it back before they leave for what is rare.

    def _explicit(self, frame: _Frame) -> None:
        big = frame.encoding.big
        unpack, unpack_long = _EXPLICIT[big], _LONG[big]
        wanted = _as_read(self.wanted, big) if len(self.stack) == 1 else _NOTHING
        data, at, stop = self.data, self.position - self.base, frame.end - self.base
        last = len(data) - 12
        for left in range(self.left - 1, -1, -1):
            if at > last:
                data = self._load(self.base + at, left)
                at, stop, last = 0, frame.end - self.base, len(data) - 12
            tag, vr, length = unpack(data, at)
            value = at + 8
            if vr not in SHORT_VRS:
                self.position, self.left = self.base + at, left
                if vr not in LONG_VRS and not _looks_like_vr(vr):
                    return self._no_element(frame, tag if big else _halves_swapped(tag))
                if len(data) < at + 12:
                    raise _Stop("broken")
                (length,) = unpack_long(data, at + 8)
                value = at + 12
                if length == UNDEFINED or (vr == b"SQ" and length):
                    tag = tag if big else _halves_swapped(tag)
                    return self._enter(frame, tag, vr, self.base + value, length)
            if tag in wanted:
                self._keep(wanted[tag], at, value, length)
            at = value + length
            if at >= stop:
                self.position, self.left = self.base + at, left
                return None
        self.position, self.left = self.base + at, 0
        raise _Stop("too-complex")

    def _implicit(self, frame: _Frame) -> None:
        big = frame.encoding.big
        unpack, rare = _IMPLICIT[big], _as_read(_RARE_TAGS, big)
        wanted = _as_read(self.wanted, big) if len(self.stack) == 1 else _NOTHING
        data, at, stop = self.data, self.position - self.base, frame.end - self.base
        last = len(data) - 8
        for left in range(self.left - 1, -1, -1):
            if at > last:
                data = self._load(self.base + at, left)
                at, stop, last = 0, frame.end - self.base, len(data) - 8
            tag, length = unpack(data, at)
            value = at + 8
            if length == UNDEFINED or (tag in rare and (length or rare[tag] not in SEQUENCE_TAGS)):
                self.position, self.left = self.base + at, left
                tag = tag if big else _halves_swapped(tag)
                if tag in _NO_ELEMENTS:
                    return self._no_element(frame, tag)
                return self._enter(frame, tag, b"", self.base + value, length)
            if tag in wanted:
                self._keep(wanted[tag], at, value, length)
            at = value + length
            if at >= stop:
                self.position, self.left = self.base + at, left
                return None
        self.position, self.left = self.base + at, 0
        raise _Stop("too-complex")

    def _load(self, position: int, left: int) -> bytes:
        """The window at `position`. Fewer than eight bytes are no element."""
        self.position, self.left = position, left
        self.data, self.base = self.source.window(position), position
        if len(self.data) < 8:
            raise _Stop("broken" if position + 8 > self.source.size else "too-complex")
        return self.data

    def _keep(self, tag: int, at: int, value: int, length: int) -> None:
        if tag in PIXEL_DATA:
            if self.found.pixel_start < 0:
                self.found.pixel_start, self.found.pixel_length = self.base + at, length
        elif length <= MAX_VALUE:
            kept = self.data[value : value + length]
            if len(kept) < length:
                kept = self.source.read(self.base + value, length)
            self.found.values[tag] = kept

    def _enter(self, frame: _Frame, tag: int, vr: bytes, value: int, length: int) -> None:
        """Go into a sequence, or over the fragments of encapsulated data."""
        if tag == self.until and len(self.stack) == 1:
            self.found.until, self.found.length = value, length
            self.position = value
            self.stack.clear()
            return
        if length == UNDEFINED and (tag in PIXEL_DATA or vr not in (b"SQ", b"UN", b"")):
            return self._over_fragments(tag, value)
        above = sum(f.sequence for f in self.stack)
        if above >= self.depth:
            raise _Stop("too-deep")
        if length == UNDEFINED:
            inner = IMPLICIT_LITTLE if vr == b"UN" else frame.encoding  # PS3.5 6.2.2, note 2
            self.stack.append(_Frame(True, frame.end, True, inner, tag, value))
        elif value + length > frame.end:
            return self._unfollowable("truncated")
        elif self._is_shallow(tag, value, length, self.depth - above - 1):
            value += length
        else:
            self.stack.append(_Frame(True, value + length, False, frame.encoding, tag, value))
        self.position = value

    def _is_shallow(self, tag: int, value: int, length: int, levels: int) -> bool:
        """Whether a sequence need not be looked into: nobody wants it, it begins with an item, and
        has fewer item tags than it would take to nest too deeply."""
        at = value - self.base
        if at + length > len(self.data) or self.stack[-1].encoding.big or tag in self.wanted:
            return False
        begins = self.data.startswith(_ITEM_LITTLE, at)
        return begins and self.data.count(_ITEM_LITTLE, at, at + length) <= levels

    def _over_fragments(self, tag: int, value: int) -> None:
        """PS3.5 A.4: items of bytes up to a delimiter; the first is the offset table."""
        outer = len(self.stack) == 1 and tag in PIXEL_DATA and self.found.pixel_start < 0
        if outer:
            self.found.pixel_start, self.found.pixel_length = self.position, UNDEFINED
        big, end, count = self.stack[-1].encoding.big, self.stack[-1].end, -1
        self.position = value
        for left in range(self.left - 1, -1, -1):
            self.left = left
            head = self.source.read(self.position, 8)
            if len(head) < 8 or self.position + 8 > end:
                raise _Stop("truncated")
            tag, length = _IMPLICIT[big](head, 0)
            tag = tag if big else _halves_swapped(tag)
            self.position += 8
            if tag == SEQUENCE_END:
                break
            if tag != ITEM or length == UNDEFINED:
                raise _Stop("broken")
            self.position += length
            count += 1
        else:
            raise _Stop("too-complex")
        if outer:
            self.found.fragments = max(count, 0)

    def _item(self, frame: _Frame) -> None:
        """The next item of a sequence, or its delimiter."""
        self.left -= 1
        if self.left < 0:
            raise _Stop("too-complex")
        at = self.position - self.base
        if at + 8 > len(self.data):
            self._load(self.position, self.left)
            at = 0
        tag, length = _IMPLICIT[frame.encoding.big](self.data, at)
        tag = tag if frame.encoding.big else _halves_swapped(tag)
        if tag not in _NO_ELEMENTS or tag == 0:
            return self._unfollowable("broken")
        self.position += 8
        if tag == SEQUENCE_END:
            self._leave()
        elif tag == ITEM:
            end = frame.end if length == UNDEFINED else self.position + length
            if end > frame.end:
                return self._unfollowable("truncated")
            self.stack.append(_Frame(False, end, length == UNDEFINED, frame.encoding))

    def _no_element(self, frame: _Frame, tag: int) -> None:
        """What stands where an element should: the delimiter of an open item, or nonsense."""
        if tag == ITEM_END and frame.open:
            self.position += 8
            self._leave()
        else:
            self._unfollowable("broken")

    def _ran_out(self, frame: _Frame) -> None:
        """The position is at or past the latest end of the frame."""
        if frame.open:
            return self._unfollowable("truncated")
        if self.position > frame.end:
            if len(self.stack) == 1:
                raise _Stop("truncated")
            self.position, self.found.malformed = frame.end, True
        self._leave()

    def _leave(self) -> None:
        frame = self.stack.pop()
        if frame.tag in self.wanted and len(self.stack) == 1:
            length = self.position - frame.start
            if length <= MAX_VALUE:
                self.found.values[frame.tag] = self.source.read(frame.start, length)

    def _unfollowable(self, problem: str) -> None:
        """Step over the innermost sequence whose length is known; without one the pass ends."""
        while len(self.stack) > 1:
            frame = self.stack.pop()
            if frame.sequence and not frame.open:
                self.position, self.found.malformed = frame.end, True
                return
        raise _Stop(problem)


def _only_padding(source: Source, position: int, stop: int | None) -> bool:
    """Whether only zeros are left: writers fill up the last sector."""
    stop = source.size if stop is None else stop
    while position < stop:
        data = source.read(position, min(1_000_000, stop - position))
        if not data or data.strip(b"\0"):
            return False
        position += len(data)
    return True


def _looks_like_vr(vr: bytes) -> bool:
    """Two capital letters: a VR of a later edition, with a 32-bit length (PS3.5 6.2.2, note)."""
    return vr.isalpha() and vr.isupper()
