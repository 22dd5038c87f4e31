"""Going through a header in depth: its text to UTF-8, its private elements out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from pydicom.datadict import dictionary_VR, private_dictionary_VR

from kiosk.coercion import charsets
from kiosk.coercion.elements import (
    DEPTH,
    IMPLICIT,
    ITEM,
    Element,
    Encoding,
    Malformed,
    encode_item,
    items,
    reencode,
    scan,
)

CHARSET = 0x00080005
SIGNATURES, MAC_PARAMETERS = 0xFFFAFFFA, 0x4FFE0001


def is_private(tag: int) -> bool:
    return bool(tag >> 16 & 1)


@dataclass(slots=True)
class Recoder:
    """What is done to each element. `guessed` collects the top-level elements whose text was not
    in the declared character set; `unsigned` counts signatures in sequences that were left out."""

    encoding: Encoding
    charset: tuple[str, ...]
    to_utf8: bool = False
    drop_private: bool = False
    guessed: set[int] = field(default_factory=set)
    unsigned: int = 0

    def element(self, data: bytes, element: Element, creators: dict[int, str]) -> bytes:
        """One top-level element, recoded."""
        return self._element(data, element, creators, self.encoding, element.tag, 0)

    def _element(
        self,
        data: bytes,
        element: Element,
        creators: dict[int, str],
        encoding: Encoding,
        top: int,
        depth: int,
    ) -> bytes:
        vr = known_vr(element, creators)
        is_sequence = vr == b"SQ" and (element.undefined or element.vr != b"UN")
        unknown = element.undefined and vr == b"UN"
        if is_sequence or unknown or _looks_like_items(data, element, vr):
            return self._sequence(data, element, encoding, top, depth)
        if not self.to_utf8 or vr not in charsets.TEXT_VRS:
            return data[element.start : element.end]
        raw = data[element.at : element.stop]
        if raw.isascii() and b"\x1b" not in raw:
            return data[element.start : element.end]
        text, guessed = charsets.read(raw.rstrip(b" \0"), self.charset, vr)
        if guessed:
            self.guessed.add(top)
        return reencode(data, element, text.encode(), encoding, vr)

    def _sequence(
        self, data: bytes, element: Element, encoding: Encoding, top: int, depth: int
    ) -> bytes:
        if depth >= DEPTH:
            raise Malformed(f"sequences are nested more than {DEPTH} deep")
        inner = IMPLICIT if element.vr == b"UN" and element.undefined else encoding
        parts = []
        for item in items(data, encoding, element):
            content = self._data_set(data, item, inner, top, depth + 1)
            if item.undefined:
                end = data[item.stop : item.end]
                parts.append(data[item.start : item.at] + content + end)
            else:
                parts.append(encode_item(content, inner))
        return reencode(data, element, b"".join(parts), encoding, b"SQ")

    def _data_set(
        self, data: bytes, item: Element, encoding: Encoding, top: int, depth: int
    ) -> bytes:
        """An item. One with a character set of its own is left alone: it says what it says."""
        elements = scan(data, encoding, item.at, item.stop)
        own_charset = any(e.tag == CHARSET for e in elements)
        if own_charset and not self.drop_private:
            return data[item.at : item.stop]
        recoder = self if not own_charset else Recoder(encoding, (), False, self.drop_private)
        creators = private_creators(data, elements)
        parts = []
        for e in elements:
            if self.drop_private and is_private(e.tag):
                continue
            if e.tag & 0xFFFF == 0:
                continue  # a length that what changed would make false
            if self.to_utf8 and e.tag in (SIGNATURES, MAC_PARAMETERS):
                self.unsigned += e.tag == SIGNATURES
                continue
            parts.append(recoder._element(data, e, creators, encoding, top, depth))
        return b"".join(parts)


def known_vr(element: Element, creators: dict[int, str]) -> bytes:
    """The VR that the header says, else the dictionary's, else UN."""
    if element.vr not in (b"", b"UN"):
        return element.vr
    tag = element.tag
    if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
        return b"LO"
    if not is_private(tag):
        return public_vr(tag)
    try:
        return private_dictionary_VR(tag, creators[tag >> 8 & 0xFFFFFF]).encode()
    except KeyError:
        return b"UN"


@lru_cache(maxsize=4096)
def public_vr(tag: int) -> bytes:
    """The dictionary's VR (PS3.6), or UN."""
    try:
        return dictionary_VR(tag).encode()
    except KeyError:
        return b"UN"


def private_creators(data: bytes, elements: list[Element]) -> dict[int, str]:
    """Who reserved which block of private elements (PS3.5 7.8.1), keyed by group and block."""
    return {
        (e.tag >> 16) << 8 | e.tag & 0xFF: data[e.at : e.stop].decode("latin-1").strip(" \0")
        for e in elements
        if is_private(e.tag) and 0x10 <= e.tag & 0xFFFF <= 0xFF
    }


def _looks_like_items(data: bytes, element: Element, vr: bytes) -> bool:
    """A private sequence of defined length in Implicit VR says nowhere that it is one."""
    if element.vr or vr != b"UN" or element.stop - element.at < 8:
        return False
    if data[element.at : element.at + 4] != (ITEM >> 16).to_bytes(2, "little") + b"\x00\xe0":
        return False
    try:
        for item in items(data, IMPLICIT, element):
            scan(data, IMPLICIT, item.at, item.stop)
    except Malformed:
        return False
    return True
