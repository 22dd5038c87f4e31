"""Names come out as they were written, whatever the character set, and a guess is visible."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import get_args

import pydicom
import pytest

from kiosk.fileset import read as read_catalog
from kiosk.fileset.header.text import charset, decode
from kiosk.model.patient import PersonName
from kiosk.policy.sections import CharacterSet, Limits
from tests.fileset.staged import catalog, charset_sample, codes, image, part10, stage


def read(declared: bytes, raw: bytes) -> tuple[str, str]:
    chosen = charset(declared, raw)
    return decode(raw, chosen), chosen.guess


@pytest.mark.parametrize(
    "name",
    "chrArab chrFren chrGerm chrGreek chrH31 chrH32 chrHbrw chrI2 chrRuss chrX1 chrX2".split(),
)
def test_each_character_set_gives_the_name_that_pydicom_gives(name: str) -> None:
    data = charset_sample(f"{name}.dcm")
    dataset = pydicom.dcmread(BytesIO(data))
    raw = dataset.get_item("PatientName")
    assert raw is not None
    declared = dataset.get("SpecificCharacterSet", "")
    term = declared if isinstance(declared, str) else "\\".join(declared)
    stored = dataset["PatientName"].value.original_string
    text, guess = read(term.encode(), stored)
    expected = PersonName.from_dicom(str(dataset.PatientName))
    assert PersonName.from_dicom(text) == expected
    assert guess == ""


@pytest.mark.parametrize(
    ("declared", "raw", "text", "guess"),
    [
        (b"", b"DOE^JANE", "DOE^JANE", ""),
        (b"", "Jérôme".encode(), "Jérôme", "missing"),
        (b"", "Jérôme".encode("latin-1"), "Jérôme", "missing"),
        (b"ISO_IR 100", "Jérôme".encode(), "Jérôme", "wrong"),
        (b"ISO_IR 192", "Jérôme".encode("latin-1"), "Jérôme", "wrong"),
        (b"ISO_IR 999", "Jérôme".encode(), "Jérôme", "unknown"),
        (b"ISO_IR 999", b"DOE", "DOE", ""),
        (b"iso-ir 100 ", "Jérôme".encode("latin-1"), "Jérôme", ""),
        (b"ISO IR 144", "Иванов".encode("iso8859-5"), "Иванов", ""),
        (b"\\ISO_IR 192", "Иванов".encode(), "Иванов", "wrong"),
        (b"\\GB18030", "王小东".encode("gb18030"), "王小东", "wrong"),
        (b"ISO_IR 100\\ISO 2022 IR 144", b"Ivanov=\x1b-L" + "Иван".encode("iso8859-5"),
         "Ivanov=Иван", ""),
    ],
)  # fmt: skip
def test_a_missing_or_wrong_character_set_is_guessed_and_said(
    declared: bytes, raw: bytes, text: str, guess: str
) -> None:
    assert read(declared, raw) == (text, guess)


def test_code_extensions_end_at_the_delimiters_of_a_name() -> None:
    """PS3.5 6.1.2.5.3: behind `^` and `=` the first character set holds again."""
    cyrillic = "Иван".encode("iso8859-5")
    text, _ = read(b"ISO_IR 100\\ISO 2022 IR 144", b"\x1b-L" + cyrillic + b"^" + b"\xe9")
    assert text == "Иван^é"


def test_control_characters_never_leave_the_decoder() -> None:
    """ESC sequences, NUL and line ends would reach screens and logs (PS3.5 6.1.3)."""
    text, _ = read(b"", b"DOE\x07^JANE\x1b[2J\r\n\0")
    assert text.isprintable()


def test_any_bytes_at_all_are_some_text() -> None:
    for term in (b"", b"ISO_IR 192", b"\\ISO 2022 IR 87", b"ISO 2022 IR 13\\ISO 2022 IR 149"):
        for start in range(0, 256, 8):
            raw = bytes((start + n) % 256 for n in range(24)) + b"\x1b$B\x1b$)C\xff"
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                read(term, raw)


def test_a_guess_is_a_finding_of_the_file(tmp_path: Path) -> None:
    found = catalog(tmp_path, {"A": part10(image(name="Jérôme".encode()))})
    assert codes(found) == {"charset-guessed"}
    assert found.patients[0].identity.name == PersonName("Jérôme")


@pytest.mark.parametrize(
    ("term", "name", "raw"),
    [
        ("ISO_IR 144", "ИВАНОВ", "ИВАНОВ".encode("iso8859-5")),
        ("windows-1251", "ИВАНОВ", "ИВАНОВ".encode("cp1251")),
        ("windows-1250", "NOVÁK JIŘÍ", "NOVÁK JIŘÍ".encode("cp1250")),
        ("Shift_JIS", "山田", "山田".encode("shift_jis")),
        ("GB18030", "王小东", "王小东".encode("gb18030")),
    ],
)
def test_what_undeclared_text_is_read_as_is_the_sites_to_say(
    term: str, name: str, raw: bytes, tmp_path: Path
) -> None:
    """And it is said with the name that the configuration has for it."""
    files = {"A": part10(image(name=raw))}
    found = read_catalog(stage(tmp_path, files), Limits(undeclared_charset=term))
    assert found.patients[0].identity.name == PersonName(name)
    (finding,) = [f for f in found.findings if f.code == "charset-guessed"]
    assert f"read as {term}." in finding.detail


def test_every_character_set_that_the_configuration_may_name_can_be_read() -> None:
    for term in get_args(CharacterSet):
        assert charset(b"", b"\xe1\xe2 ", term).guess == "missing"
        decode(b"\xe1\xe2 ", charset(b"", b"\xe1\xe2 ", term))
