"""What one header states, decoded: the patient, the study and the series it belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from kiosk.fileset.header.elements import EXPLICIT_LITTLE, items
from kiosk.fileset.header.file import Header, uid_text
from kiosk.fileset.header.source import MemorySource
from kiosk.fileset.header.text import Charset, charset, decode
from kiosk.model.content import Series, Study
from kiosk.model.patient import Identifier, PatientIdentity, PersonName

_TEXTS = (
    *(0x00100010, 0x00100020, 0x00100021, 0x00101000, 0x00101001, 0x00101005, 0x00101040),
    *(0x00101060, 0x00102154, 0x00080050, 0x00080080, 0x00080090, 0x00081030, 0x0008103E),
    0x00200010,
)
_OTHERS = (
    *(0x00080005, 0x00080020, 0x00080030, 0x00080060, 0x00100024, 0x00100030, 0x00100040),
    *(0x00101002, 0x00180015, 0x0020000D, 0x0020000E, 0x00200011),
)
MOST_OTHER_NUMBERS = 20


class Statements:
    """Decodes headers. Images of one series state the same bytes again and again: each distinct
    statement is decoded once."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[PatientIdentity, Study, Series, Charset]] = {}

    def of(self, header: Header) -> tuple[PatientIdentity, Study, Series, Charset]:
        get = header.values.get
        key = (header.encoding, *(get(tag) for tag in _TEXTS), *(get(tag) for tag in _OTHERS))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _decode(header)
        return known


def _decode(header: Header) -> tuple[PatientIdentity, Study, Series, Charset]:
    values = header.values
    sample = b"\\".join(values.get(tag, b"") for tag in _TEXTS)
    chosen = charset(values.get(0x00080005, b""), sample)

    def text(tag: int) -> str:
        return decode(values.get(tag, b""), chosen)

    study = Study(
        header.uid(0x0020000D),
        text(0x00080020),
        text(0x00080030),
        text(0x00081030),
        text(0x00080050),
        text(0x00080080),
        text(0x00080090),
        text(0x00200010),
    )
    series = Series(
        header.uid(0x0020000E),
        text(0x00080060),
        text(0x0008103E),
        text(0x00180015),
        text(0x00200011),
    )
    return identity(header, chosen), study, series, chosen


def identity(header: Header, chosen: Charset) -> PatientIdentity:
    """The Patient module (PS3.3 C.7.1.1), with other numbers and names it gives."""
    values = header.values

    def text(tag: int) -> str:
        return decode(values.get(tag, b""), chosen)

    names = [PersonName.from_dicom(text(0x00100010))]
    names += [PersonName.from_dicom(n) for n in text(0x00101001).split("\\")[:MOST_OTHER_NUMBERS]]
    return PatientIdentity(
        tuple(dict.fromkeys(i for i in _numbers(header, chosen) if i.value)),
        tuple(dict.fromkeys(n for n in names if n)),
        birth_date(text(0x00100030)),
        text(0x00100040) if text(0x00100040) in ("M", "F", "O") else "",
        text(0x00101040),
        text(0x00102154),
        text(0x00101060),
    )


def _numbers(header: Header, chosen: Charset) -> Iterator[Identifier]:
    values = header.values

    def text(tag: int) -> str:
        return decode(values.get(tag, b""), chosen)

    universal: dict[int, bytes] = {}
    for item in _items(header, 0x00100024, frozenset({0x00400032, 0x00400033})):
        universal = universal or item
    yield Identifier(
        text(0x00100020),
        text(0x00100021),
        "",
        uid_text(universal.get(0x00400032, b"")),
        uid_text(universal.get(0x00400033, b"")),
    )
    for item in _items(header, 0x00101002, frozenset({0x00100020, 0x00100021})):
        value, issuer = item.get(0x00100020, b""), item.get(0x00100021, b"")
        yield Identifier(decode(value, chosen), decode(issuer, chosen))
    for other in text(0x00101000).split("\\")[:MOST_OTHER_NUMBERS]:
        yield Identifier(other.strip())


def _items(header: Header, tag: int, wanted: frozenset[int]) -> Iterator[dict[int, bytes]]:
    raw = header.values.get(tag, b"")
    found = items(MemorySource(raw), 0, len(raw), header.encoding, wanted, MOST_OTHER_NUMBERS)
    for _, item in found:
        yield item.values


_DATE = re.compile(r"(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})")


def birth_date(text: str) -> str:
    """A DA, also as ACR-NEMA wrote it (`1962.03.14`); "" when it is no day of the calendar."""
    match = _DATE.fullmatch(text)
    if match is None:
        return ""
    try:
        return date(*map(int, match.groups())).strftime("%Y%m%d")
    except ValueError:
        return ""


@lru_cache(1024)
def stated_by_record(values: tuple[tuple[int, bytes], ...]) -> PatientIdentity:
    """The patient that a directory's PATIENT record states, of its raw elements."""
    header = Header("", EXPLICIT_LITTLE, 0, 0, dict(values), {})
    sample = b"\\".join(header.values.get(tag, b"") for tag in _TEXTS)
    return identity(header, charset(header.values.get(0x00080005, b""), sample))
