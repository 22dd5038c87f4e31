"""Patients' discs, burnt at run time from the DICOMDIR file-sets that pydicom's wheel ships."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pycdlib
import pydicom.data
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.fileset import FileSet

FILE_SETS = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
# Whose scans they are, by the Patient ID in their headers. None of them states a birth date.
ARCHIBALD = "77654033"  # Doe^Archibald: 2 studies, 3 CR and 4 CT images
PETER = "98890234"  # Doe^Peter: 4 studies, 7 CT and 17 MR images
JAN = "12345678"  # Citizen^Jan: 1 study of 50 CT images, a file-set of its own

README = (
    b"This disc holds medical images for diagnostic use. Please open them with a DICOM viewer.\r\n"
)


@dataclass(frozen=True)
class Stated:
    """An identity to state in every header, in place of the wheel's: a patient called Doe without
    a birth date is nobody in particular, and no hospital links such a disc without a person."""

    name: str  # DICOM PN
    birth_date: str  # DICOM DA
    sex: str


def burn(files: Mapping[str, bytes | Path], image: Path, label: str) -> Path:
    """Writes `image`, an ISO 9660 Level 1 volume (IHE RAD PDI) holding `files` by their paths on
    the disc: components of at most eight of `A-Z 0-9 _`, joined by "/", an extension of three."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=1, vol_ident=label, sys_ident="")
    for folder in sorted({f for path in files for f in _folders(path)}):
        iso.add_directory(folder)
    for path, content in files.items():
        data = content.read_bytes() if isinstance(content, Path) else content
        iso.add_fp(io.BytesIO(data), len(data), f"/{path}{'' if '.' in path else '.'};1")
    iso.write(str(image))
    iso.close()
    return image


def _folders(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/" + "/".join(parts[: n + 1]) for n in range(len(parts))]


def instances_of(patient_id: str) -> list[Path]:
    """The files of one patient, in the order in which the wheel's DICOMDIRs list them."""
    listed = [p for folder in (FILE_SETS, FILE_SETS / "TINY_ALPHA") for p in _listed(folder)]
    return [p for p in listed if dcmread(p, specific_tags=["PatientID"]).PatientID == patient_id]


def _listed(folder: Path) -> list[Path]:
    records = dcmread(folder / "DICOMDIR").DirectoryRecordSequence
    return [folder.joinpath(*r.ReferencedFileID) for r in records if "ReferencedFileID" in r]


def file_set_of(patient_id: str, stated: Stated | None = None) -> dict[str, bytes]:
    """A disc's content for one patient: the instances (byte for byte, unless another identity is
    to be stated) under the File IDs of a DICOMDIR of their own (PS3.10 8.6), and a README.TXT as
    RAD-47 asks."""
    made = FileSet()
    made.ID = f"ID{patient_id}"
    for path in instances_of(patient_id):
        made.add(_stating(path, stated) if stated else path)
    with TemporaryDirectory() as folder:
        made.write(folder)
        written = sorted(p for p in Path(folder).rglob("*") if p.is_file())
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in written}
    made._stage["t"].cleanup()  # FileSet leaves its own folder to the collector, with a warning
    return {**files, "README.TXT": README}


def _stating(path: Path, stated: Stated) -> Dataset:
    instance = dcmread(path)
    instance.PatientName = stated.name
    instance.PatientBirthDate = stated.birth_date
    instance.PatientSex = stated.sex
    return instance


def whole_file_set() -> dict[str, bytes]:
    """The wheel's two-patient file-set as it is: both patients under their original File IDs."""
    paths = {p.relative_to(FILE_SETS).as_posix(): p for p in _listed(FILE_SETS)}
    return {
        "DICOMDIR": (FILE_SETS / "DICOMDIR").read_bytes(),
        **{name: path.read_bytes() for name, path in sorted(paths.items())},
    }
