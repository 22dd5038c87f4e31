"""Every file on the medium is in exactly one bucket, and what people must know is a finding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiosk.fileset import read
from kiosk.model.content import FINDINGS, Finding, InstanceStatus, Severity
from kiosk.model.medium import MANIFEST, FileState, read_manifest
from kiosk.model.plain import from_plain, to_plain
from kiosk.policy.sections import Limits
from tests.fileset.staged import (
    catalog,
    codes,
    element,
    even,
    image,
    part10,
    sample,
    stage,
)

PDF, RTF, JPEG = b"%PDF-1.4 ...", b"{\\rtf1 ...}", b"\xff\xd8\xff\xe0 ..."
WHOLE = part10(image())


@pytest.mark.parametrize(
    ("path", "data", "bucket"),
    [
        ("REPORT.PDF", PDF, "report"),
        ("REPORT", PDF, "report"),
        ("letter.rtf", RTF, "report"),
        ("pic", JPEG, "report"),
        ("INDEX.HTM", b"<html>", "report"),
        ("page", b"\xef\xbb\xbf <!DOCTYPE html>", "report"),
        ("README.TXT;1", b"hello", "report"),
        ("VIEWER.EXE", b"MZ...", "viewer"),
        ("run", b"\x7fELF", "viewer"),
        ("AUTORUN.INF", b"[autorun]", "viewer"),
        ("viewer.dll", b"", "viewer"),
        ("REPORT.PDF", b"MZ a program with a report's name", "viewer"),
        ("Thumbs.db", b"\xd0\xcf\x11\xe0", "other"),
        ("__MACOSX/._IM1", b"\0\x05\x16\x07", "other"),
        ("note.dcm", b"text with a suffix", "other"),
        ("empty.dcm", b"", "other"),
        ("empty.pdf", b"", "other"),
        ("short.dcm", bytes(128) + b"DICM", "other"),
        ("cut.dcm", WHOLE[:140], "damaged"),
        ("IM1", WHOLE, "ok"),
        ("IM1.exe", WHOLE, "ok"),
        ("IM1.htm", WHOLE, "ok"),
        ("IM1", WHOLE[:-4], "damaged"),
    ],
)
def test_each_kind_of_file_has_its_bucket(
    tmp_path: Path, path: str, data: bytes, bucket: str
) -> None:
    found = catalog(tmp_path, {path: data})
    assert getattr(found.ledger, bucket) == 1


@pytest.mark.parametrize(
    ("state", "bucket"),
    [
        (FileState.LISTED, "viewer"),
        (FileState.REFUSED, "refused"),
        (FileState.UNREADABLE, "unreadable"),
        (FileState.HURT, "damaged"),
    ],
)
def test_what_reading_the_medium_found_out_decides_first(
    tmp_path: Path, state: FileState, bucket: str
) -> None:
    found = catalog(tmp_path, {"IM1": WHOLE}, {"IM1": state})
    assert getattr(found.ledger, bucket) == 1


def test_bytes_behind_the_image_hold_no_whole_image_back(tmp_path: Path) -> None:
    """They are no element: said, and left off when it is sent. An element that is cut off there is
    another matter: that file is not whole (PS3.10 7.1), however whole its pixels are."""
    (tmp_path / "1").mkdir()
    found = catalog(tmp_path / "1", {"IM1": WHOLE + b"\xfd\x8a rubbish \x9e\0\1\2\3"})
    assert (found.ledger.ok, codes(found)) == (1, {"bytes-behind-the-image"})
    cut = b"\xfa\xff\xfa\xffSQ\0\0\xff\xff\0\0xyz"
    assert catalog(tmp_path, {"IM1": WHOLE + cut}).ledger.damaged == 1


def test_an_instance_with_unread_parts_is_never_whole(tmp_path: Path) -> None:
    """Zeros in place of pixels look like black: only the manifest knows better."""
    found = catalog(tmp_path, {"IM1": WHOLE, "IM2": WHOLE}, {"IM1": FileState.HURT})
    (hurt,) = [i for i in found.patients[0].instances if i.path == "IM1"]
    assert hurt.status is InstanceStatus.DAMAGED
    assert "damaged-instance" in codes(found)


def test_a_hurt_series_says_how_many_of_its_images_and_which(tmp_path: Path) -> None:
    """What the person at the desk tells the sender; free text, in which a name can stand, is
    left out."""
    files = {f"IM{n}": part10(numbered(n)) for n in range(1, 10)}
    hurt = {f"IM{n}": FileState.HURT for n in (2, 3, 4, 8)}
    found = catalog(tmp_path, files, hurt)
    (said,) = [f.detail for f in found.findings if f.code == "series-damaged"]
    assert said.startswith(
        "4 of 9 images of MR HEAD series 7 are damaged: numbers 2-4, 8; "
        "slice positions from -5 to 25 mm."
    )
    assert "SECRET" not in said


def test_a_hurt_series_without_numbers_or_positions_is_still_counted(tmp_path: Path) -> None:
    found = catalog(tmp_path, {"IM1": WHOLE}, {"IM1": FileState.HURT})
    (said,) = [f.detail for f in found.findings if f.code == "series-damaged"]
    assert said.startswith("1 of 1 images of ")


def numbered(n: int) -> bytes:
    return image(
        f"1.{n}",
        extra=b"".join(
            [
                element(0x0008103E, b"LO", even("SECRET^NAME")),
                element(0x00180015, b"CS", even("HEAD")),
                element(0x00200011, b"IS", even("7")),
                element(0x00200013, b"IS", even(str(n))),
                element(0x00201041, b"DS", even(str(5 * n - 15))),
            ]
        ),
    )


def test_help_and_settings_that_lie_with_a_program_belong_to_the_viewer(tmp_path: Path) -> None:
    found = catalog(
        tmp_path,
        {
            "VIEWER/BIN/VIEW.EXE": b"MZ",
            "VIEWER/BIN/lang/de.txt": b"x",
            "VIEWER/BIN/config.xml": b"<x/>",
            "VIEWER/BIN/IM1": WHOLE,
            "REPORT/letter.txt": b"x",
            "START.EXE": b"MZ",
            "README.TXT": b"x",
        },
    )
    assert (found.ledger.viewer, found.ledger.report, found.ledger.ok) == (4, 2, 1)
    assert {a.path for a in found.attachments} == {"REPORT/letter.txt", "README.TXT"}


def test_a_report_beside_a_program_stays_a_report(tmp_path: Path) -> None:
    """A viewer's folder is where some writers put the patient's letter; only the papers that
    programs come with are the program's, by their name: Ms Phelps's letter is none of them."""
    reports = {
        "VIEW/REPORT.PDF": PDF,
        "VIEW/doc/befund": RTF,
        "VIEW/PHELPS.PDF": PDF,
        "VIEW/cda.xml": b"<?xml?><ClinicalDocument>",
    }
    papers = {"VIEW/LICENSE.RTF": RTF, "VIEW/UserManual.pdf": PDF, "VIEW/help/index.html": b"<p>"}
    pictures = {"VIEW/logo.jpg": JPEG}
    found = catalog(tmp_path, {"VIEW/VIEW.EXE": b"MZ", **reports, **papers, **pictures})
    assert {a.path for a in found.attachments} == set(reports)
    assert (found.ledger.report, found.ledger.viewer) == (4, 5)
    said = {f.where: f.detail for f in found.findings if f.code == "with-program"}
    assert set(said) == {"VIEW", "VIEW/help"}
    assert said["VIEW"].startswith("3 texts or pictures lie with a program")


def test_a_report_belongs_to_the_only_patient_or_to_the_one_of_its_folder(tmp_path: Path) -> None:
    jane = part10(image("1.1"))
    richard = part10(image("1.2", name="ROE^RICHARD", patient_id="B2", study="5"))
    (tmp_path / "one").mkdir()
    found = catalog(tmp_path / "one", {"A/IM": jane, "letter.pdf": PDF})
    assert [(a.kind, a.patient) for a in found.attachments] == [("pdf", 0)]
    files = {"A/DICOM/IM": jane, "B/IM": richard, "A/letter.pdf": PDF, "B/S/x.pdf": PDF}
    found = catalog(tmp_path, files | {"letter.pdf": PDF})
    assert [(a.path, a.patient) for a in found.attachments] == [
        ("A/letter.pdf", 0),
        ("B/S/x.pdf", 1),
        ("letter.pdf", -1),
    ]


def test_identical_copies_count_once_and_other_contents_are_kept_and_said(tmp_path: Path) -> None:
    other = part10(image(pixels=b"\1" * 32))
    found = catalog(tmp_path, {"A": WHOLE, "B": WHOLE, "C": other, "D": other})
    assert (found.ledger.ok, found.ledger.duplicate) == (2, 2)
    assert [i.path for i in found.patients[0].instances] == ["A", "C"]
    assert [(f.code, f.where) for f in found.findings] == [("conflicting-instance", "C")]


def test_a_hurt_copy_of_a_whole_instance_is_no_conflict(tmp_path: Path) -> None:
    found = catalog(tmp_path, {"A": WHOLE, "B": WHOLE[:-4]})
    assert (found.ledger.ok, found.ledger.damaged) == (1, 1)
    assert codes(found) == {"damaged-instance"}


@pytest.mark.parametrize(
    ("preamble", "said"),
    [
        (b"MZ\x90\0", True),
        (b"\x7fELF", True),
        (b"#!/bin/sh\n", True),
        (b"<html><script>", True),
        (b"junk <SCRIPT >", True),
        (b"PK\x03\x04", True),
        (b"II*\0\x08\0\0\0", False),
        (b"MM\0*\0\0\0\x08", False),
        (b"", False),
        (b"written by a vendor for itself", False),
    ],
)
def test_a_preamble_that_another_program_would_run_is_said(
    tmp_path: Path, preamble: bytes, said: bool
) -> None:
    """The instance is kept (CVE-2019-11687); a TIFF header is lawful (PS3.10 7.1)."""
    found = catalog(tmp_path, {"A": part10(image(), preamble=preamble)})
    assert found.ledger.ok == 1
    assert (codes(found) == {"preamble-executable"}) is said


def test_a_locked_file_is_known_and_said(tmp_path: Path) -> None:
    """CMS EnvelopedData (PS3.15 D.1) is a held instance, a locked ZIP another file."""
    cms = bytes.fromhex("3080 0609 2a864886f70d010703 a080") + bytes(200)
    locked_zip = b"PK\x03\x04\x14\0\x01\0" + bytes(100)
    found = catalog(tmp_path, {"IM1": cms, "all.zip": locked_zip, "open.zip": b"PK\x03\x04\0\0\0"})
    assert (found.ledger.unsupported, found.ledger.other) == (1, 2)
    said = {f.where for f in found.findings if f.code == "encrypted"}
    assert said == {"IM1", "all.zip"}


@pytest.mark.parametrize("name", ["color-pl.dcm", "hotiron.dcm"])
def test_an_object_of_no_patient_is_held(tmp_path: Path, name: str) -> None:
    sop_class = "1.2.840.10008.5.1.4.39.1"
    palette = element(0x00080016, b"UI", even(sop_class, b"\0")) + element(
        0x00080018, b"UI", b"1.2.3\0"
    )
    found = catalog(tmp_path, {name: part10(palette, sop_class=sop_class), "IM1": WHOLE})
    assert (found.ledger.ok, found.ledger.unsupported) == (1, 1)
    assert codes(found) == {"no-patient-object"}
    assert found.patients[0].identity.identifier.value == "A1"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (image(uid=""), "uid-missing"),
        (image(study=""), "uid-missing"),
        (image(series=""), "uid-missing"),
        (image(uid="not.a.uid"), "uid-invalid"),
        (image(study="1." * 40 + "1"), "uid-invalid"),
    ],
)
def test_an_instance_whose_uids_cannot_stay_is_said_and_goes_on(
    tmp_path: Path, data: bytes, code: str
) -> None:
    """Coercion gives it new ones."""
    found = catalog(tmp_path, {"A": part10(data)})
    assert found.ledger.ok == 1
    assert code in codes(found)


def test_an_acr_nema_file_is_told_apart(tmp_path: Path) -> None:
    old = (
        element(0x00080000, b"UL", bytes(4))
        + element(0x00080010, b"LO", b"ACR-NEMA 2.0")
        + element(0x00100010, b"PN", b"DOE ")
    )
    found = catalog(tmp_path, {"OLD": old})
    assert found.ledger.other == 1
    assert codes(found) == {"acr-nema"}


def test_pydicoms_own_file_with_a_tiff_header_is_lawful(tmp_path: Path) -> None:
    found = catalog(tmp_path, {"A": sample("CT_small.dcm")})
    assert found.ledger.ok == 1
    assert codes(found) == set()


def test_the_newest_line_of_a_file_holds_and_a_torn_one_does_not(tmp_path: Path) -> None:
    stage(tmp_path, {"IM1": WHOLE}, {"IM1": FileState.UNREADABLE})
    (line,) = read_manifest(tmp_path)
    stage(tmp_path, {"IM1": WHOLE})
    newest = (tmp_path / MANIFEST).read_text()
    old = json.dumps(to_plain(line)) + "\n"
    (tmp_path / MANIFEST).write_text(old + newest + newest[:30])
    found = read(tmp_path, Limits())
    assert (found.ledger.files, found.ledger.ok) == (1, 1)


def test_a_copy_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    stage(tmp_path, {"IM1": WHOLE})
    (tmp_path / "00000000").unlink()
    found = read(tmp_path, Limits())
    assert found.ledger.unreadable == 1
    assert codes(found) == {"unreadable-file"}


def test_the_findings_of_reading_the_medium_come_first(tmp_path: Path) -> None:
    given = Finding("symlink-refused", Severity.WARNING, "LINK", "not followed")
    (tmp_path / FINDINGS).write_text(json.dumps(to_plain(given)) + "\n")
    found = catalog(tmp_path, {"IM1": WHOLE[:-4]})
    assert found.findings[0] == given
    assert len(found.findings) == 3


def test_folders_are_counted_with_those_above_them(tmp_path: Path) -> None:
    found = catalog(tmp_path, {"A/B/C/1": b"x", "A/B/2": b"x", "D/3": b"x", "4": b"x"})
    assert found.ledger.directories == 4


def test_offsets_split_a_file_where_others_splice_it(tmp_path: Path) -> None:
    """`dataset_offset` is behind the meta group, `pixel_offset` at the pixel data's tag, or the
    file's length when there are none."""
    data = image()
    whole = part10(data)
    found = catalog(tmp_path, {"A": whole, "SR": sample("test-SR.dcm")})
    a, sr = (i for p in found.patients for i in p.instances)
    assert whole[a.dataset_offset :] == data
    assert whole[a.pixel_offset :][:8] == b"\xe0\x7f\x10\0OW\0\0"
    assert sr.pixel_offset == sr.bytes
    assert (a.rows, a.columns, a.frames) == (4, 4, 1)


