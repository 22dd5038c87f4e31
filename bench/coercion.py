"""How fast a header is coerced, as ratios taken in one run: `python -m bench.coercion`.

Against pydicom doing the same to the same files (read the header, edit it, write it), and against
pydicom's read and save of the whole file. Rounds are interleaved and medians compared, so only the
ratios travel. Both end in bytes in memory; reading the file is part of each.
"""

from __future__ import annotations

import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pydicom import Dataset, dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.sr.codedict import codes

from kiosk.coercion import apply, plan
from kiosk.model.content import Instance, StatedPatient, Study
from kiosk.model.delivery import Plan
from kiosk.model.matching import Action, Resolution
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.policy import Policy

FILES, ROUNDS = 100, 7
AT = "2026-11-24T08:00:00Z"
LOCAL = PatientIdentity(
    (Identifier("L-4711", "HOSP"),), (PersonName("Smith", "Anna"),), "19700102", "F"
)
CHANGED = {
    "PatientName": "Smith^Anna",
    "PatientID": "L-4711",
    "IssuerOfPatientID": "HOSP",
    "PatientBirthDate": "19700102",
    "PatientSex": "F",
    "AccessionNumber": "",
}


def main() -> None:
    cases = {"CT": "CT_small.dcm", "MR, implicit VR": "MR_small_implicit.dcm", "SR": "reportsi.dcm"}
    print(f"{'':18}{'apply':>10}{'pydicom header':>18}{'pydicom file':>16}   (ms a file, ratio)")
    for name, file in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            print(line(name, measure(Path(folder), Path(str(get_testdata_file(file))))))


def line(name: str, times: dict[str, float]) -> str:
    ours = times["apply"]
    others = (f"{times[k]:9.2f} {times[k] / ours:5.1f} x" for k in ("header", "file"))
    return f"{name:18}{ours:10.3f}" + "".join(f"{o:>18}" for o in others)


def measure(folder: Path, original: Path) -> dict[str, float]:
    """Milliseconds a file of each way, medians of interleaved rounds."""
    files = [copy(original, folder / f"{n:08d}") for n in range(FILES)]
    instance, made = cataloged(original), planned()
    ways: dict[str, Callable[[Path], object]] = {
        "apply": lambda path: apply(path, instance, made),
        "header": by_pydicom,
        "file": whole_file_by_pydicom,
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            started = time.perf_counter()
            for path in files:
                run(path)
            times[way].append((time.perf_counter() - started) / FILES * 1000)
    return {way: statistics.median(taken) for way, taken in times.items()}


def copy(original: Path, to: Path) -> Path:
    to.write_bytes(original.read_bytes())
    return to


def cataloged(path: Path) -> Instance:
    with path.open("rb") as f:
        ds = dcmread(f, stop_before_pixels=True)
        pixels = f.tell()
    start = 132 + 12 + ds.file_meta.FileMetaInformationGroupLength
    syntax, size = ds.file_meta.TransferSyntaxUID, path.stat().st_size
    return Instance(
        ds.SOPInstanceUID, ds.SOPClassUID, syntax, 1, "", size, "",
        dataset_offset=start, pixel_offset=pixels,
    )  # fmt: skip


def planned() -> Plan:
    study = Study("1.2.3", institution="Elsewhere")
    resolution = Resolution(Action.LINK, "bench", AT, local=LOCAL)
    return plan(StatedPatient(PatientIdentity(), (study,)), study, resolution, Policy(), AT)


def by_pydicom(path: Path) -> bytes:
    with path.open("rb") as f:
        ds = dcmread(f, stop_before_pixels=True)
    return saved(edited(ds))


def whole_file_by_pydicom(path: Path) -> bytes:
    return saved(edited(dcmread(path)))


def saved(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    dcmwrite(buffer, ds)
    return buffer.getvalue()


def edited(ds: Dataset) -> Dataset:
    old = Dataset()
    for keyword, value in CHANGED.items():
        setattr(old, keyword, ds.get(keyword))
        setattr(ds, keyword, value)
    item, equipment = Dataset(), Dataset()
    item.SourceOfPreviousValues, item.ModifyingSystem = "Elsewhere", "Kiosk"
    item.AttributeModificationDateTime = "20261124080000.000000+0000"
    item.ReasonForTheAttributeModification = "COERCE"
    item.ModifiedAttributesSequence = [old]
    equipment.Manufacturer = "Kiosk"
    equipment.PurposeOfReferenceCodeSequence = [purpose()]
    ds.OriginalAttributesSequence = [*ds.get("OriginalAttributesSequence", []), item]
    ds.ContributingEquipmentSequence = [*ds.get("ContributingEquipmentSequence", []), equipment]
    return ds


def purpose() -> Dataset:
    code, ds = codes.DCM.PortableMediaImporterEquipment, Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = code[0], code[1], code[2]
    return ds


if __name__ == "__main__":
    sys.exit(main())
