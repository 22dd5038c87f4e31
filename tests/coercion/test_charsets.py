"""No character is ever lost: text stays as it is, or it is converted exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.data import get_charset_files, get_testdata_file

from kiosk.coercion import apply
from kiosk.coercion.encoding import charsets
from tests.coercion.build import instance_of, named, plan_for, read, whole

FILES = sorted(Path(p) for p in get_charset_files("*.dcm"))


def names_in(ds: Dataset) -> list[str]:
    return [str(e.value) for e in ds.iterall() if e.VR in ("PN", "LO", "SH", "ST", "LT", "UT")]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
@pytest.mark.parametrize("name", ["Smith^Anna", "Müller^Zoë=山田^太郎"], ids=["ascii", "unicode"])
def test_old_names_read_the_same_in_the_original_attributes(path: Path, name: str) -> None:
    before = dcmread(path)
    instance = replace(instance_of(path), sop_class_uid="1.2.3", sop_instance_uid="1.2.4")
    after = read(whole(apply(path, instance, plan_for(path, named(name)))))
    assert str(after.PatientName) == name
    old = after.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0]
    assert str(old.PatientName) == str(before.get("PatientName", ""))
    assert set(names_in(before)) - {str(before.get("PatientID"))} <= set(names_in(after))
    assert "?" not in str(after.PatientName)


def test_a_name_the_header_can_say_leaves_its_character_set_alone() -> None:
    path = next(p for p in FILES if p.stem == "chrGerm")
    after = read(whole(apply(path, instance_of(path), plan_for(path, named("Größe^Jörg")))))
    assert after.SpecificCharacterSet == "ISO_IR 100"
    assert str(after.PatientName) == "Größe^Jörg"


def test_a_name_it_cannot_say_turns_the_whole_header_to_utf_8() -> None:
    path = next(p for p in FILES if p.stem == "chrGerm")
    after = read(whole(apply(path, instance_of(path), plan_for(path, named("Иванов^Пётр")))))
    assert after.SpecificCharacterSet == "ISO_IR 192"
    old = after.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0]
    assert old.SpecificCharacterSet == "ISO_IR 100"
    assert str(old.PatientName) == "Äneas^Rüdiger"


def test_text_in_nested_and_private_sequences_is_converted_too(tmp_path: Path) -> None:
    """pydicom leaves what it has not decoded yet in the old character set."""
    ds = dcmread(str(get_testdata_file("CT_small.dcm")))
    ds.SpecificCharacterSet = "ISO_IR 100"
    inner, innermost = Dataset(), Dataset()
    innermost.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "Füße")
    inner.ReferencedStudySequence = [innermost]
    inner.StudyDescription = "Schädel"
    ds.ReferencedStudySequence = [inner]
    path = tmp_path / "nested.dcm"
    ds.save_as(path)
    after = read(whole(apply(path, instance_of(path), plan_for(path, named("山田")))))
    got = after.ReferencedStudySequence[0]
    assert got.StudyDescription == "Schädel"
    assert got.ReferencedStudySequence[0][0x0029, 0x1001].value == "Füße"


def test_bytes_outside_the_declared_set_are_guessed_and_kept_as_they_were(tmp_path: Path) -> None:
    """Discs with undeclared Latin-1 are common: the guess loses no byte, and the original's bytes
    stay among the old values."""
    ds = dcmread(str(get_testdata_file("CT_small.dcm")))
    del ds.SpecificCharacterSet
    ds.StudyDescription = "XYZZY1"
    path = tmp_path / "undeclared.dcm"
    ds.save_as(path)
    path.write_bytes(path.read_bytes().replace(b"XYZZY1", b"Sch\xe4d\xdf"))
    after = read(whole(apply(path, instance_of(path), plan_for(path, named("山田")))))
    assert after.StudyDescription == "Schädß"
    old = after.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0]
    assert old.get_item("StudyDescription").value == b"Sch\xe4d\xdf"


def test_undeclared_bytes_stay_untouched_when_nothing_needs_another_set(tmp_path: Path) -> None:
    ds = dcmread(str(get_testdata_file("CT_small.dcm")))
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.StudyDescription = "XYZZY1"
    path = tmp_path / "unknown.dcm"
    ds.save_as(path)
    instance, made = instance_of(path), plan_for(path)
    unknown = path.read_bytes().replace(b"ISO_IR 100", b"NOT_A_SET ")
    path.write_bytes(unknown.replace(b"XYZZY1", b"Sch\xe4d\xdf"))
    header = apply(path, instance, made).header
    assert b"Sch\xe4d\xdf" in header
    assert b"NOT_A_SET" in header


@pytest.mark.parametrize("stated", ["ISO-IR 100", "ISO_IR_100", "iso ir 100", "ISO_IR 100 "])
def test_common_misspellings_of_a_character_set_are_understood(stated: str) -> None:
    assert charsets.terms(stated.encode()) == ("ISO_IR 100",)


@given(
    st.text(max_size=40),
    st.sampled_from(["", "ISO_IR 100", "ISO_IR 101", "ISO_IR 144", "ISO_IR 192", "GB18030",
                     "ISO_IR 13", "ISO_IR 166", "ISO 2022 IR 87"]),
)  # fmt: skip
def test_what_is_encoded_decodes_to_the_same_or_is_refused(text: str, term: str) -> None:
    text = "".join(c for c in text if c.isprintable())
    try:
        raw = charsets.encode(text, (term,))
    except UnicodeError:
        return
    assert charsets.decode(raw, (term,)) == text


@given(st.binary(max_size=60), st.sampled_from(["", "ISO_IR 87", "ISO 2022 IR 87", "GB18030"]))
def test_any_bytes_are_read_without_an_exception(raw: bytes, term: str) -> None:
    text, guessed = charsets.read(raw, (term, "ISO 2022 IR 149"))
    assert isinstance(text, str)
    assert guessed or text == charsets.decode(raw, (term, "ISO 2022 IR 149"))


def test_a_guessed_private_text_takes_its_creator_along_where_there_is_one(tmp_path: Path) -> None:
    """PS3.3 C.12.1.1.9: private elements in the item are accompanied by their creator."""
    ds = dcmread(str(get_testdata_file("CT_small.dcm")))
    del ds.SpecificCharacterSet
    ds.private_block(0x0041, "ACME", create=True).add_new(1, "LO", "XYZZY1")
    ds.add_new(0x00431101, "LO", "XYZZY2")
    path = tmp_path / "private.dcm"
    ds.save_as(path)
    path.write_bytes(path.read_bytes().replace(b"XYZZY", b"Schl\xfc"))
    after = read(whole(apply(path, instance_of(path), plan_for(path, named("山田")))))
    old = after.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0]
    assert after[0x0041, 0x1001].value == "Schlü1"
    assert old[0x0041, 0x0010].value == "ACME"
    assert old.get_item(0x00411001).value == b"Schl\xfc1"
    assert old.get_item(0x00431101).value == b"Schl\xfc2"


def test_a_signature_over_converted_text_is_left_off_and_said(tmp_path: Path) -> None:
    ds = dcmread(str(get_testdata_file("CT_small.dcm")))
    inner, signature = Dataset(), Dataset()
    signature.DigitalSignatureUID = "1.2.3"
    ds.SpecificCharacterSet = "ISO_IR 100"
    inner.StudyDescription = "Schädel"
    inner.DigitalSignaturesSequence = [signature]
    ds.ReferencedStudySequence = [inner]
    path = tmp_path / "signed.dcm"
    ds.save_as(path)
    kept = read(whole(apply(path, instance_of(path), plan_for(path))))
    coerced = apply(path, instance_of(path), plan_for(path, named("山田")))
    assert "DigitalSignaturesSequence" in kept.ReferencedStudySequence[0]
    assert "DigitalSignaturesSequence" not in read(whole(coerced)).ReferencedStudySequence[0]
    assert "DigitalSignaturesSequence" in [c.keyword for c in coerced.changes]
