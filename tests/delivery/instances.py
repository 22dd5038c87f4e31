"""Instances to send, made here: no patient, no file from anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

from kiosk.model.delivery import Coerced, Outbound
from kiosk.policy.sections import Destination

CALLING = "KIOSK"
EXPECTED = {"PatientID": "4711", "PatientName": "Probe^Anna", "PatientBirthDate": "19700102"}


def outbound(
    folder: Path,
    *,
    pixels: int = 2048,
    sop_class: str = CTImageStorage,
    syntax: str = ExplicitVRLittleEndian,
    study: str = "",
    series: str = "",
    **values: str,
) -> Outbound:
    """One instance whose original has another patient and other bytes before the pixels: only what
    is coerced may arrive. `values` are attributes of the coerced header."""
    uid = generate_uid()
    header = _header(uid, sop_class, study or generate_uid(), series or generate_uid(), values)
    pixel_element = _pixel_element(uid, pixels, syntax)
    path = folder / uid
    path.write_bytes(b"what the disc said before " + pixel_element)
    meta, encoded = _encoded(header, uid, sop_class, syntax)
    coerced = Coerced(sop_class, uid, syntax, meta, encoded, path, 26, len(pixel_element))
    return Outbound(uid, sop_class, syntax, lambda: coerced)


def _header(uid: str, sop_class: str, study: str, series: str, values: dict[str, str]) -> Dataset:
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.SOPClassUID = sop_class
    header.SOPInstanceUID = uid
    header.StudyInstanceUID = study
    header.SeriesInstanceUID = series
    header.Modality = "OT"
    header.StudyID = header.AccessionNumber = ""
    header.StudyDate = header.StudyTime = ""
    header.SeriesNumber = header.InstanceNumber = 1
    for keyword, value in (EXPECTED | values).items():
        setattr(header, keyword, value)
    return header


def _pixel_element(uid: str, pixels: int, syntax: str) -> bytes:
    """(7FE0,0010), different for each instance: native or one fragment."""
    value = (uid.encode() + b" ") * (pixels // len(uid) + 1)
    value = value[: pixels & ~1]
    tag = b"\xe0\x7f\x10\x00"
    size = len(value).to_bytes(4, "little")
    if UID(syntax).is_encapsulated:
        item = b"\xfe\xff\x00\xe0"
        end = b"\xfe\xff\xdd\xe0" + bytes(4)
        return tag + b"OB\0\0\xff\xff\xff\xff" + item + bytes(4) + item + size + value + end
    if UID(syntax).is_implicit_VR:
        return tag + size + value
    return tag + b"OW\0\0" + size + value


def _encoded(header: Dataset, uid: str, sop_class: str, syntax: str) -> tuple[bytes, bytes]:
    """Meta group and data set, apart."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(uid)
    meta.TransferSyntaxUID = UID(syntax)
    header.file_meta = meta
    buffer = BytesIO()
    dcmwrite(buffer, header, enforce_file_format=True)
    whole = buffer.getvalue()
    end = 144 + int.from_bytes(whole[140:144], "little")
    return whole[:end], whole[end:]


def sent_data_sets(items: Iterable[Outbound]) -> dict[str, bytes]:
    """SOP Instance UID to the data set that an archive must have afterwards."""
    found = {}
    for item in items:
        coerced = item.coerce()
        tail = coerced.tail.read_bytes()[coerced.tail_offset :][: coerced.tail_length]
        found[coerced.sop_instance_uid] = coerced.header + tail
    return found


def destination(peer: object, **settings: object) -> Destination:
    """The policy's entry for a peer that tests/peers started."""
    return Destination.model_validate(
        {
            "name": "pacs",
            "host": peer.host,  # type: ignore[attr-defined]
            "port": peer.port,  # type: ignore[attr-defined]
            "ae_title": peer.ae_title,  # type: ignore[attr-defined]
            "connect_seconds": 5.0,
            "answer_seconds": 10.0,
            "commitment_wait_seconds": 10.0,
        }
        | settings
    )
