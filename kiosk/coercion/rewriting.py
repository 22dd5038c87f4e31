"""A header as bytes in, the new header as bytes out.

It is cut into its top-level elements and put together again: what does not change is a slice of
the original. Nothing is decoded that need not be; only a new character set, or private elements
to be dropped, take it apart in depth.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from pydicom.datadict import dictionary_VR

from kiosk.coercion import charsets
from kiosk.coercion.elements import (
    Element,
    Encoding,
    Malformed,
    element_at,
    encode,
    encode_item,
    items,
    locate,
    reencode,
    scan,
)
from kiosk.coercion.planning import change, clip, describe
from kiosk.coercion.recoding import (
    CHARSET,
    MAC_PARAMETERS,
    SIGNATURES,
    Recoder,
    is_private,
    private_creators,
)
from kiosk.model.delivery import Attribute, Change, Plan

PATIENT_ID, ISSUER, ACCESSION = 0x00100020, 0x00100021, 0x00080050
OTHER_IDS, ID_TYPE = 0x00101002, 0x00100022
ORIGINAL, MODIFIED = 0x04000561, 0x04000550
ALWAYS_KEPT = (ACCESSION, PATIENT_ID, ISSUER)  # in every Original Attributes item, changed or not


def rewrite(data: bytes, encoding: Encoding, plan: Plan) -> tuple[bytes, tuple[Change, ...]]:
    """The header `data` as `plan` has it, and what changed. Raises Malformed where that cannot
    be done exactly."""
    header = Header.of(data, encoding)
    charset = charsets.terms(header.raw(CHARSET))
    texts = _texts(plan, charset, encoding)
    changed = [tag for tag in texts.elements if _differs(header, tag, texts, charset)]
    changes = [_row(header, tag, texts, charset) for tag in changed]
    edits = {tag: texts.elements[tag].whole for tag in changed}
    untrue = [t for t in (SIGNATURES, MAC_PARAMETERS) if header.element(t)]
    changes += [change(tag, "present", "") for tag in untrue]
    untrue += [t for t in header.tags if not t & 0xFFFF]  # group lengths
    edits |= dict.fromkeys(untrue, b"")
    recoder = Recoder(encoding, charset, texts.to_utf8, plan.drop_private)
    if texts.to_utf8 or plan.drop_private:
        edits = _recoded(header, recoder) | edits
    if texts.to_utf8:
        changed.append(CHARSET)
        changes.append(change(CHARSET, "\\".join(charset), charsets.UTF8))
        edits[CHARSET] = encode(CHARSET, b"CS", charsets.UTF8.encode(), encoding)
    for tag, item in _items_to_append(header, changed, recoder, texts, plan).items():
        edits[tag] = _append(header, tag, edits, item)
        changes.append(change(tag, "", "one item more"))
    return header.edited(edits), tuple(sorted(changes, key=lambda c: c.tag))


@dataclass(frozen=True, slots=True)
class Header:
    """A data set's top-level elements in tag order, each once, lying in `data` without gaps:
    that of `tags[i]` is `data[bounds[i] : bounds[i + 1]]`."""

    data: bytes
    encoding: Encoding
    tags: list[int]
    bounds: list[int]

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
        i = bisect_left(self.tags, tag)
        if i == len(self.tags) or self.tags[i] != tag:
            return None
        return element_at(self.data, self.encoding, self.bounds[i])

    def raw(self, tag: int) -> bytes:
        """The value field, b"" when the attribute is absent."""
        element = self.element(tag)
        return self.data[element.at : element.stop] if element else b""

    def whole(self, tag: int) -> bytes:
        element = self.element(tag)
        return self.data[element.start : element.end] if element else b""

    def edited(self, edits: dict[int, bytes]) -> bytes:
        """The data set with the elements in `edits` replaced, inserted, or (b"") left out."""
        pieces, at = [], 0
        for tag in sorted(edits):
            i = bisect_left(self.tags, tag)
            pieces += [self.data[at : self.bounds[i]], edits[tag]]
            is_there = i < len(self.tags) and self.tags[i] == tag
            at = self.bounds[i + 1] if is_there else self.bounds[i]
        return b"".join((*pieces, self.data[at:]))


@dataclass(frozen=True, slots=True)
class _Text:
    attribute: Attribute
    value: bytes
    whole: bytes  # b"" for a sequence that is left out
    now: str  # for people


@dataclass(frozen=True, slots=True)
class _Texts:
    """What a plan writes into every header of one encoding and character set, encoded once."""

    charset: tuple[str, ...]
    to_utf8: bool  # the header's own character set cannot say it
    elements: dict[int, _Text]
    appended: dict[int, bytes]  # the content of each new item


@lru_cache(maxsize=64)
def _texts(plan: Plan, charset: tuple[str, ...], encoding: Encoding) -> _Texts:
    try:
        return _encoded(plan, charset, encoding, to_utf8=False)
    except UnicodeError:
        return _encoded(plan, (charsets.UTF8,), encoding, to_utf8=True)


def _encoded(plan: Plan, charset: tuple[str, ...], encoding: Encoding, to_utf8: bool) -> _Texts:
    elements = {}
    for a in plan.attributes:
        value = _value(a, charset, encoding)
        left_out = a.vr == "SQ" and not a.items
        whole = b"" if left_out else encode(a.tag, a.vr.encode(), value, encoding)
        elements[a.tag] = _Text(a, value, whole, describe(a))
    appended = {a.tag: _content(a.items[0], charset, encoding) for a in plan.appended}
    return _Texts(charset, to_utf8, elements, appended)


def _value(a: Attribute, charset: tuple[str, ...], encoding: Encoding) -> bytes:
    if a.vr == "SQ":
        contents = (_content(item, charset, encoding) for item in a.items)
        return b"".join(encode_item(content, encoding) for content in contents)
    if a.vr.encode() in charsets.TEXT_VRS:
        return charsets.encode(a.value, charset)
    return a.value.encode("ascii")


def _content(item: Iterable[Attribute], charset: tuple[str, ...], encoding: Encoding) -> bytes:
    return b"".join(
        encode(a.tag, a.vr.encode(), _value(a, charset, encoding), encoding) for a in item
    )


def _differs(header: Header, tag: int, texts: _Texts, charset: tuple[str, ...]) -> bool:
    """Whether the attribute's value changes. Absent and empty are the same."""
    old, new = header.raw(tag).rstrip(b" \0"), texts.elements[tag]
    if old == new.value:
        return False
    if not texts.to_utf8 or new.attribute.vr == "SQ":
        return True
    return charsets.read(old, charset, new.attribute.vr.encode())[0] != new.attribute.value