def test_many_alike_findings_end_in_a_count(tmp_path: Path) -> None:
    files = {f"IM{n}": part10(image(f"1.2.{n}", name=b"\xe9")) for n in range(130)}
    found = catalog(tmp_path, files)
    said = [f for f in found.findings if f.code == "charset-guessed"]
    assert len(said) == 101
    assert said[-1].detail.startswith("30 more")


def test_a_catalog_survives_the_pipe(tmp_path: Path) -> None:
    """It comes from a sandboxed child as plain data."""
    found = catalog(tmp_path, {"IM1": WHOLE, "IM2": WHOLE[:-4], "letter.pdf": PDF})
    assert from_plain(type(found), to_plain(found)) == found


def test_no_finding_names_the_patient(tmp_path: Path) -> None:
    """Findings are logged and shown to anybody."""
    files = {
        "A": part10(image(name="ZZQX^CANARY", patient_id="SECRET7", study="7.1")),
        "B": part10(image("1.9", name="ZZQX^OTHER", patient_id="SECRET7", study="7.1")),
        "C": part10(image("", name="ZZQX^CANARY\xe9".encode("latin-1"), patient_id="SECRET7")),
        "D": part10(image("2", name="ZZQX^CANARY", patient_id="SECRET7"))[:-4],
    }
    found = catalog(tmp_path, files)
    assert len(found.findings) > 3
    for finding in found.findings:
        assert "ZZQX" not in finding.detail
        assert "SECRET7" not in finding.detail
