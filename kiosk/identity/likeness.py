"""How alike two names and two birth dates are, as a named level."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from rapidfuzz.distance import OSA, JaroWinkler

from kiosk.identity.naming import Reading, shared_forms, sound

_GENDERED = re.compile(r"(?<=.{3})(?:(?<=SK)AYA|(?<=SK)A|(?<=OV)A|(?<=EV)A|(?<=IN)A)$")
_DEFAULT_DATES = frozenset(("18000101", "18581117", "11111111", "19000101", "19010101", "99991231"))
_ROUGH = ("0101", "0701")  # what a registration writes where the year is all it knows
Words = tuple[str, ...]


@lru_cache(maxsize=1 << 16)
def near(one: str, other: str) -> str:
    """`exact`, `one-edit`, `sounds-alike` or "" for two folded words."""
    if one == other:
        return "exact"
    if not one or not other:
        return ""
    shorter = min(len(one), len(other))
    if shorter >= 3 and OSA.distance(one, other, score_cutoff=1) <= 1:
        return "one-edit"
    if abs(len(one) - len(other)) > 2:
        return ""  # JOHNSON and JOHN sound alike only in the letters that a code keeps
    alike = JaroWinkler.similarity(one, other)
    same_sound = shorter >= 3 and alike >= 0.8 and sound(one) == sound(other)
    return "sounds-alike" if same_sound or (shorter >= 5 and alike >= 0.92) else ""


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
    if set(one) <= set(other) or set(other) <= set(one):
        return "part"
    if level := near(whole, other_whole):
        return level
    return _shared(set(one), set(other)) or _cut(whole, other_whole) or "different"


def _shared(one: set[str], other: set[str]) -> str:
    if one & other:
        return "one-of-two"
    if len(one) + len(other) > 2 and any(near(a, b) == "one-edit" for a in one for b in other):
        return "one-of-two"
    return ""


def _cut(one: str, other: str) -> str:
    short, long = sorted((one, other), key=len)
    joined = long.startswith(short) or (len(short) >= 5 and long.endswith(short))
    return "truncated" if len(short) >= 4 and joined else ""


def _bare(family: str) -> str:
    """A Slavic surname without its feminine ending."""
    return _GENDERED.sub("", family)


@lru_cache(maxsize=1 << 16)
def given_level(one: Words, other: Words) -> str:
    """`exact`, `nickname`, `short-form`, `one-edit`, `sounds-alike`, `initial`, `uses-middle`,
    `different` or `missing`, for given names followed by their middle names."""
    if not one or not other or one[0].isascii() != other[0].isascii():
        return "missing"
    if one[0] == other[0] or _joined(one, other):
        return "exact"
    if (level := _first_level(one[0], other[0])) not in ("", "initial"):
        return level
    if _uses_middle(one, other):
        return "uses-middle"
    if _crossed(one, other):
        return "crossed-initials"
    return level or "different"


def _joined(one: Words, other: Words) -> bool:
    """`MARY ANN` and `MARYANN`."""
    return "".join(one[:2]) == other[0] or one[0] == "".join(other[:2])


def _first_level(one: str, other: str) -> str:
    if len(one) == 1 or len(other) == 1:
        return "initial" if one[0] == other[0] else ""
    forms = shared_forms(one, other)
    # NELLIE and NORAH may both be ELEANOR, or twins; MOHAMED and MUHAMMAD are one name.
    if forms and (forms & {one, other} or sound(one)[:2] == sound(other)[:2]):
        return "nickname"
    short, long = sorted((one, other), key=len)
    if _short_form(short, long):
        return "short-form"
    return near(one, other)


def _short_form(short: str, long: str) -> bool:
    """`SEBBY` of SEBASTIAN, `CHRIS` cut from CHRISTOPHER."""
    if len(short) >= 3 and long.startswith(short):
        return len(long) - len(short) >= 2
    stem = re.sub(r"(.)\1?(?:Y|IE|I|EY|S|O)$", r"\1", short)
    return len(stem) >= 3 and stem != short and long.startswith(stem)


def _uses_middle(one: Words, other: Words) -> bool:
    """One side's given name is the other's middle name, and what is left does not disagree."""
    return _is_middle(one, other) or _is_middle(other, one)


def _crossed(one: Words, other: Words) -> bool:
    """`PAUL R` and `ROBERT P`: each given name begins as the other's middle name does."""
    if len(one) < 2 or len(other) < 2 or 1 in (len(one[0]), len(other[0])):
        return False
    return one[0][0] == other[1][0] and one[1][0] == other[0][0] and one[0][0] != one[1][0]


def _is_middle(one: Words, other: Words) -> bool:
    if len(one[0]) == 1 or one[0] not in other[1:]:
        return False  # GRACIE need not be the GRACE of KIYAH GRACE: she may be her twin
    return not one[1:] or any(_middle_pair(m, other[0]) != "conflict" for m in one[1:])


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
    alike = near(one, other) or shared_forms(one, other) or _cut(one, other)
    return "similar" if alike else "conflict"


def swapped(reading: Reading) -> Reading | None:
    """The reading with family and given name exchanged; None for a single name."""
    if not reading.given:
        return None
    return Reading(reading.given[:1], (*reading.family, *reading.given[1:]), reading.given[0])


@lru_cache(maxsize=1 << 16)
def known_date(text: str) -> str:
    """A birth date as `YYYYMMDD`; "" when it is missing, impossible or a well-known default."""
    digits = "".join(c for c in text if c.isascii() and c.isdigit())
    if len(digits) != 8 or digits in _DEFAULT_DATES or digits < "19000102":
        return ""
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return ""
    return digits


def date_level(one: str, other: str) -> str:
    """`exact`, `day-month-swapped`, `one-digit`, `transposed`, `year-off`, `decade-off`,
    `rounded`, `two-parts`, `same-year`, `different` or `missing`."""
    if not one or not other:
        return "missing"
    if one == other:
        return "exact"
    if one[:4] == other[:4] and one[4:6] == other[6:] and one[6:] == other[4:6]:
        return "day-month-swapped"
    return _damaged(one, other) or _rounded(one, other) or _parts(one, other)


def _damaged(one: str, other: str) -> str:
    differ = [i for i in range(8) if one[i] != other[i]]
    years_apart = abs(int(one[:4]) - int(other[:4]))
    if years_apart > 10:  # a father and the son named after him, unless they share a birthday
        return "decade-off" if differ == [2] else ""
    if len(differ) == 1:
        return "one-digit"
    i, j = differ[0], differ[-1]
    if len(differ) == 2 and j == i + 1 and one[i] == other[j] and one[j] == other[i]:
        return "transposed"
    if one[4:] == other[4:] and years_apart in (1, 10):
        return "year-off"
    return ""


def _rounded(one: str, other: str) -> str:
    """One side only knows the year, or the year and the month."""
    if one[:4] != other[:4]:
        return ""
    rough = [date for date in (one, other) if date[4:] in _ROUGH or date[6:] == "01"]
    if len(rough) != 1:
        return ""
    same_month = one[4:6] == other[4:6]
    return "rounded" if rough[0][4:] in _ROUGH or same_month else ""


def _parts(one: str, other: str) -> str:
    agree = (one[:4] == other[:4]) + (one[4:6] == other[4:6]) + (one[6:] == other[6:])
    if agree == 2:
        return "two-parts"
    return "same-year" if one[:4] == other[:4] else "different"
