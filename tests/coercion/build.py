"""Instances and plans for the tests, made from real files without the reader that makes them
in production: the rooms are tested one by one."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import replace
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.filereader import read_partial
from pydicom.uid import UID

from kiosk.coercion import plan
from kiosk.coercion.applying import EXPANDED
from kiosk.coercion.preparing.expanding import expanded
from kiosk.model.content import Instance, StatedPatient, Study
from kiosk.model.delivery import Coerced, ImportOrder, Plan
from kiosk.model.matching import Action, Resolution
from kiosk.model.medium import staged_name
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.policy import Policy

AT = "2026-11-24T08:00:00Z"
LOCAL = PatientIdentity(
    identifiers=(
        Identifier("L-4711", "HOSP", "MR", universal_id="1.2.3.4", universal_id_type="ISO"),
    ),
    names=(PersonName("Smith", "Anna", "Maria"),),
    birth_date="19700102",
    sex="F",
)
PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


def instance_of(path: Path) -> Instance:
    """What the catalog would say of the file."""
    data = path.read_bytes()
    with warnings.catch_warnings(), io.BytesIO(data) as f:
        warnings.simplefilter("ignore")
        ds = read_partial(f, stop_when=lambda tag, vr, length: tag in PIXELS, force=True)
        after_header = f.tell()
    syntax = ds.file_meta.get("TransferSyntaxUID") or _guessed(ds)
    start = _dataset_offset(data)
    return Instance(
        sop_instance_uid=str(ds.get("SOPInstanceUID", "")),
        sop_class_uid=str(ds.get("SOPClassUID", "")),
        transfer_syntax_uid=str(syntax),
        file=1,
        path=path.name,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        dataset_offset=start,
        pixel_offset=len(data) if UID(str(syntax)).is_deflated else after_header,
    )


def staged(path: Path, folder: Path) -> tuple[Path, Instance]:
    """The file as it is staged and prepared: deflated and big endian ones written anew."""
    copy = folder / staged_name(1)
    copy.write_bytes(path.read_bytes())
    instance = replace(instance_of(path), file=1)
    if instance.transfer_syntax_uid in EXPANDED:
        instance = expanded(folder, instance, 10_000_000)
    return folder / staged_name(instance.file), instance


def _guessed(ds: Dataset) -> str:
    implicit, little = ds.original_encoding
    return "1.2.840.10008.1.2" + ("" if implicit else ".1" if little else ".2")


def _dataset_offset(data: bytes) -> int:
    at = 132 if data[128:132] == b"DICM" else 0
    while data[at : at + 2] == b"\x02\x00":
        vr = data[at + 4 : at + 6]
        if vr in (b"OB", b"UN"):
            at += 12 + int.from_bytes(data[at + 8 : at + 12], "little")
        else:
            at += 8 + int.from_bytes(data[at + 6 : at + 8], "little")
    return at


def stated_of(path: Path) -> tuple[StatedPatient, Study]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = dcmread(path, stop_before_pixels=True, force=True)
        identity = PatientIdentity(
            (Identifier(str(ds.get("PatientID", "")), str(ds.get("IssuerOfPatientID", ""))),),
            (PersonName.from_dicom(str(ds.get("PatientName", ""))),),
            str(ds.get("PatientBirthDate", "")),
            str(ds.get("PatientSex", "")),
        )
        study = Study(
            str(ds.get("StudyInstanceUID", "")),
            accession_number=str(ds.get("AccessionNumber", "")),
            institution="Elsewhere General",
        )
    return StatedPatient(identity, (study,)), study


def plan_for(
    path: Path,
    local: PatientIdentity | None = LOCAL,
    policy: Policy | None = None,
    order: ImportOrder | None = None,
) -> Plan:
    """The plan for the file's study: linked to `local`, or import-only when that is None."""
    action = Action.LINK if local else Action.IMPORT_ONLY
    resolution = Resolution(action, "someone", AT, local=local)
    stated, study = stated_of(path)
    return plan(stated, study, resolution, policy or Policy(), AT, order)


def named(name: str) -> PatientIdentity:
    return replace(LOCAL, names=(PersonName.from_dicom(name),))


def whole(coerced: Coerced) -> bytes:
    """The Part 10 file as a receiver would store it."""
    data = coerced.tail.read_bytes()
    tail = data[coerced.tail_offset : coerced.tail_offset + coerced.tail_length]
    assert len(tail) == coerced.tail_length
    return coerced.meta + coerced.header + tail


def read(data: bytes) -> Dataset:
    return dcmread(io.BytesIO(data))