def _row(header: Header, tag: int, texts: _Texts, charset: tuple[str, ...]) -> Change:
    new, was = texts.elements[tag], ""
    element = header.element(tag)
    if element and new.attribute.vr == "SQ":
        was = f"{len(items(header.data, header.encoding, element))} items"
    elif element:
        raw = header.data[element.at : element.stop].rstrip(b" \0")
        text, _ = charsets.read(raw, charset, new.attribute.vr.encode())
        was = clip(text, 256, forbidden="")
    return change(tag, was, new.now)


def _recoded(header: Header, recoder: Recoder) -> dict[int, bytes]:
    elements = scan(header.data, header.encoding)
    creators = private_creators(header.data, elements)
    return {
        e.tag: b""
        if recoder.drop_private and is_private(e.tag)
        else recoder.element(header.data, e, creators)
        for e in elements
    }


def _items_to_append(
    header: Header, changed: list[int], recoder: Recoder, texts: _Texts, plan: Plan
) -> dict[int, bytes]:
    """The new item of each sequence that gets one, by the sequence's tag."""
    found = dict(texts.appended)
    provenance = found.pop(ORIGINAL)
    kept = {*changed, *recoder.guessed}
    if kept:
        old = encode_item(_old_values(header, kept, plan), header.encoding)
        found[ORIGINAL] = encode(MODIFIED, b"SQ", old, header.encoding) + provenance
    if plan.keep_stated_id and (PATIENT_ID in changed or ISSUER in changed):
        stated = _stated_id(header, recoder, PATIENT_ID in changed)
        if stated:
            found[OTHER_IDS] = stated
    return {tag: encode_item(content, header.encoding) for tag, content in found.items()}


def _old_values(header: Header, kept: set[int], plan: Plan) -> bytes:
    """The Modified Attributes item: the old elements as they lay, in their own character set when
    the header gets another (PS3.3 C.12.1.1.9). What was absent is there empty."""
    private = {tag & 0xFFFF0000 | tag >> 8 & 0xFF for tag in kept if is_private(tag)}
    old = Recoder(header.encoding, (), drop_private=plan.drop_private)
    parts = []
    for tag in sorted({*kept, *ALWAYS_KEPT, *private}):
        element = header.element(tag)
        if element is None:
            parts.append(encode(tag, dictionary_VR(tag).encode(), b"", header.encoding))
        elif plan.drop_private:
            parts.append(old.element(header.data, element, {}))
        else:
            parts.append(header.data[element.start : element.end])
    return b"".join(parts)


def _stated_id(header: Header, recoder: Recoder, other_number: bool) -> bytes:
    """The Patient ID that the disc states, with its issuer, as an Other Patient IDs item; b""
    when there is none, or it is the new number with nothing said about who issued it."""
    number, issuer = (header.raw(t).strip(b" \0") for t in (PATIENT_ID, ISSUER))
    if not number or not (issuer or other_number):
        return b""
    values = [(PATIENT_ID, b"LO", number), (ID_TYPE, b"CS", b"TEXT")]
    if issuer:
        values.insert(1, (ISSUER, b"LO", issuer))
    if recoder.to_utf8:
        values = [(t, vr, charsets.read(v, recoder.charset)[0].encode()) for t, vr, v in values]
    return b"".join(encode(t, vr, v, header.encoding) for t, vr, v in values)


def _append(header: Header, tag: int, edits: dict[int, bytes], item: bytes) -> bytes:
    """The sequence `tag` with one item more. Items that are there stay (PS3.3 C.12.1.1.9)."""
    before = edits.get(tag, header.whole(tag))
    if not before:
        return encode(tag, b"SQ", item, header.encoding)
    element = element_at(before, header.encoding, 0)
    if element.vr not in (b"", b"SQ"):
        raise Malformed("a sequence that must be added to is not encoded as one")
    value = before[element.at : element.stop]
    if tag == OTHER_IDS and item in value:
        return before
    return reencode(before, element, value + item, header.encoding, b"SQ")
