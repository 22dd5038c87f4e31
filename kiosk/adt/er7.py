"""ER7, HL7 v2's encoding: separators, segments, fields, repetitions, components, escapes.

Fields are read by position, never by a version's schema: senders of every version from 2.1 to 2.8
put the same thing in the same place (HL7 v2 chapter 2.6 to 2.9). Splitting comes before unescaping.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

MAX_SEGMENTS = 10_000
MAX_REPETITIONS = 100

_BLANK = "\ufeff \t\r\n\x00"


class NotEr7(ValueError):
    """There is no message header to begin with."""


@dataclass(frozen=True, slots=True)
class Separators:
    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @classmethod
    @lru_cache(maxsize=64)  # a sender's are the same in every message
    def of(cls, header: str) -> Separators:
        """From `MSH` and what follows it: MSH-1 and MSH-2, of 0 to 5 characters."""
        field = header[3:4]
        if not field or field.isalnum() or field.isspace():
            raise NotEr7("The message header names no field separator.")
        given = header[4:].partition(field)[0][:4]
        chars = [g if _separates(g) else d for g, d in zip(given, "^~\\&", strict=False)]
        return cls(field, *chars, *"^~\\&"[len(chars) :])


def _separates(char: str) -> bool:
    return not char.isalnum() and not char.isspace()


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; `field(n)` counts as the Standard does, MSH-1 being the separator itself."""

    name: str
    fields: tuple[str, ...]
    separators: Separators

    def field(self, number: int) -> str:
        """The raw text of a field, all repetitions; "" when absent."""
        return self.fields[number] if number < len(self.fields) else ""

    def repetitions(self, number: int) -> list[str]:
        """The repetitions that are not empty, at most MAX_REPETITIONS of them."""
        raw = self.fields[number] if number < len(self.fields) else ""
        if not raw:
            return []
        if self.separators.repetition not in raw:
            return [raw]
        parts = raw.split(self.separators.repetition, MAX_REPETITIONS)[:MAX_REPETITIONS]
        return [part for part in parts if part]

    def components(self, text: str) -> list[str]:
        """One repetition's components, still escaped."""
        return text.split(self.separators.component)

    def first(self, number: int) -> str:
        """The first component of the first repetition, unescaped and stripped."""
        raw = self.fields[number] if number < len(self.fields) else ""
        if not raw:
            return raw
        if raw.isalnum():  # most fields have nothing to separate, and no separator is a letter
            return raw
        s = self.separators
        for separator in (s.repetition, s.component, s.subcomponent):
            raw = raw.partition(separator)[0]
        return self.text(raw)

    def text(self, raw: str) -> str:
        """The value meant: escapes resolved, surrounding blanks off."""
        if raw and self.separators.escape in raw:
            raw = unescape(raw, self.separators)
        return raw.strip()


@dataclass(frozen=True, slots=True)
class Message:
    header: Segment
    segments: tuple[Segment, ...]

    def first(self, name: str) -> Segment | None:
        return next((s for s in self.segments if s.name == name), None)


def read(text: str) -> Message:
    """The message in `text`, segments ended by CR, LF or both. Raises NotEr7."""
    start = text.find("MSH")
    if start < 0 or text[:start].strip(_BLANK):
        raise NotEr7("The message does not begin with MSH.")
    separators = Separators.of(text[start : start + 9])
    text = text[start:].replace("\r\n", "\r").replace("\n", "\r")
    lines = text.split("\r", MAX_SEGMENTS)[:MAX_SEGMENTS]
    segments = tuple([_segment(line, separators) for line in lines if line.strip(_BLANK)])
    return Message(segments[0], segments)


def _segment(line: str, separators: Separators) -> Segment:
    fields = line.split(separators.field)
    name = fields[0].strip(_BLANK).upper()[:3]
    if name == "MSH":
        fields.insert(1, separators.field)
    return Segment(name, tuple(fields), separators)


def unescape(text: str, separators: Separators) -> str:
    """Escape sequences resolved (HL7 v2 chapter 2.7); unknown ones stay as they are."""
    mark = separators.escape
    pattern = re.escape(mark) + r"([^" + re.escape(mark) + r"]{1,64})" + re.escape(mark)
    return re.sub(pattern, lambda m: _escape(m.group(1), m.group(0), separators), text)


def _escape(code: str, whole: str, s: Separators) -> str:
    plain = {
        "F": s.field,
        "S": s.component,
        "T": s.subcomponent,
        "R": s.repetition,
        "E": s.escape,
        "P": "#",
        "H": "",
        "N": "",
        ".br": " ",
    }
    if code in plain:
        return plain[code]
    if code[0] == "X" and re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", code[1:]):
        return _hexadecimal(bytes.fromhex(code[1:]))
    return whole


def _hexadecimal(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return "".join(c if c.isprintable() else " " for c in text)
