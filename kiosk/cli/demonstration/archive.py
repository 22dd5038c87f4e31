"""What the demonstration PACS holds: files in one folder, and an index that answers queries."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID

# Query keys by level (PS3.4 C.6.2.1), the unique key first.
KEYS = {
    "STUDY": (
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "StudyID",
        "StudyDescription",
        "ReferringPhysicianName",
        "PatientName",
        "PatientID",
        "IssuerOfPatientID",
        "PatientBirthDate",
        "PatientSex",
    ),
    "SERIES": ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription"),
    "IMAGE": ("SOPInstanceUID", "SOPClassUID", "InstanceNumber"),
}
LEVELS = tuple(KEYS)
_INDEXED = [k for keys in KEYS.values() for k in keys] + ["SpecificCharacterSet"]


class Archive:
    """Instances by SOP Instance UID, kept over a restart. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._index: dict[str, Dataset] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.dcm"):
            self._enter(dcmread(path, stop_before_pixels=True, specific_tags=_INDEXED))

    def store(self, untrusted_file: bytes) -> None:
        """Takes a DICOM file, on the disk before this returns; one UID, one file: the last one
        sent. Raises OSError when it cannot be written, ValueError when it is no instance. The
        file's name is ours: a UID may hold anything."""
        header = dcmread(io.BytesIO(untrusted_file), stop_before_pixels=True)
        uid = str(header.get("SOPInstanceUID", ""))
        if not uid or not header.get("StudyInstanceUID"):
            raise ValueError("no SOP Instance UID or no Study Instance UID")
        path = self._folder / f"{hashlib.sha256(uid.encode()).hexdigest()[:32]}.dcm"
        with (part := path.with_suffix(f".{threading.get_ident()}.part")).open("wb") as file:
            file.write(untrusted_file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        self._enter(header)

    def _enter(self, header: Dataset) -> None:
        kept = Dataset()
        for keyword in _INDEXED:
            if keyword in header:
                kept[keyword] = header[keyword]
        with self._lock:
            self._index[str(header.SOPInstanceUID)] = kept

    def holds(self, sop_class_uid: str, sop_instance_uid: str) -> bool:
        with self._lock:
            found = self._index.get(sop_instance_uid)
        return found is not None and found.get("SOPClassUID", sop_class_uid) == sop_class_uid

    def find(self, query: Dataset) -> Iterator[Dataset]:
        """One answer for each entity at the query's level whose keys match (PS3.4 C.2.2.2).
        Raises ValueError when the query names no level of the Study Root model."""
        level = str(query.get("QueryRetrieveLevel", ""))
        if level not in LEVELS:
            raise ValueError(f"no level {level!r}")
        with self._lock:
            held = list(self._index.values())
        unique = KEYS[level][0]
        groups: dict[str, list[Dataset]] = {}
        for header in held:
            if _matches(query, header):
                groups.setdefault(str(header.get(unique, "")), []).append(header)
        for members in groups.values():
            yield _answer(query, level, members)


def _matches(query: Dataset, header: Dataset) -> bool:
    return all(
        _value_matches(element, header.get(element.keyword))
        for element in query
        if element.keyword in _INDEXED and element.keyword != "SpecificCharacterSet"
    )


def _value_matches(asked: DataElement, held: object) -> bool:
    if asked.value in (None, "") or (isinstance(asked.value, MultiValue) and not asked.value):
        return True
    if isinstance(asked.value, MultiValue):
        return str(held) in [str(v) for v in asked.value]
    wanted, have = str(asked.value), "" if held is None else str(held)
    if asked.VR in ("DA", "TM") and "-" in wanted:
        first, _, last = wanted.partition("-")
        return bool(have) and first <= have and (not last or have <= last)
    if asked.VR == "PN":
        return fnmatch.fnmatchcase(have.upper(), wanted.upper())
    if asked.VR == "UI":
        return have == wanted
    return fnmatch.fnmatchcase(have, wanted)


def _answer(query: Dataset, level: str, members: list[Dataset]) -> Dataset:
    answer = Dataset()
    answer.QueryRetrieveLevel = level
    if "SpecificCharacterSet" in members[0]:
        answer.SpecificCharacterSet = members[0].SpecificCharacterSet
    counted = _counts(level, members)
    known = [k for above in LEVELS[: LEVELS.index(level) + 1] for k in KEYS[above]]
    for element in query:
        if element.keyword in counted:
            setattr(answer, element.keyword, counted[element.keyword])
        elif element.keyword in known:
            if element.keyword in members[0]:
                answer[element.keyword] = members[0][element.keyword]
            else:
                answer.add_new(tag_for_keyword(element.keyword) or 0, element.VR, None)
    return answer


def _counts(level: str, members: list[Dataset]) -> dict[str, object]:
    instances = len(members)
    if level == "STUDY":
        return {
            "NumberOfStudyRelatedInstances": instances,
            "NumberOfStudyRelatedSeries": len({UID(str(m.SeriesInstanceUID)) for m in members}),
            "ModalitiesInStudy": sorted({str(m.get("Modality", "")) for m in members}),
        }
    return {"NumberOfSeriesRelatedInstances": instances} if level == "SERIES" else {}
