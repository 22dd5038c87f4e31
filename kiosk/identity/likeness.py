"""How alike two family names and two given names are, as a named level (IDENTITY levels)."""

from __future__ import annotations

import re
from functools import lru_cache

from rapidfuzz.distance import OSA, JaroWinkler

from kiosk.identity import nicknames
from kiosk.identity.names import Reading, sound

_GENDERED = re.compile(r"(?<=.{3})(?:(?<=SK)AYA|(?<=SK)A|(?<=OV)A|(?<=EV)A|(?<=IN)A)$")
Words = tuple[str, ...]


@lru_cache(maxsize=1 << 16)
def near(one: str, other: str) -> str:
    """`exact`, `one-edit`, `sounds-alike` or "" for two folded words."""
    if one == other:
        return "exact"
    if not one or not other:
        return ""
    shorter = min(len(one), len(other))
    if shorter >= 4 and OSA.distance(one, other, score_cutoff=1) <= 1:
        return "one-edit"
    if shorter >= 3 and sound(one) == sound(other) and JaroWinkler.similarity(one, other) >= 0.8:
        return "sounds-alike"
    alike = shorter >= 5 and JaroWinkler.similarity(one, other) >= 0.92
    return "sounds-alike" if alike else ""


@lru_cache(maxsize=1 << 16)
def family_level(one: Words, whole: str, other: Words, other_whole: str) -> str:
    """`exact`, `one-edit`, `sounds-alike`, `truncated`, `part` (one of a double name, the other
    lacks it), `one-of-two` (one name shared, the others differ), `different` or `missing`."""
    if not one or not other or one[0].isascii() != other[0].isascii():
        return "missing"
    if whole == other_whole or "".join(one) == "".join(other) or set(one) == set(other):
        return "exact"
    if _bare(whole) == _bare(other_whole):
        return "gendered"
    if level := near(whole, other_whole):
        return level
    return _shared(set(one), set(other)) or _cut(whole, other_whole) or "different"


def _shared(one: set[str], other: set[str]) -> str:
    if one & other:
        return "part" if one <= other or other <= one else "one-of-two"
    if len(one) + len(other) > 2 and any(near(a, b) == "one-edit" for a in one for b in other):
        return "one-of-two"
    return ""


def _cut(one: str, other: str) -> str:
    short, long = sorted((one, other), key=len)
    return "truncated" if len(short) >= 4 and long.startswith(short) else ""


def _bare(family: str) -> str:
    """A Slavic surname without its feminine ending."""
    return _GENDERED.sub("", family)


@lru_cache(maxsize=1 << 16)
def given_level(one: Words, other: Words) -> str:
    """`exact`, `nickname`, `one-edit`, `sounds-alike`, `initial`, `truncated`, `uses-middle`,
    `different` or `missing`, for given names followed by their middle names."""
    if not one or not other or one[0].isascii() != other[0].isascii():
        return "missing"
    if one[0] == other[0] or _joined(one, other):
        return "exact"
    first = _first_level(one[0], other[0])
    if first in ("", "initial") and _uses_middle(one, other):
        return "uses-middle"
    return first or "different"


def _joined(one: Words, other: Words) -> bool:
    """`MARY ANN` and `MARYANN`."""
    return "".join(one[:2]) == other[0] or one[0] == "".join(other[:2])


def _first_level(one: str, other: str) -> str:
    if len(one) == 1 or len(other) == 1:
        return "initial" if one[0] == other[0] else ""
    if nicknames.related(one, other):
        return "nickname"
    if level := near(one, other):
        return level
    short, long = sorted((one, other), key=len)
    return "truncated" if len(short) >= 3 and long.startswith(short) else ""


def _uses_middle(one: Words, other: Words) -> bool:
    def full(word: str, rest: Words) -> bool:
        return len(word) > 1 and any(near(word, r) in ("exact", "one-edit") for r in rest)

    return full(one[0], other[1:]) or full(other[0], one[1:])


def middle_level(one: Words, other: Words) -> str:
    """`exact`, `initial`, `similar`, `conflict` or `missing`, for the names after the first."""
    if not one or not other or one[0].isascii() != other[0].isascii():
        return "missing"
    levels = {_middle_pair(a, b) for a in one for b in other}
    return next((k for k in ("exact", "initial", "similar") if k in levels), "conflict")


def _middle_pair(one: str, other: str) -> str:
    if one == other:
        return "exact" if len(one) > 1 else "initial"
    if len(one) == 1 or len(other) == 1:
        return "initial" if one[0] == other[0] else "conflict"
    alike = near(one, other) or nicknames.related(one, other) or _cut(one, other)
    return "similar" if alike else "conflict"


def swapped(reading: Reading) -> Reading | None:
    """The reading with family and given name exchanged; None for a single name."""
    if not reading.given:
        return None
    return Reading(reading.given[:1], (*reading.family, *reading.given[1:]), reading.given[0])
