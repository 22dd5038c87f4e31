"""What one header states, decoded: the patient, the study and the series it belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from kiosk.fileset.header import tags
from kiosk.fileset.header.elements import EXPLICIT_LITTLE, Encoding
from kiosk.fileset.header.file import Header, uid_text
from kiosk.fileset.header.items import items
from kiosk.fileset.header.source import MemorySource
from kiosk.fileset.header.text import Charset, charset, decode
from kiosk.model.content import Series, Study
from kiosk.model.patient import Identifier, PatientIdentity, PersonName

# Texts that Specific Character Set is about, then the rest of what is stated.
_TEXTS = (
    tags.PATIENT_NAME,
    tags.PATIENT_ID,
    tags.ISSUER_OF_PATIENT_ID,
    tags.OTHER_PATIENT_IDS,
    tags.OTHER_PATIENT_NAMES,
    tags.PATIENT_BIRTH_NAME,
    tags.PATIENT_ADDRESS,
    tags.PATIENT_MOTHER_BIRTH_NAME,
    tags.PATIENT_TELEPHONE_NUMBERS,
    tags.ACCESSION_NUMBER,
    tags.INSTITUTION_NAME,
    tags.REFERRING_PHYSICIAN,
    tags.STUDY_DESCRIPTION,
    tags.SERIES_DESCRIPTION,
    tags.STUDY_ID,
)
_STATED = (
    *_TEXTS,
    tags.SPECIFIC_CHARACTER_SET,
    tags.STUDY_DATE,
    tags.STUDY_TIME,
    tags.MODALITY,
    tags.ISSUER_QUALIFIERS,
    tags.PATIENT_BIRTH_DATE,
    tags.PATIENT_SEX,
    tags.OTHER_PATIENT_IDS_SEQUENCE,
    tags.BODY_PART_EXAMINED,
    tags.STUDY_INSTANCE_UID,
    tags.SERIES_INSTANCE_UID,
    tags.SERIES_NUMBER,
)
_OTHER_ID = frozenset({tags.PATIENT_ID, tags.ISSUER_OF_PATIENT_ID})
_QUALIFIERS = frozenset({tags.UNIVERSAL_ENTITY_ID, tags.UNIVERSAL_ENTITY_ID_TYPE})
MOST_OTHERS = 20  # other names and other numbers of one patient


@dataclass(frozen=True, slots=True)
class Statement:
    identity: PatientIdentity
    study: Study
    series: Series
    charset: Charset


class Statements:
    """Decodes headers and directory records. The images of a series state the same bytes again and
    again: each distinct statement is decoded once. `undeclared` is the character set of texts that
    name none that fits."""

    def __init__(self, undeclared: str = "ISO_IR 100") -> None:
        self.undeclared = undeclared
        self._known: dict[tuple[object, ...], Statement] = {}
        self._patients: dict[Record, PatientIdentity] = {}
        self._studies: dict[Record, Study] = {}

    def of(self, header: Header) -> Statement:
        key = (header.encoding, *map(header.values.get, _STATED))
        known = self._known.get(key)
        if known is None:
            stated = _Stated(header.values, header.encoding, self.undeclared)
            known = self._known[key] = stated.statement()
        return known

    def patient(self, record: Record) -> PatientIdentity:
        """The patient that a directory's PATIENT record states."""
        if record not in self._patients:
            self._patients[record] = self._of_record(record).identity()
        return self._patients[record]

    def study(self, record: Record) -> Study:
        """The study that a directory's STUDY record states."""
        if record not in self._studies:
            self._studies[record] = self._of_record(record).study()
        return self._studies[record]

    def _of_record(self, record: Record) -> _Stated:
        return _Stated(dict(record), EXPLICIT_LITTLE, self.undeclared)


Record = tuple[tuple[int, bytes], ...]  # the raw elements of a directory record


