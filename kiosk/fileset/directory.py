"""The medium's directory as a claim (PS3.3 F, PS3.10 8): what its records list, and where those
files are. Nothing in it is believed; every loop, wrong offset and foreign record is survived."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kiosk.fileset.header import tags
from kiosk.fileset.header.elements import UNDEFINED, Scan, scan
from kiosk.fileset.header.file import Budget, Header, uid_text
from kiosk.fileset.header.items import items
from kiosk.fileset.header.source import Source

_ROOT_KEYS = frozenset({tags.FILE_SET_ID, tags.FIRST_ROOT_RECORD, tags.DIRECTORY_RECORDS})
_RECORD_KEYS = frozenset(
    (
        tags.NEXT_RECORD,
        tags.RECORD_IN_USE,
        tags.LOWER_RECORD,
        tags.RECORD_TYPE,
        tags.REFERENCED_FILE_ID,
        tags.REFERENCED_SOP_CLASS_UID,
        tags.REFERENCED_SOP_INSTANCE_UID,
        tags.REFERENCED_TRANSFER_SYNTAX_UID,
        tags.SPECIFIC_CHARACTER_SET,
        tags.MODALITY,
        tags.PATIENT_NAME,
        tags.PATIENT_ID,
        tags.PATIENT_BIRTH_DATE,
        tags.PATIENT_SEX,
        tags.STUDY_INSTANCE_UID,
        tags.STUDY_DATE,
        tags.STUDY_DESCRIPTION,
        tags.SERIES_INSTANCE_UID,
    )
)
# Records that may lead to a file which is no DICOM object.
_NOT_DICOM = frozenset({"PRIVATE", "HL7 STRUC DOC", ""})
MOST_BYTES = 256_000_000


@dataclass(slots=True)
class Record:
    """One directory record: raw values, and where it leads."""

    values: dict[int, bytes]
    next: int
    child: int
    kind: str

    @property
    def in_use(self) -> bool:
        """Only 0000 is unused, and a missing flag is none (PS3.3 F.3.2.2)."""
        return self.values.get(tags.RECORD_IN_USE, b"\xff\xff")[:2] != b"\0\0"


@dataclass(frozen=True, slots=True)
class Claim:
    """A file that the directory lists. `components` is the File ID; what the records above say is
    raw: `patient` and `study` have the elements of the PATIENT and of the STUDY record."""

    components: tuple[str, ...]
    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    patient: tuple[tuple[int, bytes], ...]
    study_instance_uid: str
    series_instance_uid: str
    modality: str
    study: tuple[tuple[int, bytes], ...] = ()

    @property
    def is_instance(self) -> bool:
        return bool(self.sop_instance_uid) or self.kind not in _NOT_DICOM

    @property
    def path(self) -> str:
        return "/".join(self.components)

    @property
    def leads_outside(self) -> bool:
        """Whether the File ID is no name below the File-set (PS3.10 8.2)."""
        return any(c == ".." or ":" in c or "\0" in c for c in self.components) or (
            self.components[:1] == ("",)
        )


@dataclass(slots=True)
class Directory:
    """A Media Storage Directory as it was read. `problems` are sentences; without any and with a
    record it is usable."""

    path: str
    fileset_id: str = ""
    claims: list[Claim] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    records: int = 0

    @property
    def usable(self) -> bool:
        return not self.problems

    def problem(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)


def is_named_directory(path: str) -> bool:
    """Whether a file has the name that only the directory may have (PS3.10 8.6)."""
    return _VERSION.sub("", path.rpartition("/")[2]).rstrip(".").upper() == "DICOMDIR"


def unreadable_directory(path: str) -> Directory:
    return Directory(path, problems=["The directory cannot be read."])


def walk(source: Source, header: Header, path: str, most_records: int, budget: Budget) -> Directory:
    """The directory in `source`, its records followed by their offsets; where those lead nowhere,
    the records that nothing leads to are taken in the order of the file."""
    directory = Directory(path)
    if source.size > MOST_BYTES:
        directory.problem("The directory is larger than a directory may be.")
        return directory
    found = scan(
        source,
        header.dataset_offset,
        header.encoding,
        _ROOT_KEYS,
        until=tags.DIRECTORY_RECORDS,
        elements=budget.for_file(),
    )
    directory.fileset_id = uid_text(found.values.get(tags.FILE_SET_ID, b""))
    if found.until < 0:
        if tags.DIRECTORY_RECORDS not in found.values:  # it may be empty (type 2), not absent
            directory.problem("The directory's list of records is missing.")
        return directory
    records = _records(source, header, found, directory, most_records, budget)
    directory.records = len(records)
    first = _number(found.values, tags.FIRST_ROOT_RECORD, header)
    reached = _follow(records, first, directory)
    _claims(records, reached, directory)
    return directory


def _records(
    source: Source,
    header: Header,
    found: Scan,
    directory: Directory,
    most: int,
    budget: Budget,
) -> dict[int, Record]:
    stop = source.size if found.length == UNDEFINED else found.until + found.length
    if stop > source.size:
        directory.problem("The directory is shorter than it says.")
    records: dict[int, Record] = {}
    pieces = items(
        source, found.until, min(stop, source.size), header.encoding, _RECORD_KEYS, most + 1
    )
    left = budget.for_file()
    for offset, piece in pieces:
        left -= piece.elements
        budget.elements -= piece.elements
        if len(records) >= most or left < 0:
            directory.problem("The directory has more records than are followed.")
            break
        if piece.problem:
            directory.problem("Records of the directory are damaged.")
        kind = uid_text(piece.values.get(tags.RECORD_TYPE, b"")).upper()
        if piece.values:
            records[offset] = Record(
                piece.values,
                _number(piece.values, tags.NEXT_RECORD, header),
                _number(piece.values, tags.LOWER_RECORD, header),
                kind,
            )
    return records


def _number(values: dict[int, bytes], tag: int, header: Header) -> int:
    return int.from_bytes(values.get(tag, b"")[:4], "big" if header.encoding.big else "little")


_Above = tuple[Record | None, Record | None, Record | None]  # patient, study, series


def _follow(records: dict[int, Record], first: int, directory: Directory) -> dict[int, _Above]:
    """The records in use with what lies above each: by the offsets, then what these left out."""
    reached: dict[int, _Above] = {}
    waiting: list[tuple[int, _Above]] = [(first, (None, None, None))]
    while waiting:
        offset, above = waiting.pop()
        if offset == 0:
            continue
        record = records.get(offset)
        if record is None or offset in reached:
            directory.problem("Offsets of the directory lead nowhere or in a circle.")
            continue
        reached[offset] = above
        waiting.append((record.next, above))
        waiting.append((record.child, _below(record, above)))
    above = (None, None, None)
    for offset, record in records.items():
        if offset in reached:
            above = reached[offset]
        elif record.in_use:
            directory.problem("The directory has records that no other record leads to.")
            reached[offset] = above
        above = _below(record, above)
    return reached


def _below(record: Record, above: _Above) -> _Above:
    if record.kind == "PATIENT":
        return record, None, None
    if record.kind == "STUDY":
        return above[0], record, None
    return (above[0], above[1], record) if record.kind == "SERIES" else above


def _claims(records: dict[int, Record], reached: dict[int, _Above], directory: Directory) -> None:
    for offset, record in records.items():
        file_id = record.values.get(tags.REFERENCED_FILE_ID, b"")
        if offset not in reached or not record.in_use or not file_id.strip(b" \0\\"):
            continue
        patient, study, series = reached[offset]
        directory.claims.append(
            Claim(
                _components(file_id),
                record.kind,
                uid_text(record.values.get(tags.REFERENCED_SOP_CLASS_UID, b"")),
                uid_text(record.values.get(tags.REFERENCED_SOP_INSTANCE_UID, b"")),
                uid_text(record.values.get(tags.REFERENCED_TRANSFER_SYNTAX_UID, b"")),
                tuple(patient.values.items()) if patient else (),
                uid_text(study.values.get(tags.STUDY_INSTANCE_UID, b"")) if study else "",
                uid_text(series.values.get(tags.SERIES_INSTANCE_UID, b"")) if series else "",
                uid_text(series.values.get(tags.MODALITY, b"")) if series else "",
                tuple(study.values.items()) if study else (),
            )
        )


def _components(file_id: bytes) -> tuple[str, ...]:
    """The File ID's components. Writers use `/` as well as the backslash, and a leading one."""
    try:
        text = file_id.decode("utf-8")
    except UnicodeDecodeError:
        text = file_id.decode("latin-1")
    absolute = text.lstrip().startswith("/")
    parts = [part.strip(" ") for part in re.split(r"[\\/]", text.rstrip("\0 "))]
    return (("",) if absolute else ()) + tuple(p for p in parts if p not in ("", "."))


