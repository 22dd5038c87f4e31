"""A header as bytes in, the new header as bytes out.

It is cut into its top-level elements and put together again: what does not change is a slice of
the original. Nothing is decoded that need not be; only a new character set, or private elements
to be dropped, take it apart in depth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from kiosk.coercion import charsets
from kiosk.coercion.elements import (
    Encoding,
    Header,
    Malformed,
    element_at,
    encode,
    encode_item,
    items,
    reencode,
    scan,
)
from kiosk.coercion.planning import change, clip, describe
from kiosk.coercion.provenance import ISSUER, PATIENT_ID, old_values, stated_id
from kiosk.coercion.recoding import (
    CHARSET,
    MAC_PARAMETERS,
    SIGNATURES,
    Recoder,
    is_private,
    private_creators,
)
from kiosk.model.delivery import Attribute, Change, Plan

OTHER_IDS, ORIGINAL = 0x00101002, 0x04000561
GUESSED = ("text outside the declared character set", "read as UTF-8 or ISO_IR 100")


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
    changes += [change(tag, *GUESSED) for tag in recoder.guessed if tag not in changed]
    changes += [change(SIGNATURES, "in a sequence", "") for _ in range(recoder.unsigned)]
    if texts.to_utf8:
        changed.append(CHARSET)
        changes.append(change(CHARSET, "\\".join(charset), charsets.UTF8))
        edits[CHARSET] = encode(CHARSET, b"CS", charsets.UTF8.encode(), encoding)
    for tag, more in _items_to_append(header, changed, recoder, texts, plan).items():
        edits[tag] = _append(header, tag, edits, more)
        if edits[tag] != header.whole(tag):
            changes.append(change(tag, "", "one item more"))
    return header.edited(edits), tuple(sorted(changes, key=lambda c: c.tag))


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
    """The new items of each sequence that gets some, by the sequence's tag."""
    found = {tag: [content] for tag, content in texts.appended.items()}
    provenance = found.pop(ORIGINAL)[0]
    kept = {*changed, *recoder.guessed}
    if kept:
        found[ORIGINAL] = [old + provenance for old in old_values(header, kept, recoder)]
    if plan.keep_stated_id and (PATIENT_ID in changed or ISSUER in changed):
        stated = stated_id(header, recoder, PATIENT_ID in changed)
        found |= {OTHER_IDS: [stated]} if stated else {}
    return {
        tag: b"".join(encode_item(content, header.encoding) for content in contents)
        for tag, contents in found.items()
    }


def _append(header: Header, tag: int, edits: dict[int, bytes], more: bytes) -> bytes:
    """The sequence `tag` with the items `more`. Items that are there stay (PS3.3 C.12.1.1.9)."""
    before = edits.get(tag, header.whole(tag))
    if not before:
        return encode(tag, b"SQ", more, header.encoding)
    element = element_at(before, header.encoding, 0)
    if element.vr not in (b"", b"SQ"):
        raise Malformed("a sequence that must be added to is not encoded as one")
    value = before[element.at : element.stop]
    if tag == OTHER_IDS and more in value:
        return before
    return reencode(before, element, value + more, header.encoding, b"SQ")
