"""The bytes of a data set: where its elements lie, and how one is encoded (PS3.5 7).

Values are never interpreted here. What a header's author wrote stays byte for byte, so an element
that is not changed is a slice of the original.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import mmap
from struct import Struct

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR"))
LONG |= frozenset((b"UT", b"UV"))
SHORT = frozenset((b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO"))
SHORT |= frozenset((b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"))
DEPTH = 32  # of sequences in sequences: nothing in DICOM comes near, hostile files do


class Malformed(ValueError):
    """The bytes are no well-formed data set. The text names the place, never a value."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a data set is encoded (PS3.5 10)."""

    implicit: bool
    little: bool


IMPLICIT = Encoding(implicit=True, little=True)
EXPLICIT = Encoding(implicit=False, little=True)
BIG = Encoding(implicit=False, little=False)


@dataclass(slots=True)
class Element:
    """One element of `data`: all of it is `start:end`, its value field `at:stop` (for undefined
    length without the delimiter). `vr` is b"" where the encoding does not say it."""

    tag: int
    vr: bytes
    start: int
    at: int
    stop: int
    end: int
    undefined: bool = False


_SHORT_HEAD = {True: Struct("<HH2sH"), False: Struct(">HH2sH")}
_LONG_HEAD = {True: Struct("<HHL"), False: Struct(">HHL")}
_LENGTH = {True: Struct("<L"), False: Struct(">L")}


Bytes = bytes | mmap
"""What is scanned: a header at hand, or a file mapped into memory."""


def scan(data: Bytes, encoding: Encoding, at: int = 0, stop: int = -1) -> list[Element]:
    """The elements of a data set between `at` and `stop`, each within it, in the order they lie.

    Raises Malformed unless they fill the range exactly.
    """
    end = len(data) if stop < 0 else stop
    found = []
    while at < end:
        element = _element(data, encoding, at, end, 0)
        found.append(element)
        at = element.end
    return found


def locate(data: Bytes, encoding: Encoding) -> dict[int, int]:
    """Where each element of a data set starts, by tag, in the order they lie: `scan` for when only
    a few of many are of interest. Raises Malformed, also when an attribute is there twice."""
    found: dict[int, int] = {}
    at, end, implicit = 0, len(data), encoding.implicit
    unpack = (_LONG_HEAD if implicit else _SHORT_HEAD)[encoding.little].unpack_from
    while at + 8 <= end:
        if implicit:
            group, number, length = unpack(data, at)
            simple = length != UNDEFINED
        else:
            group, number, vr, length = unpack(data, at)
            simple = vr in SHORT
        tag = group << 16 | number
        after = at + 8 + length if simple else _element(data, encoding, at, end, 0).end
        if after > end:
            raise Malformed(f"the element at {at} is longer than what holds it")
        if tag in found:
            raise Malformed("an attribute is there twice")
        found[tag] = at
        at = after
    if at != end:
        raise Malformed(f"an element is cut short at {at}")
    return found


def element_at(data: Bytes, encoding: Encoding, at: int) -> Element:
    """The element that starts at `at`."""
    return _element(data, encoding, at, len(data), 0)


def _element(data: Bytes, encoding: Encoding, at: int, end: int, depth: int) -> Element:
    if at + 8 > end:
        raise Malformed(f"an element is cut short at {at}")
    little = encoding.little
    vr, head = b"", 8
    if encoding.implicit:
        group, number, length = _LONG_HEAD[little].unpack_from(data, at)
    else:
        group, number, vr, length = _SHORT_HEAD[little].unpack_from(data, at)
        if vr in LONG:
            if at + 12 > end:
                raise Malformed(f"an element is cut short at {at}")
            (length,) = _LENGTH[little].unpack_from(data, at + 8)
            head = 12
        elif vr not in SHORT:
            raise Malformed(f"an element without a known VR at {at}")
    tag, value = group << 16 | number, at + head
    if length == UNDEFINED:
        inner = IMPLICIT if vr == b"UN" else encoding  # PS3.5 6.2.2
        after = _skip_items(data, inner, value, end, depth + 1)
        return Element(tag, vr, at, value, after - 8, after, undefined=True)
    if value + length > end:
        raise Malformed(f"the element at {at} is longer than what holds it")
    return Element(tag, vr, at, value, value + length, value + length)


def _skip_items(data: Bytes, encoding: Encoding, at: int, end: int, depth: int) -> int:
    """Where the sequence whose items start at `at` is over, its delimiter included."""
    for item in _items(data, encoding, at, end, depth):
        at = item.end
    if at + 8 > end:
        raise Malformed(f"a sequence has no end at {at}")
    return at + 8


def items(data: Bytes, encoding: Encoding, sequence: Element) -> list[Element]:
    """The items of a sequence; of each, `at:stop` is its data set. Raises Malformed."""
    inner = IMPLICIT if sequence.vr == b"UN" and sequence.undefined else encoding
    found = list(_items(data, inner, sequence.at, sequence.stop, 1))
    if (found[-1].end if found else sequence.at) != sequence.stop:
        raise Malformed(f"a sequence has something else than items at {sequence.at}")
    return found


