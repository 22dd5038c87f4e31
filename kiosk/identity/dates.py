"""Birth dates: which are known at all, and how two of them differ."""

from __future__ import annotations

from datetime import date

_DEFAULTS = frozenset(("18000101", "18581117", "11111111", "19000101", "19010101", "99991231"))


def known_date(text: str) -> str:
    """A birth date as `YYYYMMDD`; "" when it is missing, impossible or a well-known default."""
    digits = "".join(c for c in text if c.isascii() and c.isdigit())
    if len(digits) != 8 or digits in _DEFAULTS or digits < "19000102":
        return ""
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return ""
    return digits


def date_level(one: str, other: str) -> str:
    """`exact`, `day-month-swapped`, `one-digit`, `transposed`, `year-off`, `two-parts`,
    `same-year`, `different` or `missing`."""
    if not one or not other:
        return "missing"
    if one == other:
        return "exact"
    if one[:4] == other[:4] and one[4:6] == other[6:] and one[6:] == other[4:6]:
        return "day-month-swapped"
    return _damaged(one, other) or _parts(one, other)


def _damaged(one: str, other: str) -> str:
    differ = [i for i in range(8) if one[i] != other[i]]
    years_apart = abs(int(one[:4]) - int(other[:4]))
    if years_apart > 10:  # a father and the son named after him, more likely than one wrong digit
        return ""
    if len(differ) == 1:
        return "one-digit"
    i, j = differ[0], differ[-1]
    if len(differ) == 2 and j == i + 1 and one[i] == other[j] and one[j] == other[i]:
        return "transposed"
    if one[4:] == other[4:] and years_apart in (1, 10):
        return "year-off"
    return ""


def _parts(one: str, other: str) -> str:
    agree = (one[:4] == other[:4]) + (one[4:6] == other[4:6]) + (one[6:] == other[6:])
    if agree == 2:
        return "two-parts"
    return "same-year" if one[:4] == other[:4] else "different"
