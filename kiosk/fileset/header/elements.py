"""Where the data elements of a DICOM stream begin and end (PS3.5 7), without decoding them.

One pass over the bytes with a stack of its own: hostile nesting costs memory that the depth limit
bounds, never the interpreter's stack, and every element is paid for from a budget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Literal

from pydicom.datadict import dictionary_VR, keyword_dict

from kiosk.fileset.header.source import Source

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xE000, 0xE00D, 0xE0DD  # elements of group FFFE
# Float, Double Float and (integer) Pixel Data: one of them at most is there (PS3.3 C.7.6.24).
PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})

LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
# Implicit VR does not say what is a sequence, only the dictionary does.
SEQUENCE_TAGS = frozenset(tag for tag in keyword_dict.values() if dictionary_VR(tag) == "SQ")

_NOTHING: frozenset[int] = frozenset()
WINDOW = 16_384
MAX_VALUE = 65_536  # nothing that cataloging needs is longer


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written: with or without VR, in which byte order."""

    implicit: bool = False
    big: bool = False


IMPLICIT_LITTLE, EXPLICIT_LITTLE = Encoding(implicit=True), Encoding()
EXPLICIT_BIG = Encoding(big=True)

_EXPLICIT = {False: Struct("<HH2sH").unpack_from, True: Struct(">HH2sH").unpack_from}
_IMPLICIT = {False: Struct("<HHI").unpack_from, True: Struct(">HHI").unpack_from}
_LONG = {False: Struct("<I").unpack_from, True: Struct(">I").unpack_from}


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
    wanted: Collection[int],
    *,
    depth: int = 32,
    elements: int = 5_000_000,
    until: int = 0,
    stop: int | None = None,
    item: bool = False,
) -> Scan:
    """One pass over the data set from `start` to `stop` (None: the end of the source).

    `until` is the tag of a sequence at which the pass ends, before its first item. With `item`
    the data set is an item of undefined length: the pass ends behind its delimiter.
    """
    walk = _Walk(source, start, wanted, depth, elements, until)
    walk.stack.append(_Frame(False, source.size if stop is None else stop, item, encoding))
    try:
        walk.run()
    except _Stop as stopped:
        walk.found.problem = str(stopped)
    walk.found.end = walk.position
    walk.found.elements = elements - walk.left
    return walk.found


