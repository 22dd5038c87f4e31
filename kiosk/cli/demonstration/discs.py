"""Patients' discs, burnt at run time from the DICOMDIR file-sets that pydicom's wheel ships."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pycdlib
import pydicom.data
from pydicom import dcmread
from pydicom.fileset import FileSet

FILE_SETS = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
# Whose scans they are, by the Patient ID in their headers.
ARCHIBALD = "77654033"  # Doe^Archibald: 2 studies, 3 CR and 4 CT images
PETER = "98890234"  # Doe^Peter: 4 studies, 7 CT and 17 MR images
JAN = "12345678"  # Citizen^Jan: 1 study of 50 CT images, a file-set of its own

README = (
    b"This disc holds medical images for diagnostic use. Please open them with a DICOM viewer.\r\n"
)


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


def file_set_of(*patient_ids: str, birth_date: str = "", sex: str = "") -> dict[str, bytes]:
    """A disc's content for these patients: their instances under the File IDs of a DICOMDIR of
    their own (PS3.10 8.6), and a README.TXT as RAD-47 asks. The instances are the wheel's, byte
    for byte, unless a birth date and sex are given: the wheel's state neither, most discs do."""
    made = FileSet()
    for patient_id in patient_ids:
        for path in instances_of(patient_id):
            instance = dcmread(path)
            if birth_date:
                instance.PatientBirthDate, instance.PatientSex = birth_date, sex
            made.add(instance if birth_date else path)
    with TemporaryDirectory() as folder:
        made.write(folder)
        written = sorted(p for p in Path(folder).rglob("*") if p.is_file())
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in written}
    made._stage["t"].cleanup()  # FileSet leaves its own folder to the collector, with a warning
    return {**files, "README.TXT": README}


def whole_file_set() -> dict[str, bytes]:
    """The wheel's two-patient file-set as it is: both patients under their original File IDs."""
    paths = {p.relative_to(FILE_SETS).as_posix(): p for p in _listed(FILE_SETS)}
    return {
        "DICOMDIR": (FILE_SETS / "DICOMDIR").read_bytes(),
        **{name: path.read_bytes() for name, path in sorted(paths.items())},
    }