class Paths:
    """The medium's paths as File IDs may mean them: whatever the case, with or without version,
    final dot and suffix. Only these paths are ever looked into, never a file system."""

    def __init__(self, paths: Iterable[tuple[int, str]]) -> None:
        self._exact: dict[str, int] = {}
        self._bare: dict[str, int] = {}
        for number, path in paths:
            key = _key(path.split("/"))
            self._exact.setdefault(key, number)
            self._bare.setdefault(_SUFFIX.sub("", key), number)

    def find(self, folder: Sequence[str], components: Sequence[str]) -> int | None:
        key = _key((*folder, *components))
        return self._exact.get(key, self._bare.get(_SUFFIX.sub("", key)))

    def base(self, directory: Directory) -> tuple[str, ...]:
        """The folder that the File IDs count from: the directory's own, else the one above it
        that most of them are found from (vendors put copies into subfolders)."""
        own = tuple(directory.path.split("/")[:-1])
        some = [c.components for c in directory.claims[:100] if not c.leads_outside]
        folders = [own[:n] for n in range(len(own), -1, -1)]
        return max(folders, key=lambda f: sum(self.find(f, c) is not None for c in some))


_SUFFIX = re.compile(r"\.(dcm|dicom|dic|ima|img)$")
_VERSION = re.compile(r"(\.?;\d+)+$")


def _key(components: Iterable[str]) -> str:
    return "/".join(_VERSION.sub("", c).rstrip(".").casefold() for c in components)