class _Stated:
    """The raw values of one data set, read as text."""

    def __init__(self, values: Mapping[int, bytes], encoding: Encoding, undeclared: str) -> None:
        self._values, self._encoding = values, encoding
        sample = b"\\".join(values.get(tag, b"") for tag in _TEXTS)
        self._charset = charset(values.get(tags.SPECIFIC_CHARACTER_SET, b""), sample, undeclared)

    def statement(self) -> Statement:
        return Statement(self.identity(), self.study(), self._series(), self._charset)

    def _text(self, tag: int) -> str:
        return decode(self._values.get(tag, b""), self._charset)

    def study(self) -> Study:
        return Study(
            study_instance_uid=uid_text(self._values.get(tags.STUDY_INSTANCE_UID, b"")),
            date=self._text(tags.STUDY_DATE),
            time=self._text(tags.STUDY_TIME),
            description=self._text(tags.STUDY_DESCRIPTION),
            accession_number=self._text(tags.ACCESSION_NUMBER),
            institution=self._text(tags.INSTITUTION_NAME),
            referring_physician=self._text(tags.REFERRING_PHYSICIAN),
            study_id=self._text(tags.STUDY_ID),
        )

    def _series(self) -> Series:
        return Series(
            series_instance_uid=uid_text(self._values.get(tags.SERIES_INSTANCE_UID, b"")),
            modality=self._text(tags.MODALITY),
            description=self._text(tags.SERIES_DESCRIPTION),
            body_part=self._text(tags.BODY_PART_EXAMINED),
            number=self._text(tags.SERIES_NUMBER),
        )

    def identity(self) -> PatientIdentity:
        """The Patient module (PS3.3 C.7.1.1), with the other numbers and names it gives."""
        sex = self._text(tags.PATIENT_SEX).upper()
        return PatientIdentity(
            identifiers=tuple(dict.fromkeys(self._identifiers())),
            names=tuple(dict.fromkeys(self._names())),
            birth_date=birth_date(self._text(tags.PATIENT_BIRTH_DATE)),
            sex=sex if sex in ("M", "F", "O") else "",
            address=self._text(tags.PATIENT_ADDRESS),
            telephone=self._text(tags.PATIENT_TELEPHONE_NUMBERS),
            mother_birth_name=self._text(tags.PATIENT_MOTHER_BIRTH_NAME),
        )

    def _names(self) -> Iterator[PersonName]:
        """The Patient's Name first; where it is empty, no other name stands in for it."""
        name = PersonName.from_dicom(self._text(tags.PATIENT_NAME))
        if not name:
            return
        yield name
        others = self._text(tags.OTHER_PATIENT_NAMES).split("\\")[:MOST_OTHERS]
        for text, kind in (*((o, "A") for o in others), (self._text(tags.PATIENT_BIRTH_NAME), "M")):
            if other := PersonName.from_dicom(text):
                yield replace(other, type=kind)

    def _identifiers(self) -> Iterator[Identifier]:
        """The Patient ID first; where it is empty, no other number stands in for it."""
        if not self._text(tags.PATIENT_ID):
            return
        qualifiers = next(self._items(tags.ISSUER_QUALIFIERS, _QUALIFIERS), {})
        yield Identifier(
            value=self._text(tags.PATIENT_ID),
            issuer=self._text(tags.ISSUER_OF_PATIENT_ID),
            universal_id=uid_text(qualifiers.get(tags.UNIVERSAL_ENTITY_ID, b"")),
            universal_id_type=uid_text(qualifiers.get(tags.UNIVERSAL_ENTITY_ID_TYPE, b"")),
        )
        for item in self._items(tags.OTHER_PATIENT_IDS_SEQUENCE, _OTHER_ID):
            value, issuer = (item.get(t, b"") for t in (tags.PATIENT_ID, tags.ISSUER_OF_PATIENT_ID))
            if number := decode(value, self._charset):
                yield Identifier(number, decode(issuer, self._charset))
        for other in self._text(tags.OTHER_PATIENT_IDS).split("\\")[:MOST_OTHERS]:
            if other.strip():
                yield Identifier(other.strip())

    def _items(self, tag: int, wanted: frozenset[int]) -> Iterator[dict[int, bytes]]:
        raw = self._values.get(tag, b"")
        for _, item in items(MemorySource(raw), 0, len(raw), self._encoding, wanted, MOST_OTHERS):
            yield item.values


_DATE = re.compile(r"(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})", re.ASCII)


def birth_date(text: str) -> str:
    """A DA, also as ACR-NEMA wrote it (`1962.03.14`); "" when it is no day of the calendar."""
    match = _DATE.fullmatch(text)
    if match is None:
        return ""
    try:
        return date(*map(int, match.groups())).strftime("%Y%m%d")
    except ValueError:
        return ""
