"""Text that others wrote, made safe to show, and names, dates and ages as people read them.

Text from discs, HL7 and directories is hostile: control characters are shown as boxes, direction
overrides are closed in isolates, long text is clipped (UX 3). No Qt here.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime

from kiosk.desk.snapshots import Mark
from kiosk.model.patient import PatientIdentity, PersonName

CLIP = 64
_BOX = "\u25a1"
_FSI, _PDI = "\u2068", "\u2069"
MONTHS = {
    "en": "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(),
    "es": "ENE FEB MAR ABR MAY JUN JUL AGO SEP OCT NOV DIC".split(),
    "de": "JAN FEB MÄR APR MAI JUN JUL AUG SEP OKT NOV DEZ".split(),
}


def boxed(untrusted: str) -> str:
    """Every character that is not plainly visible as a box: same length, nothing hidden."""
    return "".join(_BOX if unicodedata.category(c) in _HIDDEN else c for c in untrusted)


_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def safe(untrusted: str, clip: int = CLIP) -> str:
    """One line to show: boxed, clipped with an ellipsis, isolated from the text around it."""
    text = boxed(untrusted)
    if len(text) > clip:
        text = text[: clip - 1] + "…"
    return f"{_FSI}{text}{_PDI}" if _mixed(text) else text


def _mixed(text: str) -> bool:
    return any(unicodedata.bidirectional(c) in {"R", "AL", "AN"} for c in text)


def name_of(name: PersonName) -> str:
    """`DOE, JANE Q` as registration desks write it; ideographs where there is nothing else."""
    given = " ".join(part for part in (name.given, name.middle) if part)
    alphabetic = ", ".join(part for part in (name.family, given) if part)
    return safe(alphabetic or name.ideographic or name.phonetic)


def who(identity: PatientIdentity) -> str:
    return name_of(identity.name)


def identifier_of(raw: str) -> str:
    """`A99 (ST MARY)` from `A99^ST MARY`."""
    value, _, issuer = raw.partition("^")
    return f"{safe(value, 32)} ({safe(issuer, 32)})" if issuer else safe(value, 32)


def date_words(da: str, language: str = "en") -> str:
    """`14 MAR 1962` from a DICOM DA; what is no date is shown as it came."""
    digits = da.replace("-", "").replace(".", "")
    if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
        return safe(da, 16)
    month = int(digits[4:6])
    if not 1 <= month <= 12:
        return safe(da, 16)
    return f"{int(digits[6:8])} {_months(language)[month - 1]} {digits[:4]}"


def moment(iso: str, language: str = "en") -> str:
    """`24 NOV 10:31`, local time, from ISO 8601."""
    at = datetime.fromisoformat(iso).astimezone()
    return f"{at.day} {_months(language)[at.month - 1]} {at:%H:%M}"


def clock(iso: str) -> str:
    return f"{datetime.fromisoformat(iso).astimezone():%H:%M}" if iso else ""


def _months(language: str) -> list[str]:
    return MONTHS.get(language, MONTHS["en"])


Pieces = tuple[tuple[str, bool], ...]


def pieces(raw: str, marks: tuple[Mark, ...], clip: int = 40) -> Pieces:
    """The text cut where the marks begin and end: (text, is it marked). Clipped like `safe`."""
    text = boxed(raw)
    end = len(text) if len(text) <= clip else clip - 1
    flags = [any(m.start <= i < m.start + m.length for m in marks) for i in range(end)]
    runs: list[tuple[str, bool]] = []
    for character, marked in zip(text[:end], flags, strict=True):
        if runs and runs[-1][1] is marked:
            runs[-1] = (runs[-1][0] + character, marked)
        else:
            runs.append((character, marked))
    return (*runs, ("…", False)) if end < len(text) else tuple(runs)


def date_pieces(da: str, marks: tuple[Mark, ...], language: str = "en") -> Pieces:
    """A date in words with day, month and year marked where their digits differ."""
    words = date_words(da, language).split(" ")
    if len(words) != 3:
        return pieces(da, marks)
    touched = [
        any(m.start < stop and start < m.start + m.length for m in marks)
        for start, stop in ((6, 8), (4, 6), (0, 4))
    ]
    day, month, year = zip(words, touched, strict=True)
    return (day, (" ", False), month, (" ", False), year)


def field_pieces(field: str, raw: str, marks: tuple[Mark, ...], language: str = "en") -> Pieces:
    """A field of an identity as the comparison screens show it."""
    if field == "birth_date":
        return date_pieces(raw, marks, language)
    if field == "identifier":
        value, _, issuer = raw.partition("^")
        shown = pieces(value, marks, 32)
        return (*shown, (f"  {safe(issuer, 24)}", False)) if issuer else shown
    return pieces(raw, marks)
