"""A report as a DICOM object: Encapsulated PDF (PS3.3 A.45.1) or Secondary Capture (A.8.1)."""

from __future__ import annotations

import io

from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import UID

from kiosk import __version__
from kiosk.coercion.applying import EXPLICIT_LE
from kiosk.coercion.documents.picture import Picture
from kiosk.coercion.encoding.elements import ITEM, SEQUENCE_END
from kiosk.coercion.planning import MANUFACTURER
from kiosk.coercion.wording import clip, person_name
from kiosk.model.content import StatedPatient, Study
from kiosk.model.delivery import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def common(
    patient: StatedPatient, study: Study, series_uid: str, instance_uid: str, number: int
) -> Dataset:
    """Patient, study, series and equipment; the patient as the disc states them."""
    data, stated = Dataset(), patient.identity
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPInstanceUID, data.StudyInstanceUID = instance_uid, study.study_instance_uid
    data.SeriesInstanceUID, data.InstanceNumber = series_uid, number
    data.PatientName = person_name(stated.name)
    data.PatientID = clip(stated.identifier.value, 64)
    if stated.identifier.issuer:
        data.IssuerOfPatientID = clip(stated.identifier.issuer, 64)
    data.PatientBirthDate, data.PatientSex = stated.birth_date, stated.sex
    data.StudyDate, data.StudyTime, data.StudyID = study.date, study.time, clip(study.study_id, 16)
    data.StudyDescription = clip(study.description, 64)
    data.ReferringPhysicianName = clip(study.referring_physician, 64)
    data.AccessionNumber = clip(study.accession_number, 16)
    data.SeriesNumber, data.SeriesDescription = 0, "Documents from the medium"
    data.Laterality = ""
    data.Manufacturer = data.ManufacturerModelName = MANUFACTURER
    data.SoftwareVersions, data.ConversionType = __version__, "WSD"
    return data


def paper(data: Dataset, pdf: bytes, title: str) -> tuple[bytes, int, int]:
    """A whole file, where its data set starts, and where it ends: it has no pixel data."""
    data.SOPClassUID, data.Modality = ENCAPSULATED_PDF, "DOC"
    data.ContentDate = data.ContentTime = data.AcquisitionDateTime = ""
    data.BurnedInAnnotation = "YES"
    data.DocumentTitle, data.ConceptNameCodeSequence = title, []
    data.MIMETypeOfEncapsulatedDocument = "application/pdf"
    data.EncapsulatedDocumentLength = len(pdf)
    data.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    written, start = _written(data, EXPLICIT_LE)
    return written, start, len(written)


def capture(data: Dataset, picture: Picture, title: str) -> tuple[bytes, int, int]:
    """A whole file, where its data set starts, and where its pixel data do."""
    data.SOPClassUID, data.Modality = SECONDARY_CAPTURE, "OT"
    data.ContentDate = data.ContentTime = data.PatientOrientation = ""
    data.ImageComments, data.BurnedInAnnotation = title, "YES"
    data.SamplesPerPixel, data.PhotometricInterpretation = picture.samples, picture.photometric
    data.Rows, data.Columns = picture.rows, picture.columns
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.PixelRepresentation = 0
    if picture.samples == 3:
        data.PlanarConfiguration = 0
    ratio = picture.rows * picture.columns * picture.samples / len(picture.data)
    data.LossyImageCompression, data.LossyImageCompressionMethod = "01", "ISO_10918_1"
    data.LossyImageCompressionRatio = f"{ratio:.3g}"
    written, start = _written(data, picture.transfer_syntax_uid)
    return written + _encapsulated(picture.data), start, len(written)


def _encapsulated(frame: bytes) -> bytes:
    """Pixel Data with an empty offset table and one fragment (PS3.5 A.4)."""
    item = _word(ITEM)
    head = _word(0x7FE00010) + b"OB" + bytes(2) + b"\xff" * 4
    table, fragment = item + bytes(4), item + len(frame).to_bytes(4, "little") + frame
    return head + table + fragment + _word(SEQUENCE_END) + bytes(4)


def _word(tag: int) -> bytes:
    return (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")


def _written(data: Dataset, transfer_syntax_uid: str) -> tuple[bytes, int]:
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    data.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    whole = io.BytesIO()
    dcmwrite(whole, data, enforce_file_format=True)
    written = whole.getvalue()
    # (0002,0000) is the first element of the meta group and says how long the rest of it is.
    return written, 144 + int.from_bytes(written[140:144], "little")
