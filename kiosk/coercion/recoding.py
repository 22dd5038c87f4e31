"""Going through a header in depth: its text to UTF-8, its private elements out, its UIDs replaced,
what breaks its VR's rules mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from pydicom.datadict import dictionary_VR, keyword_for_tag, private_dictionary_VR

from kiosk.coercion.encoding import charsets
from kiosk.coercion.encoding.elements import (
    DEPTH,
    IMPLICIT,
    ITEM,
    LONG,
    Element,
    Encoding,
    Malformed,
    encode,
    encode_item,
    items,
    reencode,
    scan,
)
from kiosk.coercion.encoding.mending import UNITS, is_legal, mended, mended_text, valid_uid
from kiosk.coercion.encoding.uids import names_a_thing

CHARSET = 0x00080005
SIGNATURES, MAC_PARAMETERS = 0xFFFAFFFA, 0x4FFE0001


def is_private(tag: int) -> bool:
    return bool(tag >> 16 & 1)


@dataclass(frozen=True, slots=True)
class Privates:
    """What becomes of private elements: all stay, or only those of these creators."""

    drop: bool = False
    kept: frozenset[str] = frozenset()

    def drops(self, tag: int, creators: Mapping[int, str]) -> bool:
        return self.drop and is_private(tag) and creator_of(tag, creators) not in self.kept


Path = tuple[tuple[int, int], ...]  # sequences on the way and which item of each, from 1


@dataclass(frozen=True, slots=True)
class Mend:
    """Something that was put right at `path` and `tag`. `old` is the value field that was there,
    None where only its form changed and there is nothing to be kept."""

    path: Path
    tag: int
    was: str
    now: str
    vr: bytes = b""
    old: bytes | None = None

    @property
    def top(self) -> int:
        """The top-level element that it lies in."""
        return self.path[0][0] if self.path else self.tag

    @property
    def place(self) -> str:
        return _place(self.tag, self.path)


@dataclass(slots=True)
class Notes:
    """What the walk came across. `guessed` are top-level elements with text that was not in the
    declared character set; `unsigned` counts signatures in sequences that were left out, `lengths`
    group lengths; `bad_uids` are UIDs that are none, with where they stand."""

    guessed: set[int] = field(default_factory=set)
    unsigned: int = 0
    lengths: int = 0
    mends: list[Mend] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    bad_uids: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    @property
    def empty(self) -> bool:
        found = (self.guessed, self.unsigned, self.lengths, self.mends, self.dropped, self.bad_uids)
        return not any(found)


@dataclass(frozen=True, slots=True)
class Recoder:
    """What is done to each element, noting in `notes` what was."""

    encoding: Encoding
    charset: tuple[str, ...]
    to_utf8: bool = False
    privates: Privates = Privates()
    uids: Mapping[str, str] = field(default_factory=dict)
    mend: bool = False
    notes: Notes = field(default_factory=Notes, compare=False)

    @property
    def idle(self) -> bool:
        """Whether it would change nothing."""
        return not (self.to_utf8 or self.privates.drop or self.uids or self.mend)

    def element(self, data: bytes, element: Element, creators: Mapping[int, str]) -> bytes:
        """One top-level element, recoded; b"" when it is left out. Raises Malformed where what has
        to be done in a sequence cannot be; what only would be mended then stays as it is."""
        before = len(self.notes.mends)
        try:
            return self._element(data, element, creators, ())
        except Malformed:
            if self.to_utf8 or self.privates.drop or self.uids:
                raise
            del self.notes.mends[before:]
            return data[element.start : element.end]

    def _element(
        self, data: bytes, element: Element, creators: Mapping[int, str], path: Path
    ) -> bytes:
        if self.privates.drops(element.tag, creators):
            self.notes.dropped[creator_of(element.tag, creators) or "nobody"] += 1
            return b""
        vr = known_vr(element, creators)
        is_sequence = vr == b"SQ" and (element.undefined or element.vr != b"UN")
        unknown = element.undefined and vr == b"UN"
        if is_sequence or unknown or _looks_like_items(data, element, vr):
            return self._sequence(data, element, path)
        return self._value(data, element, vr, path)

    def _value(self, data: bytes, element: Element, vr: bytes, path: Path) -> bytes:
        raw = data[element.at : element.stop]
        new = raw
        if vr == b"UI":
            new = self._uids(raw, element.tag, path)
        if self.mend and not element.undefined:
            new = self._mended(element, new, vr, path)
        if vr in charsets.TEXT_VRS:
            new = self._text(new, vr, element, path)
        renamed = self._renamed(element, new, vr, path)
        if new == raw and not renamed and not (self.mend and len(raw) % 2):
            return data[element.start : element.end]
        if renamed:
            return encode(element.tag, vr, new, self.encoding)
        return reencode(data, element, new, self.encoding, vr)

    def _renamed(self, element: Element, value: bytes, vr: bytes, path: Path) -> bool:
        """Whether an element that says UN gets its own VR (PS3.5 6.2.2, Note)."""
        known = element.vr == b"UN" and len(vr) == 2 and vr not in (b"UN", b"SQ")
        if not self.mend or not known or is_private(element.tag):
            return False
        if element.undefined or (len(value) > 0xFFFE and vr not in LONG):
            return False
        self._note(element.tag, path, "VR UN", f"VR {vr.decode()}")
        return True

    def _uids(self, raw: bytes, tag: int, path: Path) -> bytes:
        text = raw.decode("latin-1").strip(" \0")
        values = text.split("\\")
        if self.mend and names_a_thing(tag):
            bare = (value.strip(" \0") for value in values)
            if any(value and not valid_uid(value) for value in bare):
                self.notes.bad_uids[_place(tag, path), keyword_for_tag(tag), text] += 1
        if not self.uids or not (names_a_thing(tag) or is_private(tag)):
            return raw
        new = [self.uids.get(value.strip(" \0"), value) for value in values]
        if new == values:
            return raw
        self._note(tag, path, "\\".join(values), "\\".join(new), b"UI", raw)
        return "\\".join(new).encode("latin-1")

    def _mended(self, element: Element, raw: bytes, vr: bytes, path: Path) -> bytes:
        if len(raw) % 2 and is_legal(raw, vr):
            self._note(element.tag, path, f"{len(raw)} bytes", "padded")
        if is_legal(raw, vr):
            return raw
        new = mended(raw, vr, self.encoding)
        binary = vr in UNITS
        was = f"{len(raw)} bytes" if binary else raw.decode("latin-1").rstrip(" \0")
        now = f"{len(new)} bytes" if binary else new.decode("latin-1")
        if was == now:
            return raw
        self._note(element.tag, path, was, now, vr, raw if was.strip(" \0") != now else None)
        return new

    def _text(self, raw: bytes, vr: bytes, element: Element, path: Path) -> bytes:
        if not self.to_utf8 and not self.mend:
            return raw
        plain = raw.rstrip(b" \0")
        if plain.isascii() and b"\x1b" not in plain:
            text, guessed = plain.decode("ascii"), False
            if self.mend and (new := mended_text(text, vr)) != text:
                self._note(element.tag, path, text, new, vr, raw)
                return new.encode("ascii")
            return raw
        text, guessed = charsets.read(plain, self.charset, vr)
        if guessed:
            self.notes.guessed.add(path[0][0] if path else element.tag)
        new = mended_text(text, vr) if self.mend and not guessed else text
        target = (charsets.UTF8,) if self.to_utf8 else self.charset
        if new == text and not self.to_utf8:
            return raw
        try:
            encoded = charsets.encode(new, target)
        except UnicodeError:
            return raw  # code extensions are read, not written: the text stays as it came
        if new != text:
            self._note(element.tag, path, text, new, vr, raw)
        return encoded

    def _note(
        self, tag: int, path: Path, was: str, now: str, vr: bytes = b"", old: bytes | None = None
    ) -> None:
        self.notes.mends.append(Mend(path, tag, was, now, vr, old))

    def _sequence(self, data: bytes, element: Element, path: Path) -> bytes:
        if len(path) >= DEPTH:
            raise Malformed(f"sequences are nested more than {DEPTH} deep")
        inner = self
        if element.vr == b"UN" and element.undefined:
            inner = replace(self, encoding=IMPLICIT)
        parts = []
        for number, item in enumerate(items(data, self.encoding, element), 1):
            content = inner._data_set(data, item, (*path, (element.tag, number)))
            if item.undefined:
                end = data[item.stop : item.end]
                parts.append(data[item.start : item.at] + content + end)
            else:
                parts.append(encode_item(content, inner.encoding))
        return reencode(data, element, b"".join(parts), self.encoding, b"SQ")

    def _data_set(self, data: bytes, item: Element, path: Path) -> bytes:
        """An item. One with a character set of its own keeps it: it says what it says."""
        elements = scan(data, self.encoding, item.at, item.stop)
        own = next((e for e in elements if e.tag == CHARSET), None)
        recoder = self
        if own is not None:
            charset = charsets.terms(data[own.at : own.stop])
            recoder = replace(self, charset=charset, to_utf8=False)
            if recoder.idle:
                return data[item.at : item.stop]
        creators = private_creators(data, elements)
        parts, changed = [], False
        for e in elements:
            if e.tag & 0xFFFF == 0:  # what changed would make it false (PS3.5 7.2)
                self.notes.lengths += 1
                continue
            whole = data[e.start : e.end]
            signed = e.tag in (SIGNATURES, MAC_PARAMETERS)
            new = whole if signed else recoder._element(data, e, creators, path)
            changed = changed or new != whole
            parts.append((e.tag, new))
        if changed:  # a signature over it no longer holds
            self.notes.unsigned += sum(tag == SIGNATURES for tag, _ in parts)
            parts = [(t, new) for t, new in parts if t not in (SIGNATURES, MAC_PARAMETERS)]
        return b"".join(new for _, new in parts)


def _place(tag: int, path: Path) -> str:
    steps = [f"({t >> 16:04x},{t & 0xFFFF:04x})[{number}]" for t, number in path]
    return ">".join([*steps, f"({tag >> 16:04x},{tag & 0xFFFF:04x})"])


def known_vr(element: Element, creators: Mapping[int, str]) -> bytes:
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


def creator_of(tag: int, creators: Mapping[int, str]) -> str:
    """Whose a private element is: a creator's own element is the creator's too."""
    block = tag & 0xFF if tag & 0xFFFF <= 0xFF else tag >> 8 & 0xFF
    return creators.get((tag >> 16) << 8 | block, "")


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