def _items(data: Bytes, encoding: Encoding, at: int, end: int, depth: int) -> Iterator[Element]:
    if depth > DEPTH:
        raise Malformed(f"sequences are nested more than {DEPTH} deep")
    head = _LONG_HEAD[encoding.little]
    while at + 8 <= end:
        group, number, length = head.unpack_from(data, at)
        tag, value = group << 16 | number, at + 8
        if tag == SEQUENCE_END:
            return
        if tag != ITEM:
            raise Malformed(f"a sequence has something else than items at {at}")
        if length != UNDEFINED:
            if value + length > end:
                raise Malformed(f"the item at {at} is longer than its sequence")
            item = Element(ITEM, b"", at, value, value + length, value + length)
        else:
            after = _skip_item(data, encoding, value, end, depth)
            item = Element(ITEM, b"", at, value, after - 8, after, undefined=True)
        yield item
        at = item.end


def _skip_item(data: Bytes, encoding: Encoding, at: int, end: int, depth: int) -> int:
    head = _LONG_HEAD[encoding.little]
    while at + 8 <= end:
        group, number, _ = head.unpack_from(data, at)
        if group << 16 | number == ITEM_END:
            return at + 8
        at = _element(data, encoding, at, end, depth).end
    raise Malformed(f"an item has no end at {at}")


def encode(tag: int, vr: bytes, value: bytes, encoding: Encoding) -> bytes:
    """One element of defined length, padded to an even one. Raises Malformed when the value is
    longer than its VR's length field can say."""
    if len(value) % 2:
        value += b"\0" if vr in (b"UI", b"OB", b"UN") else b" "
    group, number, little = tag >> 16, tag & 0xFFFF, encoding.little
    if encoding.implicit:
        return _LONG_HEAD[little].pack(group, number, len(value)) + value
    if vr in LONG:
        length = _LENGTH[little].pack(len(value))
        return _SHORT_HEAD[little].pack(group, number, vr, 0) + length + value
    if len(value) > 0xFFFE:
        raise Malformed("a text became too long for its VR")
    return _SHORT_HEAD[little].pack(group, number, vr, len(value)) + value


def encode_item(content: bytes, encoding: Encoding) -> bytes:
    return _LONG_HEAD[encoding.little].pack(0xFFFE, 0xE000, len(content)) + content


def reencode(
    data: bytes, element: Element, value: bytes, encoding: Encoding, vr: bytes = b""
) -> bytes:
    """`element` with another value: undefined length stays undefined, the VR as it was."""
    if not element.undefined:
        return encode(element.tag, element.vr or vr, value, encoding)
    delimiter = data[element.stop : element.end]
    return data[element.start : element.at] + value + delimiter


@dataclass(frozen=True, slots=True)
class Header:
    """A data set's top-level elements in tag order, each once, lying in `data` without gaps:
    that of `tags[i]` is `data[bounds[i] : bounds[i + 1]]`."""

    data: bytes
    encoding: Encoding
    tags: list[int]
    bounds: list[int]
    looked_at: dict[int, Element] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, data: bytes, encoding: Encoding) -> Header:
        """Raises Malformed for what is no data set of an instance."""
        found = locate(data, encoding)
        tags, bounds = list(found), [*found.values(), len(data)]
        if not tags or min(tags) < 0x00080000:
            raise Malformed("this is not the data set of an image or document")
        if tags != sorted(tags):
            pieces = {t: data[bounds[i] : bounds[i + 1]] for i, t in enumerate(tags)}
            return cls.of(b"".join(pieces[t] for t in sorted(tags)), encoding)
        return cls(data, encoding, tags, bounds)

    def element(self, tag: int) -> Element | None:
        if tag in self.looked_at:
            return self.looked_at[tag]
        i = bisect_left(self.tags, tag)
        if i == len(self.tags) or self.tags[i] != tag:
            return None
        self.looked_at[tag] = element_at(self.data, self.encoding, self.bounds[i])
        return self.looked_at[tag]

    def raw(self, tag: int) -> bytes:
        """The value field, b"" when the attribute is absent."""
        element = self.element(tag)
        return self.data[element.at : element.stop] if element else b""

    def whole(self, tag: int) -> bytes:
        element = self.element(tag)
        return self.data[element.start : element.end] if element else b""

    @property
    def group_lengths(self) -> list[int]:
        """Elements that no longer say the truth once anything changed (PS3.5 7.2)."""
        return [tag for tag in self.tags if not tag & 0xFFFF]

    def part(self, tags: frozenset[int]) -> bytes:
        """Those of `tags` and the group lengths, as they lie."""
        data, bounds = self.data, self.bounds
        wanted = [i for i, tag in enumerate(self.tags) if tag in tags or not tag & 0xFFFF]
        return b"".join([data[bounds[i] : bounds[i + 1]] for i in wanted])

    def edited(self, edits: dict[int, bytes]) -> bytes:
        """The data set with the elements in `edits` replaced, inserted, or (b"") left out."""
        pieces, at = [], 0
        for tag in sorted(edits):
            i = bisect_left(self.tags, tag)
            pieces += [self.data[at : self.bounds[i]], edits[tag]]
            is_there = i < len(self.tags) and self.tags[i] == tag
            at = self.bounds[i + 1] if is_there else self.bounds[i]
        return b"".join((*pieces, self.data[at:]))
