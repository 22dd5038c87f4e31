"""Every disc and file of the corpus, read and cataloged, agrees with its truth file."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from kiosk import media
from kiosk.cli.inspecting import exit_code
from kiosk.fileset import read
from kiosk.model.content import Catalog, InstanceStatus
from kiosk.model.medium import MANIFEST, StagedFile, staged_name
from kiosk.model.patient import PersonName
from kiosk.model.plain import to_plain
from kiosk.policy.sections import Limits

DISCS = [
    f"D{name}"
    for name in (
        "01_clean 02_two_patients 02b_many_patients 03_nodicomdir_junk 04_dicomdir_incomplete "
        "05_missing_refs 06a_case 06b_case 06c_case 06d_case 07_udf_bridge 08a_zeroed_images "
        "08b_zeroed_dicomdir 08c_truncated 09a_dotdot 09b_symlink 09c_polyglot "
        "09e_names 09f_bomb 09g_nested 10_charsets 11_ihe_pdi 12_multisession "
        "13_transfer_syntaxes 14_non_image 15a_empty 15b_no_dicom 16_two_dicomdirs 17_duplicates"
    ).split()
]
# Files whose bytes the disc maker destroyed after it wrote down what they were.
DESTROYED = {
    "D08a_zeroed_images": {"IMAGES/IM0003", "IMAGES/IM0007", "IMAGES/IM0010"},
    "D08b_zeroed_dicomdir": {"DICOMDIR"},
    "D08c_truncated": {f"IMAGES/IM{n:04d}" for n in range(9, 16)},
}
DEFLATED = "1.2.840.10008.1.2.1.99"


Cataloged = Callable[[str], Catalog]


@pytest.fixture(scope="module")
def cataloged(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Cataloged:
    """Reads a disc into a staging folder and catalogs it, once for all tests."""

    @cache
    def of(disc: str) -> Catalog:
        into, limits = tmp_path_factory.mktemp(disc), Limits()
        media.read(corpus / "discs" / "out" / f"{disc}.iso", into, limits, lambda progress: None)
        found = read(into, limits)
        assert found.ledger.balances
        return found

    return of


def truth_of(corpus: Path, disc: str) -> dict[str, Any]:
    text = (corpus / "discs" / "truth" / f"{disc}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("disc", DISCS)
def test_every_instance_of_the_truth_is_found_with_its_bytes_and_its_patient(
    corpus: Path, disc: str, cataloged: Cataloged
) -> None:
    """Same SOP Instance UIDs, hashes, Patient IDs, names, birth dates and sexes; no instance that
    is not there, and the ledger counts each once."""
    truth = truth_of(corpus, disc)
    found = cataloged(disc)
    gone = DESTROYED.get(disc, set())
    known = [f for f in truth["files"] if f["kind"] == "dicom"]
    stated = {
        (instance.sop_instance_uid, instance.sha256): patient.identity
        for patient in found.patients
        for instance in patient.instances
    }
    for file in known:
        if file["path"] in gone or file.get("error"):
            continue
        identity = stated[file["sop_uid"], file["sha256"]]
        assert identity.identifier.value == file["patient_id"]
        assert identity.name.to_dicom() == PersonName.from_dicom(file["patient_name"]).to_dicom()
        assert identity.birth_date == file["birth"] or not file["birth"]
        assert identity.sex == file["sex"] or not file["sex"]
    ledger = found.ledger
    unread = ledger.unreadable if disc == "D08c_truncated" else 0
    assert ledger.ok + ledger.damaged + ledger.duplicate + ledger.unsupported + unread == len(known)


@pytest.mark.parametrize("disc", DISCS)
def test_the_directory_is_counted_as_the_truth_counts_it(
    corpus: Path, disc: str, cataloged: Cataloged
) -> None:
    """Listed, missing and unlisted files, studies and series. Files that only differ from their
    File ID in case or suffix are found, which the truth's plain comparison does not do."""
    counts = truth_of(corpus, disc)["counts"]
    found = cataloged(disc)
    claim = found.directory
    assert claim.present == (counts["dicomdirs"] > 0)
    if disc != "D08b_zeroed_dicomdir":
        assert claim.listed == counts["refs"]
        assert claim.unlisted == counts["unreferenced"]
    renamed = disc in ("D06b_case", "D06d_case")
    assert claim.listed_missing == (0 if renamed else counts["refs_missing"])
    if disc not in ("D08c_truncated", "D09g_nested"):
        assert found.ledger.dicomdir == counts["dicomdirs"]
        assert (
            len({s.study_instance_uid for p in found.patients for s in p.studies})
            == (counts["studies"])
        )


# The truth counts everybody without number and name as one person; we keep three unknown studies
# apart. It counts a file that it could not read itself as a patient of its own.
OTHER_COUNT = {"D13_transfer_syntaxes": 7, "D09g_nested": 1}


@pytest.mark.parametrize("disc", DISCS)
def test_people_are_counted_as_the_truth_counts_them(
    corpus: Path, disc: str, cataloged: Cataloged
) -> None:
    """One StatedPatient for each person on the disc, never two in one."""
    counts = truth_of(corpus, disc)["counts"]
    assert len(cataloged(disc).patients) == OTHER_COUNT.get(disc, counts["patients"])


# What `kiosk inspect` ends with (CLI.md): 0 whole, 4 in part, 5 nothing to import.
IN_PART = {
    f"D{name}"
    for name in (
        "05_missing_refs 08a_zeroed_images 08c_truncated 09a_dotdot 09b_symlink 09c_polyglot "
        "09f_bomb 09g_nested 10_charsets 13_transfer_syntaxes 14_non_image 17_duplicates"
    ).split()
}
EXIT_CODES = dict.fromkeys(IN_PART, 4) | {"D15a_empty": 5, "D15b_no_dicom": 5}


