"""A rejection note: the Key Object Selection that tells an archive to take images out of use
(PS3.3 A.35.4, PS3.16 TID 2010, IHE RAD IOCM)."""

from __future__ import annotations

import io
import os
from datetime import datetime
from itertools import groupby
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from kiosk import __version__
from kiosk.coercion.encoding.uids import made_uid
from kiosk.coercion.planning import MANUFACTURER
from kiosk.model.content import Instance, Study
from kiosk.model.delivery import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    Code,
    Coerced,
    RejectionNote,
)

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
WAVEFORMS = "1.2.840.10008.5.1.4.1.1.9."


def rejection_note(note: RejectionNote, at: datetime) -> Coerced:
    """The note, ready to send; the same bytes for the same `note` and `at`."""
    data = _patient(note)
    _study(data, note.study)
    _document(data, note, at)
    meta, header = _encoded(data)
    return Coerced(
        sop_class_uid=KEY_OBJECT_SELECTION,
        sop_instance_uid=note.sop_instance_uid,
        transfer_syntax_uid=EXPLICIT_LE,
        meta=meta,
        header=header,
        tail=Path(os.devnull),
        tail_offset=0,
        tail_length=0,
    )


def _patient(note: RejectionNote) -> Dataset:
    """The patient as the archive has it: what was written, else as it came."""
    stated = note.stated
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.PatientName = stated.name.to_dicom()
    data.PatientID, data.PatientBirthDate = stated.identifier.value, stated.birth_date
    data.PatientSex = stated.sex
    for each in note.attributes:
        if each.tag >> 16 == 0x0010 and not each.items and each.vr != "SQ":
            data.add_new(each.tag, each.vr, each.value)
    return data


def _study(data: Dataset, study: Study) -> None:
    data.StudyInstanceUID = study.study_instance_uid
    data.StudyDate, data.StudyTime, data.StudyID = study.date, study.time, study.study_id
    data.ReferringPhysicianName = study.referring_physician
    data.AccessionNumber = ""


def _document(data: Dataset, note: RejectionNote, at: datetime) -> None:
    moment = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    data.SOPClassUID, data.SOPInstanceUID = KEY_OBJECT_SELECTION, note.sop_instance_uid
    data.Modality = "KO"
    data.SeriesInstanceUID = made_uid("rejection note", note.sop_instance_uid)
    data.SeriesNumber, data.InstanceNumber = 1, 1
    data.SeriesDate, data.SeriesTime = moment
    data.ContentDate, data.ContentTime = moment
    data.InstanceCreationDate, data.InstanceCreationTime = moment
    data.ReferencedPerformedProcedureStepSequence = []
    data.Manufacturer = data.ManufacturerModelName = MANUFACTURER
    data.SoftwareVersions, data.DeviceSerialNumber = __version__, note.station
    data.CurrentRequestedProcedureEvidenceSequence = [_evidence(note)]
    data.ValueType, data.ContinuityOfContent = "CONTAINER", "SEPARATE"
    data.ConceptNameCodeSequence = [_code(note.title)]
    data.ContentTemplateSequence = [_template()]
    data.ContentSequence = [_content(instance) for _, instance in note.instances]


def _evidence(note: RejectionNote) -> Dataset:
    found = Dataset()
    found.StudyInstanceUID = note.study.study_instance_uid
    found.ReferencedSeriesSequence = []
    for uid, members in groupby(sorted(note.instances, key=_series_of), key=_series_of):
        series = Dataset()
        series.SeriesInstanceUID = uid
        series.ReferencedSOPSequence = [_reference(instance) for _, instance in members]
        found.ReferencedSeriesSequence.append(series)
    return found


def _series_of(each: tuple[str, Instance]) -> str:
    return each[0]


def _reference(instance: Instance) -> Dataset:
    found = Dataset()
    found.ReferencedSOPClassUID = instance.sop_class_uid
    found.ReferencedSOPInstanceUID = instance.sop_instance_uid
    return found


def _content(instance: Instance) -> Dataset:
    """One content item (TID 2010 row 8 to 10): what kind of object it is."""
    found = Dataset()
    found.RelationshipType = "CONTAINS"
    found.ValueType = "IMAGE" if instance.rows else "COMPOSITE"
    if instance.sop_class_uid.startswith(WAVEFORMS):
        found.ValueType = "WAVEFORM"
    found.ReferencedSOPSequence = [_reference(instance)]
    return found


def _template() -> Dataset:
    found = Dataset()
    found.MappingResource, found.TemplateIdentifier = "DCMR", "2010"
    return found


def _code(code: Code) -> Dataset:
    found = Dataset()
    found.CodeValue, found.CodingSchemeDesignator = code.value, code.scheme
    found.CodeMeaning = code.meaning
    return found


def _encoded(data: Dataset) -> tuple[bytes, bytes]:
    """The meta group with what comes before it, and the data set."""
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(EXPLICIT_LE)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    data.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    whole = io.BytesIO()
    dcmwrite(whole, data, enforce_file_format=True)
    written = whole.getvalue()
    # (0002,0000) is the first element of the meta group and says how long the rest of it is.
    data_at = 144 + int.from_bytes(written[140:144], "little")
    return written[:data_at], written[data_at:]
