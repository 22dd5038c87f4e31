"""Attributes and their values as DICOM and people write them."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from kiosk.model.delivery import Attribute, Change, CoercionRefused
from kiosk.model.patient import PersonName


def attribute(keyword: str, value: str = "") -> Attribute:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return Attribute(int(tag), dictionary_VR(tag), value)


def sequence(keyword: str, *items: tuple[Attribute, ...]) -> Attribute:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    ordered = tuple(tuple(sorted(item, key=lambda a: a.tag)) for item in items)
    return Attribute(int(tag), "SQ", items=ordered)


def code(value: str, scheme: str, meaning: str) -> tuple[Attribute, ...]:
    return (
        attribute("CodeValue", exact(value, 16)),
        attribute("CodingSchemeDesignator", exact(scheme, 16)),
        attribute("CodeMeaning", clip(meaning, 64)),
    )


def person_name(name: PersonName) -> str:
    """PN text (PS3.5 6.2): 64 characters a group, the least important components given up
    first when a group is longer, and nothing that would end a component or a value early."""
    parts = [name.family, name.given, name.middle, name.prefix, name.suffix]
    parts = [clip(part, 64, forbidden="\\^=") for part in parts]
    for least in (3, 4, 2):  # prefix, suffix, middle
        if len("^".join(parts).rstrip("^")) > 64:
            parts[least] = ""
    alphabetic = "^".join(parts).rstrip("^")[:64].rstrip()
    groups = (alphabetic, *(clip(g, 64, "\\=") for g in (name.ideographic, name.phonetic)))
    return "=".join(groups).rstrip("=")


def clip(text: str, length: int, forbidden: str = "\\") -> str:
    """`text` without control characters and `forbidden` ones, at most `length` characters."""
    if text.isprintable() and not any(c in text for c in forbidden):
        return text[:length].strip()
    kept = (
        " " if c in forbidden or unicodedata.category(c) in ("Cc", "Cs", "Cn") else c for c in text
    )
    return "".join(kept)[:length].strip()


def exact(text: str, length: int) -> str:
    """An identifier: as it is, or not at all. A number cut short is another patient's."""
    if clip(text, length) != text.strip():
        raise CoercionRefused(
            "An identifier is too long for DICOM or has a character that DICOM forbids. "
            "The scans cannot be filed under it; correct it where it was registered."
        )
    return text.strip()


def change(tag: int, was: str, now: str, instances: int = 1) -> Change:
    return Change(*_names(tag), was, now, instances)


@lru_cache(maxsize=1024)
def _names(tag: int) -> tuple[str, str]:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})", keyword_for_tag(tag)


def describe(a: Attribute) -> str:
    """An attribute's value for people: the values of a sequence's items in one line."""
    if a.vr != "SQ":
        return a.value
    return "; ".join(", ".join(filter(None, map(describe, item))) for item in a.items)