class _Walk:
    def __init__(
        self,
        source: Source,
        start: int,
        wanted: Collection[int],
        depth: int,
        elements: int,
        until: int,
    ) -> None:
        self.source, self.position = source, start
        self.wanted = frozenset(wanted) | PIXEL_DATA
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

    # The two loops below run once for every element of every header: they keep their state in
    # locals, and put it back before they leave for what is rare.

    def _explicit(self, frame: _Frame) -> None:
        unpack, unpack_long = _EXPLICIT[frame.encoding.big], _LONG[frame.encoding.big]
        wanted = self.wanted if len(self.stack) == 1 else _NOTHING
        data, base, position, end = self.data, self.base, self.position, frame.end
        last = len(data) - 12
        for left in range(self.left - 1, -1, -1):
            at = position - base
            if at > last:
                self.left = left
                data, base = self._load(position)
                at, last = 0, len(data) - 12
            group, element, vr, length = unpack(data, at)
            value = position + 8
            if vr not in SHORT_VRS:
                self.position, self.left = position, left
                if vr not in LONG_VRS and (group == 0xFFFE or not _looks_like_vr(vr)):
                    return self._no_element(frame, group, element)
                if len(data) < at + 12:
                    raise _Stop("truncated")
                (length,) = unpack_long(data, at + 8)
                value = position + 12
                if length == UNDEFINED or (vr == b"SQ" and length):
                    return self._enter(frame, group << 16 | element, vr, value, length)
            if (tag := group << 16 | element) in wanted:
                self._keep(tag, position, value, length)
            position = value + length
            if position >= end:
                self.position, self.left = position, left
                return None
        raise _Stop("too-complex")

    def _implicit(self, frame: _Frame) -> None:
        unpack = _IMPLICIT[frame.encoding.big]
        wanted = self.wanted if len(self.stack) == 1 else _NOTHING
        data, base, position, end = self.data, self.base, self.position, frame.end
        last = len(data) - 8
        for left in range(self.left - 1, -1, -1):
            at = position - base
            if at > last:
                self.left = left
                data, base = self._load(position)
                at, last = 0, len(data) - 8
            group, element, length = unpack(data, at)
            tag, value = group << 16 | element, position + 8
            if group == 0xFFFE or length == UNDEFINED or (length and tag in SEQUENCE_TAGS):
                self.position, self.left = position, left
                if group == 0xFFFE:
                    return self._no_element(frame, group, element)
                return self._enter(frame, tag, b"", value, length)
            if tag in wanted:
                self._keep(tag, position, value, length)
            position = value + length
            if position >= end:
                self.position, self.left = position, left
                return None
        raise _Stop("too-complex")

    def _load(self, position: int) -> tuple[bytes, int]:
        """A new window. Fewer than eight bytes are no element."""
        self.data, self.base = self.source.read(position, WINDOW), position
        if len(self.data) < 8:
            self.position = position
            raise _Stop("truncated" if position + 8 > self.source.size else "too-complex")
        return self.data, position

    def _keep(self, tag: int, position: int, value: int, length: int) -> None:
        if tag in PIXEL_DATA:
            if self.found.pixel_start < 0:
                self.found.pixel_start, self.found.pixel_length = position, length
        elif length <= MAX_VALUE:
            at = value - self.base
            kept = self.data[at : at + length]
            self.found.values[tag] = (
                kept if len(kept) == length else self.source.read(value, length)
            )

    def _enter(self, frame: _Frame, tag: int, vr: bytes, value: int, length: int) -> None:
        """Go into a sequence, or over the fragments of encapsulated data."""
        if tag == self.until and len(self.stack) == 1:
            self.found.until, self.found.length = value, length
            self.position = value
            self.stack.clear()
            return
        if length == UNDEFINED and (tag in PIXEL_DATA or vr not in (b"SQ", b"UN", b"")):
            return self._over_fragments(tag, value)
        if sum(f.sequence for f in self.stack) >= self.depth:
            raise _Stop("too-deep")
        if length == UNDEFINED:
            inner = IMPLICIT_LITTLE if vr == b"UN" else frame.encoding  # PS3.5 6.2.2, note 2
            self.stack.append(_Frame(True, frame.end, True, inner, tag, value))
        else:
            end = value + length
            if end > frame.end:
                return self._unfollowable("truncated")
            self.stack.append(_Frame(True, end, False, frame.encoding, tag, value))
        self.position = value

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
            group, element, length = _IMPLICIT[big](head, 0)
            self.position += 8
            if group == 0xFFFE and element == SEQUENCE_END:
                break
            if group != 0xFFFE or element != ITEM or length == UNDEFINED:
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
            self._load(self.position)
            at = 0
        group, element, length = _IMPLICIT[frame.encoding.big](self.data, at)
        if group != 0xFFFE or element not in (ITEM, SEQUENCE_END, ITEM_END):
            return self._unfollowable("broken")
        self.position += 8
        if element == SEQUENCE_END:
            self._leave()
        elif element == ITEM:
            end = frame.end if length == UNDEFINED else self.position + length
            if end > frame.end:
                return self._unfollowable("truncated")
            self.stack.append(_Frame(False, end, length == UNDEFINED, frame.encoding))

    def _no_element(self, frame: _Frame, group: int, element: int) -> None:
        """What stands where an element should: the delimiter of an open item, or nonsense."""
        if group == 0xFFFE and element == ITEM_END and frame.open:
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


def _looks_like_vr(vr: bytes) -> bool:
    """Two capital letters: a VR of a later edition, with a 32-bit length (PS3.5 6.2.2, note)."""
    return vr.isalpha() and vr.isupper()


def items(
    source: Source, start: int, stop: int, encoding: Encoding, wanted: Collection[int], most: int
) -> Iterator[tuple[int, Scan]]:
    """The items of the sequence whose first item is at `start`, each with its own offset; at most
    `most`. Where no item stands, a Scan with the problem `broken` is given and the search goes on
    at the next item tag."""
    order: Literal["big", "little"] = "big" if encoding.big else "little"
    position = start
    tag = (0xFFFE).to_bytes(2, order) + ITEM.to_bytes(2, order)
    closing = tag[:2] + SEQUENCE_END.to_bytes(2, order)
    for _ in range(most):
        head = source.read(position, 8) if position + 8 <= stop else b""
        if not head or head[:4] == closing:
            return
        if head[:4] != tag:
            yield position, Scan(problem="broken")
            position = _next_item(source, position + 1, stop, tag)
            continue
        length = int.from_bytes(head[4:], order)
        end = stop if length == UNDEFINED else position + 8 + length
        found = scan(
            source,
            position + 8,
            encoding,
            wanted,
            stop=min(end, stop),
            item=length == UNDEFINED,
            elements=10_000,
        )
        if end > stop:
            found.problem = "truncated"
        yield position, found
        if length != UNDEFINED:
            position = end
        elif found.problem:
            position = _next_item(source, position + 8, stop, tag)
        else:
            position = found.end


def _next_item(source: Source, position: int, stop: int, tag: bytes) -> int:
    """Where the bytes of an item tag stand next, `stop` when nowhere."""
    while position < stop:
        data = source.read(position, 1_000_000)
        at = data.find(tag)
        if at >= 0:
            return min(position + at, stop)
        if len(data) < 1_000_000:
            break
        position += len(data) - 3
    return stop
