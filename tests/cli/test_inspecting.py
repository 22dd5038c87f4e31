"""`kiosk inspect`: its document is the contract's (CLI.md), and what it says is what is there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from kiosk.cli.demonstration.discs import burn
from kiosk.cli.inspecting import inspect, words
from kiosk.model.patient import PersonName
from kiosk.policy import Policy
from tests.media.images import extent

SHAPE: dict[str, Any] = {
    "medium": {"kind", "label", "filesystem", "fileset_id", "fingerprint"},
    "dicomdir": {"present", "usable", "listed", "listed_missing", "unlisted"},
    "ledger": {
        *("files", "directories", "ok", "damaged", "duplicate", "unsupported", "dicomdir"),
        *("report", "viewer", "other", "unreadable", "refused"),
    },
}
PATIENT = {"patient_id", "issuer", "name", "birth_date", "sex", "studies"}
STUDY = {
    *("study_instance_uid", "date", "description", "accession_number", "institution", "series"),
}
SERIES = {"series_instance_uid", "modality", "description", "instances"}
INSTANCE = {
    *("sop_instance_uid", "sop_class_uid", "transfer_syntax_uid", "path", "bytes", "sha256"),
    "status",
}
DISCS = [
    ("D02_two_patients", 0),
    ("D12_multisession", 0),
]


def sound(document: dict[str, Any]) -> dict[str, Any]:
    """The document after a look at each of its parts: exactly the contract's keys, a ledger that
    balances."""
    assert set(document) == {"medium", "dicomdir", "patients", "ledger", "findings"}
    for part, keys in SHAPE.items():
        assert set(document[part]) == keys
    for patient in document["patients"]:
        assert set(patient) == PATIENT
        for study in patient["studies"]:
            assert set(study) == STUDY
            for series in study["series"]:
                assert set(series) == SERIES
                assert all(set(each) == INSTANCE for each in series["instances"])
    assert all(set(f) == {"code", "severity", "where", "detail"} for f in document["findings"])
    ledger = document["ledger"]
    buckets = sum(n for name, n in ledger.items() if name not in ("files", "directories"))
    assert ledger["files"] == buckets
    parsed: dict[str, Any] = json.loads(json.dumps(document))
    return parsed


@pytest.mark.parametrize(("disc", "code"), DISCS)
def test_the_document_of_a_real_disc_agrees_with_its_truth(
    disc: str, code: int, corpus: Path
) -> None:
    """Every instance with its UIDs, path, size, hash and patient, and nothing else."""
    document, ended = inspect(corpus / "discs" / "out" / f"{disc}.iso", Policy())
    found = sound(document)
    truth = json.loads((corpus / "discs" / "truth" / f"{disc}.json").read_text())
    assert ended == code
    stated = {
        (
            each["path"],
            each["sop_instance_uid"],
            each["bytes"],
            each["sha256"],
            study["study_instance_uid"],
            patient["patient_id"],
            patient["name"],
        )
        for patient in found["patients"]
        for study in patient["studies"]
        for series in study["series"]
        for each in series["instances"]
    }
    assert stated == {
        (
            f["path"],
            f["sop_uid"],
            f["size"],
            f["sha256"],
            f["study"],
            f["patient_id"],
            PersonName.from_dicom(f["patient_name"]).to_dicom(),
        )
        for f in truth["files"]
        if f["kind"] == "dicom"
    }
    assert found["ledger"]["files"] == len(truth["files"])


@pytest.mark.parametrize(
    ("name", "content", "code", "finding"),
    [
        ("blank.iso", bytes(1 << 20), 5, "medium-blank"),
        ("raw.bin", (b"\0" + b"\xff" * 10).ljust(2352, b"\0") * 100, 5, "medium-blank"),
        ("hfs.img", bytes(1024) + b"H+" + bytes(300_000), 4, "medium-unsupported"),
        ("scans.tar.gz", b"\x1f\x8b" + bytes(range(100)) * 100, 5, "medium-packed"),
        ("scans.rar", b"Rar!\x1a\x07" + bytes(range(100)) * 100, 5, "medium-packed"),
        ("one.dcm", bytes(128) + b"DICM" + bytes(300), 4, "medium-unreadable"),
        ("noise.iso", bytes(n * 197 % 251 for n in range(300_000)), 4, "medium-unreadable"),
    ],
)
def test_what_cannot_be_read_has_the_same_document(
    name: str, content: bytes, code: int, finding: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    document, ended = inspect(tmp_path / name, Policy())
    assert [f["code"] for f in sound(document)["findings"]] == [finding]
    assert ended == code


def test_a_disc_whose_list_of_files_is_lost_is_not_called_empty(tmp_path: Path) -> None:
    """Its only folder is zeros: the scans may be there."""
    image = burn({"IM1": b"DICM" * 500}, tmp_path / "disc.iso", "LOST")
    root = extent(image, "/")
    data = bytearray(image.read_bytes())
    data[root : root + 2048] = bytes(2048)
    image.write_bytes(data)
    document, ended = inspect(image, Policy())
    codes = [f["code"] for f in sound(document)["findings"]]
    assert codes == ["folder-damaged", "medium-unreadable"]
    assert ended == 4


def test_a_disc_of_which_a_folder_is_lost_is_done_in_part(tmp_path: Path) -> None:
    """What the folder listed is in no ledger: only the finding and the exit code can say so."""
    whole = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()
    files = {"A/IM1": whole, "B/IM1": whole + b"B"}
    image = burn(files, tmp_path / "disc.iso", "LOST")
    lost = extent(image, "/B")
    data = bytearray(image.read_bytes())
    data[lost : lost + 2048] = bytes(2048)
    image.write_bytes(data)
    document, ended = inspect(image, Policy())
    assert document["ledger"]["ok"] == 1
    assert "folder-damaged" in [f["code"] for f in sound(document)["findings"]]
    assert ended == 4


def test_a_locked_file_beside_the_scans_is_left_out(tmp_path: Path) -> None:
    """It may hold scans, and nobody can tell."""
    shutil.copy(str(get_testdata_file("CT_small.dcm")), tmp_path / "IM1")
    (tmp_path / "more.zip").write_bytes(b"PK\3\4\x14\0\1\0" + bytes(200))
    document, ended = inspect(tmp_path, Policy())
    assert [f["code"] for f in sound(document)["findings"]] == ["encrypted"]
    assert ended == 4


def test_packed_scans_beside_a_program_are_not_called_a_viewer(tmp_path: Path) -> None:
    """A packer and what it packed lie in one folder."""
    (tmp_path / "SCANS").mkdir()
    (tmp_path / "SCANS" / "unzip.exe").write_bytes(b"MZ" + bytes(500))
    (tmp_path / "SCANS" / "scans.zip").write_bytes(b"PK\3\4" + bytes(200))
    document, ended = inspect(tmp_path, Policy())
    assert document["ledger"]["viewer"] == 2
    assert {f["code"] for f in sound(document)["findings"]} == {"packed"}
    assert ended == 5


def test_in_words_an_image_that_is_not_whole_is_not_one_like_the_others(tmp_path: Path) -> None:
    whole = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()
    (tmp_path / "IM1").write_bytes(whole)
    (tmp_path / "IM2").write_bytes(whole[:20_000])
    document, _ = inspect(tmp_path, Policy())
    assert words(document)[0].endswith("2 images, 1 of them damaged or not supported")