@pytest.mark.parametrize("disc", DISCS)
def test_an_inspection_ends_with_the_contracts_code(disc: str, cataloged: Cataloged) -> None:
    assert exit_code(cataloged(disc)) == EXIT_CODES.get(disc, 0)


def findings_of(found: Catalog) -> set[tuple[str, str]]:
    return {(finding.code, finding.where) for finding in found.findings}


def statuses(found: Catalog) -> dict[str, InstanceStatus]:
    return {i.path: i.status for p in found.patients for i in p.instances}


def test_what_each_hurt_or_hostile_disc_must_say_is_said(cataloged: Cataloged) -> None:
    """The `must` lines of the truth files, one by one."""
    said = {disc: cataloged(disc) for disc in DISCS}
    junk = findings_of(said["D03_nodicomdir_junk"])
    assert ("acr-nema", "export/acrnema") in junk
    assert ("not-importable", "export/offbyone") in junk
    incomplete = findings_of(said["D04_dicomdir_incomplete"])
    assert len([1 for code, _ in incomplete if code == "unlisted-file"]) == 9
    lost = findings_of(said["D05_missing_refs"])
    assert {w for c, w in lost if c == "listed-file-missing"} == {
        f"IMAGES/IM{n:04d}" for n in (2, 3, 9)
    }
    assert statuses(said["D08a_zeroed_images"])["IMAGES/IM0007"] is InstanceStatus.DAMAGED
    assert len(said["D08a_zeroed_images"].patients) == 1
    assert said["D08b_zeroed_dicomdir"].ledger.ok == 16
    assert not said["D08b_zeroed_dicomdir"].directory.usable
    assert statuses(said["D08c_truncated"])["IMAGES/IM0009"] is InstanceStatus.DAMAGED
    assert said["D08c_truncated"].ledger.ok == 9
    assert [c for c, _ in findings_of(said["D09a_dotdot"])].count("file-id-outside") == 4
    polyglot = findings_of(said["D09c_polyglot"])
    assert {w for c, w in polyglot if c == "preamble-executable"} == {
        f"IMAGES/IM000{end}" for end in ("1", "2.sh", "3.htm", "4.zip")
    }
    assert statuses(said["D09f_bomb"])["IMAGES/BOMB"] is InstanceStatus.UNSUPPORTED
    nested = statuses(said["D09g_nested"])
    assert nested.pop("IMAGES/IM0000") is InstanceStatus.OK
    assert set(nested.values()) == {InstanceStatus.UNSUPPORTED}
    charsets = said["D10_charsets"]
    assert not {c for c, _ in findings_of(charsets)} & {"charset-guessed"}
    assert said["D14_non_image"].ledger.unsupported == 2
    twice = findings_of(said["D17_duplicates"])
    hit = {w[2:] for c, w in twice if c == "conflicting-instance"}
    assert hit == {"IM0000", "IM0001"}
    assert said["D17_duplicates"].ledger.duplicate == 3


def staged_copy(files: list[Path], base: Path, into: Path) -> list[Path]:
    lines = []
    for number, path in enumerate(files):
        (into / staged_name(number)).symlink_to(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(StagedFile(number, str(path.relative_to(base)), path.stat().st_size, digest))
    (into / MANIFEST).write_text("".join(json.dumps(to_plain(x)) + "\n" for x in lines))
    return files


def as_pydicom_reads_it(path: Path) -> tuple[Dataset, int]:
    """The header, and where the pixel data start."""
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(file, force=True, stop_before_pixels=True)
        str(dataset.get("PatientName"))  # decoded here, with its warnings
        return dataset, file.tell()


def test_each_single_file_and_tree_is_read_as_pydicom_reads_it(
    corpus: Path, tmp_path: Path, expected_logs: Callable[..., None]
) -> None:
    """Every file that has a SOP class for pydicom is an instance, a copy of one, or a directory
    here, with the same class, pixel offset, Patient ID and name; nothing else is."""
    expected_logs("WARNING pydicom: .*")  # pydicom's own complaints, about files it made
    base = corpus / "media"
    files = staged_copy(sorted(p for p in base.rglob("*") if p.is_file()), base, tmp_path)
    found = read(tmp_path, Limits())
    assert found.ledger.balances
    stated = {i.file: (p.identity, i) for p in found.patients for i in p.instances}
    variants = {i.file: p.variants for p in found.patients for i in p.instances}
    elsewhere = 0
    for number, path in enumerate(files):
        dataset, offset = as_pydicom_reads_it(path)
        stored = getattr(dataset, "file_meta", {})
        sop_class = dataset.get("SOPClassUID") or stored.get("MediaStorageSOPClassUID", "")
        if number not in stated:
            elsewhere += sop_class != ""
            continue
        identity, instance = stated[number]
        assert instance.sop_class_uid == sop_class
        name = str(dataset.get("PatientName", "") or "")
        if instance.transfer_syntax_uid != DEFLATED:
            assert instance.pixel_offset == offset
        known = {i.identifier.value for i in (identity, *variants[number])}
        assert str(dataset.get("PatientID", "") or "").strip() in known
        names = {i.name.to_dicom() for i in (identity, *variants[number])}
        assert PersonName.from_dicom(name).to_dicom() in names
    assert elsewhere == found.ledger.duplicate + found.ledger.dicomdir
