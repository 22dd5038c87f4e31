"""Reports beside the images become objects of the study they belong to, or it is said why not."""

from __future__ import annotations

import contextlib
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from kiosk.coercion.documents import paper, picture
from kiosk.coercion.documents.refusal import LeftOut
from kiosk.coercion.documents.text import words_of
from kiosk.model.content import Attachment, Catalog
from tests.coercion.build import read, whole
from tests.coercion.test_conformance import errors
from tests.coercion.test_preparing import Medium, ct

PDF = paper.of_text("A report.\n" * 100)


def jpeg() -> bytes:
    """A baseline JPEG: the first frame of a file that pydicom ships."""
    ds = dcmread(str(get_testdata_file("SC_rgb_dcmtk_+eb+cr.dcm")))
    return next(generate_frames(ds.PixelData, number_of_frames=1)).rstrip(b"\0")


def put(medium: Medium, files: dict[str, bytes]) -> Catalog:
    medium.put("IM1", ct())
    for name, data in files.items():
        medium.put_bytes(name, data)
    return medium.prepared()


def sent(medium: Medium, catalog: Catalog, path: str) -> Dataset:
    return read(whole(medium.coerced(catalog)[path]))


def the(catalog: Catalog, path: str) -> Attachment:
    (found,) = [a for a in catalog.attachments if a.path == path]
    return found


def test_a_pdf_becomes_an_encapsulated_pdf_in_the_study(tmp_path: Path) -> None:
    medium = Medium(tmp_path)
    catalog = put(medium, {"REPORT.PDF": PDF})
    image, document = sent(medium, catalog, "IM1"), sent(medium, catalog, "REPORT.PDF")
    assert document.SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
    assert document.EncapsulatedDocument[: document.EncapsulatedDocumentLength] == PDF
    assert document.StudyInstanceUID == image.StudyInstanceUID
    assert document.SeriesInstanceUID != image.SeriesInstanceUID
    assert (document.PatientID, document.PatientName) == (image.PatientID, image.PatientName)
    assert document.StudyDate == image.StudyDate
    assert document.DocumentTitle == "REPORT"
    assert the(catalog, "REPORT.PDF").study == image.StudyInstanceUID
    (study,) = catalog.patients[0].studies
    assert [len(s.instances) for s in study.series] == [1, 1]


def test_a_jpeg_becomes_a_secondary_capture_with_its_own_bytes(tmp_path: Path) -> None:
    medium = Medium(tmp_path)
    catalog = put(medium, {"SCAR.JPG": jpeg()})
    capture = sent(medium, catalog, "SCAR.JPG")
    assert capture.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert capture.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    assert (capture.Rows, capture.Columns, capture.SamplesPerPixel) == (100, 100, 3)
    assert next(generate_frames(capture.PixelData, number_of_frames=1)).rstrip(b"\0") == jpeg()
    assert capture.LossyImageCompression == "01"
    (instance,) = [i for p in catalog.patients for i in p.instances if i.path == "SCAR.JPG"]
    assert instance.pixels


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("NOTE.TXT", "Befund: Größe 3 cm\nkeine Änderung".encode()),
        ("NOTE.HTML", "<html><script>x()</script><p>Befund: Größe 3&nbsp;cm</p></html>".encode()),
        ("NOTE.RTF", rb"{\rtf1{\fonttbl{\f0 Arial;}}Befund: Gr\'f6\'dfe \u51?cm\par}"),
    ],
)
def test_text_becomes_a_pdf_of_its_words_where_the_policy_says_so(
    tmp_path: Path, name: str, data: bytes
) -> None:
    medium = Medium(tmp_path, attachments=["txt", "html", "rtf"])
    document = sent(medium, put(medium, {name: data}), name)
    pdf = document.EncapsulatedDocument
    assert "Befund: Größe 3".encode("cp1252") in pdf
    assert b"x()" not in pdf
    assert b"Arial" not in pdf
    assert paper.checked(pdf[: document.EncapsulatedDocumentLength])


def test_the_same_medium_again_makes_the_same_objects(tmp_path: Path) -> None:
    medium = Medium(tmp_path)
    first = put(medium, {"REPORT.PDF": PDF, "SCAR.JPG": jpeg()})
    before = {path: whole(c) for path, c in medium.coerced(first).items()}
    assert medium.prepared("again") == first
    assert {path: whole(c) for path, c in medium.coerced(first).items()} == before


