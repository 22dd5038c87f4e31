"""What a value must be by its VR (PS3.5 6.2), and the nearest thing to it that may be written.

Only the form of a value is mended, never its meaning: where what was meant cannot be told, the
value is left empty. What it was before is kept by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal, InvalidOperation

from kiosk.coercion.encoding.elements import Encoding

# How many bytes one number takes; a value field is a multiple of it.
UNITS = {b"US": 2, b"SS": 2, b"UL": 4, b"SL": 4, b"FL": 4, b"FD": 8, b"AT": 4, b"OW": 2}
UNITS |= {b"OF": 4, b"OL": 4, b"OD": 8, b"OV": 8, b"SV": 8, b"UV": 8}

_UID = rb"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+"
_NUMBER = rb" *[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)? *"
_FORMS = {  # of one value; padding at its end is no part of it
    b"AE": rb"[ -\[\]-~]{0,16}",
    b"AS": rb"(?:\d{3}[DWMY])?",
    b"CS": rb"[A-Z0-9 _]{0,16}",
    b"DA": rb"(?:\d{8})?",
    b"DS": rb"(?=.{0,16}$)(?:" + _NUMBER + rb")?",
    b"DT": rb"(?:\d{4}(?:\d\d){0,5}(?:(?<=\d{14})\.\d{1,6})?(?:[+-]\d{4})?)?",
    b"IS": rb"(?=.{0,12}$)(?: *[+-]?\d+ *)?",
    b"TM": rb"(?:\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?)?",
    b"UI": rb"(?:" + _UID + rb")?",
}
LEGAL = {vr: re.compile(form) for vr, form in _FORMS.items()}
_TIMED = frozenset((b"DA", b"TM", b"DT"))
_LONGEST = {b"LO": 64, b"SH": 16, b"ST": 1024, b"LT": 10240, b"PN": 64}
TEXTS = frozenset((*_LONGEST, b"UC", b"UT"))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")  # never; ESC is the charset's
_LINES = re.compile(r"[\t\n\f\r]")  # in ST and LT only
SINGLE = frozenset((b"LT", b"ST", b"UT", b"UR"))  # a backslash in them separates nothing


def valid_uid(uid: str) -> bool:
    """Whether it is one (PS3.5 9.1): two numbers or more without leading zeros, 64 characters at
    most. That nobody assigned its root takes nothing from it: archives file by it."""
    return len(uid) <= 64 and re.fullmatch(_UID, uid.encode("ascii", "replace")) is not None


def is_legal(raw: bytes, vr: bytes) -> bool:
    """Whether a value field of a VR without character set is as the VR asks, padding aside."""
    if unit := UNITS.get(vr):
        return len(raw) % unit == 0
    form = LEGAL.get(vr)
    if form is None:
        return True
    raw = raw.rstrip(b"\0") if vr == b"UI" else raw.rstrip(b" \0")
    values = raw.split(b"\\") if b"\\" in raw else (raw,)
    for value in values:
        if form.fullmatch(value) is None and form.fullmatch(value.strip(b" ")) is None:
            return False
        if vr == b"UI" and (len(value) > 64 or value != value.strip(b" ")):
            return False
        if vr in _TIMED and value and not _exists(value.strip(b" ").decode("ascii"), vr):
            return False
        if vr == b"IS" and value and not -(2**31) <= int(value) < 2**31:
            return False
    return True


def _exists(text: str, vr: bytes) -> bool:
    """Whether there is such a day or time; 60 seconds there are."""
    try:
        if vr != b"TM":
            date(int(text[:4]), int(text[4:6] or 1), int(text[6:8] or 1))
            text = re.split(r"[+-]", text)[0][8:] if vr == b"DT" else ""
        parts = [int(text[n : n + 2]) for n in (0, 2, 4) if text[n : n + 2]]
        hour, minute, second = (*parts, 0, 0, 0)[:3]
        time(hour, minute, min(second, 59) if second == 60 else second)
    except ValueError:
        return False
    return True


def mended(raw: bytes, vr: bytes, encoding: Encoding) -> bytes:
    """`raw`, not legal for `vr`, as it may be written. For UI only blanks are taken away: what is
    no UID then is replaced as one, everywhere."""
    if unit := UNITS.get(vr):
        return raw[: len(raw) - len(raw) % unit]
    text = raw.decode("latin-1").rstrip(" \0")
    return "\\".join(_MEND[vr](value.strip(" \0")) for value in text.split("\\")).encode("latin-1")


def _printable(text: str, length: int) -> str:
    return re.sub(r"[^ -\[\]-~]", " ", text)[:length].strip()


def _code_string(text: str) -> str:
    return re.sub(r"[^A-Z0-9 _]", "_", text.upper())[:16].strip()


def _age(text: str) -> str:
    """`45`, `45Y`, `045 y`: years unless it says otherwise."""
    found = re.fullmatch(r"0*(\d{1,3}) ?([DWMY]?)", text.upper())
    return f"{int(found[1]):03}{found[2] or 'Y'}" if found else ""


def _date(text: str) -> str:
    """ACR-NEMA's `1997.03.01`, ISO's `1997-03-01`, a date with its time, `01.03.1997`."""
    found = re.match(r"(\d{4})([-./]?)(\d\d)\2(\d\d)(?!\d{1,5}$)", text)
    parts = found.group(1, 3, 4) if found else None
    if parts is None and (found := re.fullmatch(r"(\d\d)\.(\d\d)\.(\d{4})", text)):
        parts = found.group(3, 2, 1)
    whole = "".join(parts) if parts else ""
    return whole if whole and _exists(whole, b"DA") else ""


def _time(text: str) -> str:
    """`12:34:56`, too many fractions, `93015` without its first zero."""
    plain = re.sub(r"[: ]", "", text)
    found = re.fullmatch(r"(\d{1,6})(?:[.,](\d*))?", plain)
    if found is None or len(found[1]) in (1, 3):
        return ""
    digits = found[1].zfill(6) if len(found[1]) == 5 else found[1]
    fraction = f".{found[2][:6]}" if found[2] and len(digits) == 6 else ""
    return digits + fraction if _exists(digits, b"TM") else ""


def _date_time(text: str) -> str:
    found = re.match(r"(\d{4}[-./]?\d\d[-./]?\d\d)[T ]?([\d:]*(?:\.\d+)?)([+-]\d{4})?", text)
    if found is None or not (day := _date(found[1])):
        return ""
    clock = _time(found[2]) if found[2] else ""
    return day + clock + (found[3] or "" if clock else "")


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.replace(",", "."))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 300 else None


def _integer(text: str) -> str:
    number = _number(text)
    rounded = None if number is None or number.adjusted() > 11 else int(number.to_integral_value())
    return str(rounded) if rounded is not None and -(2**31) <= rounded < 2**31 else ""


def _decimal(text: str) -> str:
    """With as many digits as fit into 16 characters."""
    number = _number(text)
    if number is None:
        return ""
    value = float(number)
    for digits in range(17, 0, -1):
        shorter = f"{value:.{digits}g}"
        if len(shorter) <= 16:
            return shorter
    return ""


_MEND: dict[bytes, Callable[[str], str]] = {
    b"AE": lambda text: _printable(text, 16),
    b"AS": _age,
    b"CS": _code_string,
    b"DA": _date,
    b"DS": _decimal,
    b"DT": _date_time,
    b"IS": _integer,
    b"TM": _time,
    b"UI": lambda text: text,
}


def mended_text(text: str, vr: bytes) -> str:
    """Text that may be written for `vr`, the same when `text` is legal: control characters are
    blanks, what is longer than the VR allows is cut."""
    longest = _LONGEST.get(vr, 0xFFFFFFFF)
    text = _CONTROL.sub(" ", text)
    if vr in SINGLE:
        return text[:longest]
    text = _LINES.sub(" ", text) if vr != b"UC" else text
    if vr == b"PN":
        return "\\".join(map(_name, text.split("\\")))
    return "\\".join(v if len(v) <= longest else v[:longest].rstrip() for v in text.split("\\"))


def _name(value: str) -> str:
    """At most three groups of five components, 64 characters each group."""
    groups = []
    for group in value.split("=")[:3]:
        parts = group.split("^")
        whole = "^".join([*parts[:4], " ".join(p for p in parts[4:] if p)]) if parts[5:] else group
        groups.append(whole if len(whole) <= 64 else whole[:64].rstrip(" ^"))
    return "=".join(groups)
