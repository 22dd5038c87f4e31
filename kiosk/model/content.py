"""What is on a medium: patients, studies, series, instances; findings; the ledger that balances."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from kiosk.model.patient import PatientIdentity
from kiosk.model.plain import from_plain


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person or a later step should know. `code` is stable, lower-case with hyphens;
    `where` a path on the medium; `detail` plain words without a patient's name or number."""

    code: str
    severity: Severity
    where: str = ""
    detail: str = ""


FINDINGS = "findings.jsonl"


def read_findings(folder: Path) -> Iterator[Finding]:
    """What reading the medium into this staging folder found out, one JSON line each. The file is
    replaced whole by each read, so it has no torn line."""
    path = folder / FINDINGS
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield from_plain(Finding, json.loads(line))


class InstanceStatus(StrEnum):
    OK = "ok"
    DAMAGED = "damaged"  # shorter than its own header says, or bytes of it were unreadable
    UNSUPPORTED = "unsupported"  # held, never forwarded; a finding says why


@dataclass(frozen=True, slots=True)
class Instance:
    """One SOP instance, known from its own header (PS3.10 7.1).

    `file` is the StagedFile's number. `dataset_offset` is where the data set starts in that file
    (0 for a file without meta group), `pixel_offset` where the element (7FE0,0008), (7FE0,0009) or
    (7FE0,0010) starts, or the file's length when there is none: everything before it is the
    header, everything from it on is forwarded verbatim.
    """

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    file: int
    path: str
    bytes: int
    sha256: str
    status: InstanceStatus = InstanceStatus.OK
    dataset_offset: int = 0
    pixel_offset: int = 0
    number: str = ""  # (0020,0013)
    rows: int = 0
    columns: int = 0
    frames: int = 1
    slice_location: str = ""  # (0020,1041), mm; for findings of the catalog, no row keeps it
    # SHA-256 (hex) of the pixel data's value as it is sent (of compressed data the items without
    # what ends them); "" without pixel data. A copy to which another archive gave new UIDs and a
    # new header still has it.
    pixels: str = ""


@dataclass(frozen=True, slots=True)
class NewUid:
    """A UID that cannot stay as it is. `why` is `invalid` (PS3.5 9.1), `missing`, `conflict`
    (another instance has it too: only the file `sha256` gets the new one, references stay with the
    other) or `rejected` (an archive will not take it again)."""

    was: str
    now: str
    why: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What headers of a study say of one attribute, as text for people: its value, or for a
    sequence `present`; and how many of them say so."""

    tag: int
    text: str
    instances: int


@dataclass(frozen=True, slots=True)
class Mended:
    """What breaks a rule of its VR in headers of a study, and what is written instead (PS3.5 6.2).
    `place` is the attribute's path: `(0008,0020)`, or `(0040,0275)[1]>(0032,1060)`."""

    place: str
    keyword: str
    was: str
    now: str
    instances: int


@dataclass(frozen=True, slots=True)
class Series:
    series_instance_uid: str
    modality: str = ""
    description: str = ""
    body_part: str = ""
    number: str = ""
    instances: tuple[Instance, ...] = ()


@dataclass(frozen=True, slots=True)
class Study:
    study_instance_uid: str
    date: str = ""
    time: str = ""
    description: str = ""
    accession_number: str = ""
    institution: str = ""
    referring_physician: str = ""
    study_id: str = ""
    series: tuple[Series, ...] = ()
    # Known once the headers were surveyed (coercion.prepare).
    said: tuple[Said, ...] = ()
    mended: tuple[Mended, ...] = ()
    uids: tuple[NewUid, ...] = ()  # of the whole case: any of its headers may refer to them

    @property
    def instances(self) -> tuple[Instance, ...]:
        return tuple(i for s in self.series for i in s.instances)


@dataclass(frozen=True, slots=True)
class StatedPatient:
    """One patient as the instances' headers state it, and the other spellings seen for the same
    patient (`variants`): a Case is opened for each."""

    identity: PatientIdentity
    studies: tuple[Study, ...] = ()
    variants: tuple[PatientIdentity, ...] = ()

    @property
    def instances(self) -> tuple[Instance, ...]:
        return tuple(i for s in self.studies for i in s.instances)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Every file on the medium in exactly one bucket: `files` equals the sum of the others but
    `directories`, always. `ok + damaged + duplicate + unsupported` are the DICOM instances."""

    files: int = 0
    directories: int = 0
    ok: int = 0
    damaged: int = 0
    duplicate: int = 0
    unsupported: int = 0
    dicomdir: int = 0
    report: int = 0
    viewer: int = 0
    other: int = 0
    unreadable: int = 0
    refused: int = 0

    @property
    def balances(self) -> bool:
        buckets = (getattr(self, f.name) for f in fields(self))
        return bool(2 * self.files == sum(buckets) - self.directories)


@dataclass(frozen=True, slots=True)
class DirectoryClaim:
    """What the medium's DICOMDIR(s) claim, held against what is there (PS3.3 F)."""

    present: bool = False
    usable: bool = False
    listed: int = 0
    listed_missing: int = 0
    unlisted: int = 0
    fileset_id: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A report that is no DICOM object (PDF, RTF, HTML, JPEG, TXT), with its probable patient as
    an index into the catalog's patients, or -1. `study` is the Study Instance UID that it was put
    into, or `why` says in a code why it was not (coercion.documents)."""

    file: int
    path: str
    bytes: int
    kind: str
    patient: int = -1
    study: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that is known of a medium's content once its headers were read."""

    patients: tuple[StatedPatient, ...] = ()
    ledger: Ledger = Ledger()
    directory: DirectoryClaim = DirectoryClaim()
    findings: tuple[Finding, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenStudy:
    """One study as a first look saw it; `instances` are those that are listed or were met."""

    study_instance_uid: str
    modality: str = ""
    description: str = ""
    date: str = ""
    instances: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One plain answer to "what is this disc?" before it is copied: from its list of files, its
    DICOMDIR and a few headers.

    `code` is `scans` (of one person), `several-people`, `no-dicom`, `viewer-only`, `empty`,
    `audio` (music or films), `blank`, `locked`, `unreadable`, `unsafe`, or `unsure` where the look
    was too short to tell. The counts are what was seen: the truth when `whole`, else at least so
    many. `stated` and `lines` are the first few.
    """

    code: str
    people: int = 0
    studies: int = 0
    instances: int = 0
    reports: int = 0
    stated: tuple[PatientIdentity, ...] = ()
    lines: tuple[SeenStudy, ...] = ()
    whole: bool = False
