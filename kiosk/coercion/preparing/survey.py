"""One instance's header and pixel data looked at once: what a plan will find there."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.datadict import keyword_for_tag

from kiosk.coercion.applying import HEADER_BYTES, encoding_of
from kiosk.coercion.encoding import charsets
from kiosk.coercion.encoding.elements import Encoding, Header, Malformed, scan
from kiosk.coercion.recoding import (
    CHARSET,
    MAC_PARAMETERS,
    SIGNATURES,
    Privates,
    Recoder,
    private_creators,
)
from kiosk.coercion.rewriting import GROUP_LENGTHS, GUESSED, dropped, stated_text
from kiosk.coercion.tail import Tail, find_tail
from kiosk.coercion.wording import change
from kiosk.model.content import Instance, Mended, Said
from kiosk.model.delivery import Change

# The attributes that a plan may replace (STANDARDS 2.2): a survey reports what they were.
PLANNED = {
    0x00080050: b"SH", 0x00080051: b"SQ", 0x00081032: b"SQ", 0x00081110: b"SQ", 0x00081111: b"SQ",
    0x00100010: b"PN", 0x00100020: b"LO", 0x00100021: b"LO", 0x00100024: b"SQ", 0x00100030: b"DA",
    0x00100040: b"CS", 0x00400275: b"SQ",
}  # fmt: skip
CHUNK = 1 << 20
SHORT, MOST = 256, 20_000  # bytes of an element, and elements, that are kept in mind
KINDS = 200  # of damage in one study: what is beyond is mended too, and not listed

BadUid = tuple[str, str, str]  # place, keyword, the whole value


def values_of(text: str) -> list[str]:
    return [value.strip(" \0") for value in text.split("\\")]


@dataclass(slots=True)
class Survey:
    """Of one study, counted over its instances."""

    said: Counter[tuple[int, str]] = field(default_factory=Counter)
    changes: Counter[Change] = field(default_factory=Counter)
    bad_uids: Counter[BadUid] = field(default_factory=Counter)
    # Elements that nothing was noted of, by all that may matter to them: a series repeats most of
    # them in every image.
    clean: set[tuple[int, bytes]] = field(default_factory=set)
    kinds: dict[object, int] = field(default_factory=dict)

    def lines(self) -> tuple[Said, ...]:
        ordered = sorted(self.said.items())
        return tuple(Said(tag, text, count) for (tag, text), count in ordered)

    def mended(self) -> tuple[Mended, ...]:
        ordered = sorted(self.changes.items(), key=lambda e: (e[0].tag, e[0].was))[:KINDS]
        return tuple(Mended(c.tag, c.keyword, c.was, c.now, n) for c, n in ordered)


def pixels_of(source: Path, instance: Instance) -> str:
    """The SHA-256 of the pixel data's value, "" when there is none. Raises Malformed, OSError."""
    with source.open("rb") as f:
        tail = find_tail(
            f.fileno(), instance.pixel_offset, f.seek(0, 2), encoding_of(instance), Privates()
        )
        if not tail.pixels_length:
            return ""
        digest, at = hashlib.sha256(), tail.pixels_at
        left = tail.pixels_length
        while left and (piece := os.pread(f.fileno(), min(left, CHUNK), at)):
            digest.update(piece)
            at, left = at + len(piece), left - len(piece)
    return "" if left else digest.hexdigest()


def survey(source: Path, instance: Instance, privates: Privates, into: Survey) -> None:
    """Adds what the instance's header says to `into`. Raises Malformed, OSError."""
    with source.open("rb") as f:
        length = instance.pixel_offset - instance.dataset_offset
        if not 0 <= length <= HEADER_BYTES:
            raise Malformed("what comes before the pixels is no header")
        data = os.pread(f.fileno(), length, instance.dataset_offset)
        encoding = encoding_of(instance)
        tail = find_tail(f.fileno(), instance.pixel_offset, f.seek(0, 2), encoding, privates)
    _header(Header.of(data, encoding), tail, encoding, privates, into)


def _header(
    header: Header, tail: Tail, encoding: Encoding, privates: Privates, into: Survey
) -> None:
    charset = charsets.terms(header.raw(CHARSET))
    for tag, vr in PLANNED.items():
        into.said[tag, stated_text(header, tag, vr, charset)] += 1
    into.said[CHARSET, "\\".join(charset)] += 1
    recoder = Recoder(encoding, charset, privates=privates, mend=True)
    elements = scan(header.data, encoding)
    creators = private_creators(header.data, elements)
    kind = into.kinds.setdefault((charset, encoding, tuple(creators.items())), len(into.kinds))
    for element in elements:
        if element.tag & 0xFFFF == 0:
            recoder.notes.lengths += 1
            continue
        seen = (kind, header.data[element.start : element.end])
        if seen in into.clean:
            continue
        recoder.element(header.data, element, creators)
        if len(seen[1]) <= SHORT and recoder.notes.empty and len(into.clean) < MOST:
            into.clean.add(seen)
    _noted(header, recoder, into)
    into.changes.update(tail.changes)


def _noted(header: Header, recoder: Recoder, into: Survey) -> None:
    notes = recoder.notes
    for tag in (SIGNATURES, MAC_PARAMETERS):
        if header.element(tag):
            into.changes[change(tag, "present", "")] += 1
    into.changes.update(change(tag, *GUESSED) for tag in notes.guessed)
    into.changes.update(Change(m.place, keyword_for_tag(m.tag), m.was, m.now) for m in notes.mends)
    if notes.lengths:
        into.changes[GROUP_LENGTHS] += 1
    if notes.unsigned:
        into.changes[change(SIGNATURES, "in a sequence", "")] += notes.unsigned
    into.changes.update(dropped(creator, n) for creator, n in notes.dropped.items())
    into.bad_uids.update(notes.bad_uids)
