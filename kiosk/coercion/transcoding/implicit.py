"""Explicit to Implicit VR Little Endian: every archive takes the latter (PS3.5 10.1). Heads only:
values and pixels stay byte for byte, from the same file."""

from __future__ import annotations

import os
from dataclasses import replace

from kiosk.coercion.applying import EXPLICIT_LE, IMPLICIT_LE, meta_group
from kiosk.coercion.encoding.elements import (
    EXPLICIT,
    ITEM,
    ITEM_END,
    LONG,
    SEQUENCE_END,
    UNDEFINED,
    Element,
    Malformed,
    items,
    scan,
)
from kiosk.coercion.tail import PADDING, PIXELS
from kiosk.model.delivery import Change, Coerced, CoercionRefused

_HEAD = 12  # of an element of a long VR (PS3.5 7.1.2)


def transcoded(coerced: Coerced, transfer_syntax_uid: str) -> Coerced:
    """`coerced` in another transfer syntax, its Transfer Syntax UID among the changes. Raises
    CoercionRefused where that cannot be had without loss."""
    if (coerced.transfer_syntax_uid, transfer_syntax_uid) != (EXPLICIT_LE, IMPLICIT_LE):
        raise CoercionRefused("the archive does not take its encoding, and no other is safe")
    try:
        header, tail_offset, tail_length = _tail(coerced)
        meta = meta_group(coerced.sop_class_uid, coerced.sop_instance_uid, IMPLICIT_LE)
        header = implicit(coerced.header) + header
    except (Malformed, OSError):
        raise CoercionRefused("it cannot be encoded for this archive without loss") from None
    said = Change("(0002,0010)", "TransferSyntaxUID", EXPLICIT_LE, IMPLICIT_LE)
    return replace(
        coerced,
        transfer_syntax_uid=IMPLICIT_LE,
        meta=meta,
        header=header,
        tail_offset=tail_offset,
        tail_length=tail_length,
        pixels_at=coerced.pixels_at - (tail_offset - coerced.tail_offset),
        changes=(*coerced.changes, said),
    )


def implicit(data: bytes) -> bytes:
    """A data set without its VRs. Group lengths, which would be wrong, are left out (PS3.5 7.2).
    Raises Malformed."""
    return b"".join(_element(data, e) for e in scan(data, EXPLICIT) if e.tag & 0xFFFF)


def _element(data: bytes, element: Element) -> bytes:
    nested = element.vr == b"SQ"
    if element.undefined and element.vr not in (b"SQ", b"UN"):
        raise Malformed("compressed data have no implicit encoding")
    if nested:
        content = b"".join(_item(data, item) for item in items(data, EXPLICIT, element))
    else:  # inside of UN it is implicit already (PS3.5 6.2.2)
        content = data[element.at : element.stop]
    if not element.undefined:
        return _head(element.tag, len(content)) + content
    return _head(element.tag, UNDEFINED) + content + _head(SEQUENCE_END, 0)


def _item(data: bytes, item: Element) -> bytes:
    content = implicit(data[item.at : item.stop])
    if not item.undefined:
        return _head(ITEM, len(content)) + content
    return _head(ITEM, UNDEFINED) + content + _head(ITEM_END, 0)


def _head(tag: int, length: int) -> bytes:
    number = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
    return number + length.to_bytes(4, "little")


def _tail(coerced: Coerced) -> tuple[bytes, int, int]:
    """The pixel data's new head, and where their value lies; only padding may follow it."""
    if not coerced.tail_length:
        return b"", coerced.tail_offset, 0
    with coerced.tail.open("rb") as f:
        head = os.pread(f.fileno(), _HEAD, coerced.tail_offset)
        length = int.from_bytes(head[8:12], "little")
        end = _HEAD + length
        after = os.pread(f.fileno(), 4, coerced.tail_offset + end)
    tag = _tag(head)
    if tag not in PIXELS or head[4:6] not in LONG or end > coerced.tail_length:
        raise Malformed("no native pixel data follow the header")
    if end < coerced.tail_length and _tag(after) != PADDING:
        raise Malformed("elements follow the pixel data")
    return _head(tag, length), coerced.tail_offset + _HEAD, length


def _tag(head: bytes) -> int:
    return int.from_bytes(head[:2], "little") << 16 | int.from_bytes(head[2:4], "little")