def packed(objects: bytes) -> bytes:
    body = zlib.compress(objects)
    head = b"7 0 obj\n<< /Type /Obj#53tm /Filter /FlateDecode >>\nstream\n"
    return PDF.replace(b"xref", head + body + b"\nendstream\nendobj\nxref", 1)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (PDF.replace(b"/Pages 2 0 R", b"/OpenAction << /S /JavaScript /JS (x) >> /Pages 2 0 R"),
         "active"),
        (PDF.replace(b"/Pages 2 0 R", b"/Names << /Embedded#46iles 9 0 R >>"), "active"),
        (packed(b"<< /S /Launch >>"), "active"),
        (PDF.replace(b"/Root", b"/Encrypt 9 0 R /Root"), "locked"),
        (PDF[: len(PDF) // 2], "broken"),
    ],
    ids=["script", "file-inside", "packed", "locked", "cut"],
)  # fmt: skip
def test_a_pdf_that_does_more_than_show_stays_on_the_disc(
    tmp_path: Path, data: bytes, why: str
) -> None:
    catalog = put(Medium(tmp_path), {"REPORT.PDF": data})
    assert (the(catalog, "REPORT.PDF").why, the(catalog, "REPORT.PDF").study) == (why, "")
    assert [f.where for f in catalog.findings if f.code == "report-left-out"] == ["REPORT.PDF"]


def test_a_word_in_a_picture_of_a_pdf_is_no_script() -> None:
    picture_in_it = PDF.replace(b"BT /F1", b"/JS /JavaScript BT /F1", 1)
    assert paper.checked(picture_in_it) == picture_in_it


def test_a_pdf_of_nothing_but_beginnings_is_left_out_at_once() -> None:
    """Each would have to be looked for to the end of the file, were it not one pass."""
    with pytest.raises(LeftOut):
        paper.checked(b"%PDF-1.4\n" + b"stream\n" * 2_000_000 + b"%%EOF")


def test_a_progressive_jpeg_stays_on_the_disc(tmp_path: Path) -> None:
    progressive = jpeg().replace(b"\xff\xc0\x00\x11", b"\xff\xc2\x00\x11", 1)
    assert the(put(Medium(tmp_path), {"SCAR.JPG": progressive}), "SCAR.JPG").why == "not-baseline"


@pytest.mark.parametrize("name", ["README.PDF", "Index.htm", "NOTE.TXT"])
def test_what_is_about_the_disc_or_not_asked_for_stays_without_a_word(
    tmp_path: Path, name: str
) -> None:
    catalog = put(Medium(tmp_path), {name: PDF if name.endswith("PDF") else b"<html>hello</html>"})
    assert the(catalog, name).why in ("about-the-disc", "not-asked")
    assert not [f for f in catalog.findings if f.code == "report-left-out"]


def two_studies(medium: Medium) -> None:
    for number, folder in enumerate(("A", "B"), 1):
        (medium._folder / "medium" / folder).mkdir()
        medium.put(f"{folder}/IM", ct(number, StudyInstanceUID=f"1.7.{number}"))


def test_of_two_studies_the_one_in_the_same_folder_gets_the_report(tmp_path: Path) -> None:
    medium = Medium(tmp_path)
    two_studies(medium)
    medium.put_bytes("A/REPORT.PDF", PDF)
    medium.put_bytes("REPORT.PDF", PDF)
    catalog = medium.prepared()
    assert the(catalog, "A/REPORT.PDF").study == "1.7.1"
    assert the(catalog, "REPORT.PDF").why == "which-study"


def test_a_report_beside_two_people_belongs_to_nobody(tmp_path: Path) -> None:
    medium = Medium(tmp_path)
    medium.put("OTHER", ct(5, PatientID="E", PatientName="ELSE^ANYBODY", StudyInstanceUID="1.8"))
    assert the(put(medium, {"REPORT.PDF": PDF}), "REPORT.PDF").why == "whose"


@pytest.mark.peer("dciodvfy")
def test_what_is_made_breaks_no_rule_of_the_standard(tmp_path: Path) -> None:
    medium = Medium(tmp_path)
    catalog = put(medium, {"REPORT.PDF": PDF, "SCAR.JPG": jpeg()})
    for path in ("REPORT.PDF", "SCAR.JPG"):
        made = tmp_path / "made.dcm"
        made.write_bytes(whole(medium.coerced(catalog)[path]))
        assert not errors(made)


@pytest.mark.peer("dcm2pdf")
def test_another_programs_reader_gives_the_document_back(tmp_path: Path) -> None:
    medium = Medium(tmp_path)
    catalog = put(medium, {"REPORT.PDF": PDF})
    made, back = tmp_path / "made.dcm", tmp_path / "back.pdf"
    made.write_bytes(whole(medium.coerced(catalog)["REPORT.PDF"]))
    subprocess.run(["dcm2pdf", str(made), str(back)], check=True)
    assert back.read_bytes().rstrip(b"\0") == PDF


@given(st.binary(max_size=400), st.sampled_from(["pdf", "jpeg", "txt", "html", "rtf"]))
def test_any_bytes_are_a_report_or_left_out(data: bytes, kind: str) -> None:
    heads = {"pdf": b"%PDF-1.4\n", "jpeg": b"\xff\xd8", "rtf": b"{\\rtf1"}
    work: Any = {"pdf": paper.checked, "jpeg": picture.read}.get(kind, lambda d: words_of(d, kind))
    with contextlib.suppress(LeftOut):
        assert work(heads.get(kind, b"") + data + (b"%%EOF" if kind == "pdf" else b""))
