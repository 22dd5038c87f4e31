"""DCMTK's modality worklist (wlmscpfs) over a folder of worklist files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.peers import accepts, free_port, require, running

AE_TITLE = "WORKLIST"


def scheduled(
    name: str, number: str, born: str, sex: str, issuer: str = "", **more: str
) -> Dataset:
    """A worklist item: one procedure step of one patient."""
    item, step = Dataset(), Dataset()
    item.SpecificCharacterSet = "ISO_IR 192"
    item.PatientName, item.PatientID, item.IssuerOfPatientID = name, number, issuer
    item.PatientBirthDate, item.PatientSex = born, sex
    item.AccessionNumber = more.get("accession", f"ACC{number}")
    item.StudyInstanceUID = f"1.2.3.{len(name)}"
    item.RequestedProcedureID, item.RequestedProcedureDescription = "RP1", "CT"
    step.ScheduledStationAETitle, step.Modality = "CT1", "CT"
    step.ScheduledProcedureStepStartDate = more.get("day", "20261124")
    step.ScheduledProcedureStepStartTime = more.get("at", "143000")
    step.ScheduledProcedureStepID, step.ScheduledProcedureStepDescription = "S1", "CT"
    item.ScheduledProcedureStepSequence = [step]
    return item


@contextmanager
def wlmscpfs(folder: Path, items: Sequence[Dataset]) -> Iterator[int]:
    """The port at which it answers to `AE_TITLE`."""
    files = folder / AE_TITLE
    files.mkdir()
    (files / "lockfile").touch()
    for number, item in enumerate(items):
        item.file_meta = FileMetaDataset()
        item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        item.file_meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"  # DCMTK's own
        item.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{number}"
        item.save_as(files / f"{number}.wl", enforce_file_format=True)
    port = free_port()
    command = [require("wlmscpfs"), "--data-files-path", str(folder), str(port)]
    with running(command, folder, lambda: accepts(port)):
        yield port
