"""What a header said before, kept inside it: old values, and the number its sender used."""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.coercion.encoding import charsets
from kiosk.coercion.encoding.elements import (
    Element,
    Encoding,
    Header,
    Malformed,
    encode,
    encode_item,
)
from kiosk.coercion.encoding.mending import LEGAL, UNITS, is_legal, mended_text
from kiosk.coercion.recoding import Mend, Recoder, is_private, known_vr, public_vr

PATIENT_ID, ISSUER, ACCESSION = 0x00100020, 0x00100021, 0x00080050
ALWAYS_KEPT = (ACCESSION, PATIENT_ID, ISSUER)  # in every Original Attributes item, changed or not
MODIFIED, NONCONFORMING, NONCONFORMING_VALUE = 0x04000550, 0x04000551, 0x04000552
SELECTOR, SELECTOR_VALUE_NUMBER = 0x00720026, 0x00720028
ID_TYPE = 0x00100022


def old_values(
    header: Header, kept: set[int], recoder: Recoder, *, mends: bool = False
) -> list[bytes]:
    """The old values for new Original Attributes items (PS3.3 C.12.1.1.9), the last with all of
    them: the elements as they lay, in their own character set when the header gets another. What
    was absent is there empty. So is what breaks its VR's rules: its bytes are in a nonconforming
    sequence, one for each item (dciodvfy allows it one item only). With `mends` a sequence has
    only what was mended in it, each in the item that it was in."""
    blocks = {t & 0xFFFF0000 | t >> 8 & 0xFF for t in kept if is_private(t) and t & 0xFFFF > 0xFFF}
    blocks = {creator for creator in blocks if header.element(creator)}
    old = Recoder(header.encoding, (), privates=recoder.privates)
    inside = _inside(recoder.notes.mends) if mends else {}
    values, illegal = [], []
    for tag in sorted({*kept, *blocks}):
        element = header.element(tag)
        if element is None:
            values.append(encode(tag, public_vr(tag), b"", header.encoding))
        elif not _legal(header.data, element, recoder.charset):
            values.append(encode(tag, known_vr(element, {}), b"", header.encoding))
            illegal.append(element)
        elif tag in inside:
            values.append(_reduced(tag, inside[tag], header.encoding))
        elif recoder.privates.drop:
            values.append(old.element(header.data, element, {}))
        else:
            values.append(header.data[element.start : element.end])
    last = illegal.pop() if illegal else None
    return [*(_alone(header, e) for e in illegal), _item(header, values, last)]


Inside = dict[int, dict[int, "Inside"] | tuple[bytes, bytes]]
"""By tag: the items of a sequence by their number, or VR and value field of what was mended."""


def _inside(mends: Iterable[Mend]) -> Inside:
    """What was mended in sequences, as a tree."""
    found: Inside = {}
    for mend in mends:
        if mend.old is None or not mend.path:
            continue
        at = found
        for tag, number in mend.path:
            step = at.setdefault(tag, {})
            if not isinstance(step, dict):
                raise Malformed("an attribute is there twice")
            at = step.setdefault(number, {})
        at.setdefault(mend.tag, (mend.vr, mend.old))
    return found


def _reduced(
    tag: int, content: dict[int, Inside] | tuple[bytes, bytes], encoding: Encoding
) -> bytes:
    if isinstance(content, tuple):
        return encode(tag, *content, encoding)
    items = []
    for number in range(1, max(content) + 1):
        inner = content.get(number, {})
        parts = (_reduced(each, inner[each], encoding) for each in sorted(inner))
        items.append(encode_item(b"".join(parts), encoding))
    return encode(tag, b"SQ", b"".join(items), encoding)


def _alone(header: Header, element: Element) -> bytes:
    values = [encode(element.tag, known_vr(element, {}), b"", header.encoding)]
    if element.tag == PATIENT_ID:
        values.append(header.whole(ISSUER) or encode(ISSUER, b"LO", b"", header.encoding))
    return _item(header, values, element)


def _item(header: Header, values: list[bytes], nonconforming: Element | None) -> bytes:
    encoding = header.encoding
    found = encode(MODIFIED, b"SQ", encode_item(b"".join(values), encoding), encoding)
    if nonconforming is None:
        return found
    content = (  # which attribute (PS3.3 10.20), and the bytes that were in it
        encode(
            SELECTOR, b"AT", header.data[nonconforming.start : nonconforming.start + 4], encoding
        )
        + encode(SELECTOR_VALUE_NUMBER, b"US", bytes(2), encoding)
        + encode(NONCONFORMING_VALUE, b"OB", header.raw(nonconforming.tag), encoding)
    )
    return found + encode(NONCONFORMING, b"SQ", encode_item(content, encoding), encoding)


def _legal(data: bytes, element: Element, charset: tuple[str, ...]) -> bool:
    vr, raw = known_vr(element, {}), data[element.at : element.stop]
    if vr in LEGAL or vr in UNITS:
        return is_legal(raw, vr)
    if vr not in charsets.TEXT_VRS:
        return True
    text, _ = charsets.read(raw.rstrip(b" \0"), charset, vr)
    return mended_text(text, vr) == text


def stated_id(header: Header, recoder: Recoder, other_number: bool) -> bytes:
    """The Patient ID that the disc states, with its issuer, as an Other Patient IDs item; b""
    when there is none, it cannot be written, or it is the new number without who issued it."""
    stated = [e for e in map(header.element, (PATIENT_ID, ISSUER)) if e]
    if not all(_legal(header.data, e, recoder.charset) for e in stated):
        return b""
    number, issuer = (header.raw(t).strip(b" \0") for t in (PATIENT_ID, ISSUER))
    if not number or not (issuer or other_number):
        return b""
    values = [(PATIENT_ID, b"LO", number), (ID_TYPE, b"CS", b"TEXT")]
    if issuer:
        values.insert(1, (ISSUER, b"LO", issuer))
    if recoder.to_utf8:
        values = [(t, vr, charsets.read(v, recoder.charset)[0].encode()) for t, vr, v in values]
    return b"".join(encode(t, vr, v, header.encoding) for t, vr, v in values)
