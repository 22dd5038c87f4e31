"""One StatedPatient for each person on a medium: spellings of one together, two people never."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.fileset.patients import compatible
from kiosk.model.content import Catalog
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from tests.fileset.staged import catalog, codes, element, even, image, part10


def of(root: Path, *stated: dict[str, str]) -> Catalog:
    """A medium with one image for each statement, each in its own study unless it says."""
    files = {
        f"IM{n}": part10(image(f"1.2.3.{n}", **{"study": f"1.2.3.9.{n}", **how}))  # type: ignore[arg-type]
        for n, how in enumerate(stated)
    }
    return catalog(root, files)


def shown(found: Catalog) -> list[tuple[str, str, int]]:
    return [
        (p.identity.identifier.value, p.identity.name.to_dicom(), len(p.instances))
        for p in found.patients
    ]


A, B = {"patient_id": "A1"}, {"patient_id": "B2"}


@pytest.mark.parametrize(
    "other",
    [
        {"name": "Doe^Jane"},
        {"name": "DOE^JANE^MARY"},
        {"name": "DOE^JANE^^DR"},
        {"name": "JANE^DOE"},
        {"name": "DOE JANE"},
        {"name": "DÖE^JÀNE", "charset": "ISO_IR 192"},
        {"name": ""},
        {"name": "DOE"},
        {"name": "DOE^J"},
        {"name": "DOE^J^M"},
    ],
)
def test_one_number_and_a_compatible_name_are_one_person(
    tmp_path: Path, other: dict[str, str]
) -> None:
    """Case, accents, order, missing and additional parts, initials: one patient, one variant."""
    found = of(tmp_path, {"name": "DOE^JANE"}, {"name": "DOE^JANE"}, other)
    assert shown(found) == [("A1", "DOE^JANE", 3)]
    (person,) = found.patients
    assert [v.name.to_dicom() for v in person.variants] == [other["name"]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"name": "DOE^JANE"}, {"name": "ROE^RICHARD"}),
        ({"name": "DOE^JANE"}, {"name": "DOE^JOHN"}),
        ({"name": "DOE^JANE", "birth": "19620314"}, {"name": "DOE^JANE", "birth": "19910314"}),
        ({"name": "DOE^JANE", "sex": "F"}, {"name": "DOE^JANE", "sex": "M"}),
        ({"name": "DOE^JANE", "issuer": "HERE"}, {"name": "DOE^JANE", "issuer": "THERE"}),
        ({"name": "DOE^JANE", **A}, {"name": "DOE^JANE", **B}),
    ],
)
def test_two_people_are_never_one(
    tmp_path: Path, one: dict[str, str], other: dict[str, str]
) -> None:
    """The same number with another name, birth date, sex or issuer, or another number."""
    assert [count for _, _, count in shown(of(tmp_path, one, other))] == [1, 1]


def test_a_slip_of_spelling_is_forgiven_with_the_same_birth_date_only(tmp_path: Path) -> None:
    slips = {"name": "MEIER^HANS"}, {"name": "MEYER^HANS"}
    day = {"birth": "19620314"}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert len(of(tmp_path / "a", *slips).patients) == 2
    assert len(of(tmp_path / "b", *(s | day for s in slips)).patients) == 1


def test_a_bare_number_between_two_people_belongs_to_neither(tmp_path: Path) -> None:
    """What fits both is kept apart, whichever is read first."""
    found = of(tmp_path, {"name": ""}, {"name": "DOE^JANE"}, {"name": "ROE^RICHARD"})
    assert sorted(count for _, _, count in shown(found)) == [1, 1, 1]


def test_without_a_number_the_same_name_and_birth_date_are_one_person(tmp_path: Path) -> None:
    nobody = {"patient_id": "", "name": "DOE^JANE", "birth": "19620314"}
    assert shown(of(tmp_path, nobody, nobody)) == [("", "DOE^JANE", 2)]


def test_without_number_and_birth_date_each_study_stays_apart(tmp_path: Path) -> None:
    """Two studies of a JANE DOE may be of two people; the images of one study are of one."""
    nobody = {"patient_id": "", "name": "DOE^JANE"}
    found = of(tmp_path, nobody | {"study": "7.1"}, nobody | {"study": "7.1"}, nobody)
    assert [count for _, _, count in shown(found)] == [2, 1]


def test_a_statement_without_number_follows_its_study(tmp_path: Path) -> None:
    """Presentation states and reports often leave the number out."""
    found = of(tmp_path, {"study": "7.1"}, {"patient_id": "", "name": "ROE", "study": "7.1"})
    assert [count for _, _, count in shown(found)] == [1, 1]
    (tmp_path / "again").mkdir()
    found = of(
        tmp_path / "again", {"study": "7.1"}, {"patient_id": "", "name": "DOE", "study": "7.1"}
    )
    assert shown(found) == [("A1", "DOE^JANE", 2)]


def test_a_study_that_two_people_claim_is_given_to_each_for_their_own_images(
    tmp_path: Path,
) -> None:
    found = of(tmp_path, {"study": "7.1"}, {"study": "7.1", "name": "ROE^RICHARD"})
    assert [count for _, _, count in shown(found)] == [1, 1]
    assert "study-of-several-patients" in codes(found)


def test_the_spelling_of_most_images_is_shown_with_what_others_add(tmp_path: Path) -> None:
    found = of(tmp_path, {"name": "DOE^J"}, {}, {}, {"birth": "19620314", "sex": "F"})
    (person,) = found.patients
    assert person.identity == PatientIdentity(
        (Identifier("A1"),), (PersonName("DOE", "JANE"),), "19620314", "F"
    )
    assert [v.name.given for v in person.variants] == ["J"]


def test_all_that_a_header_says_of_its_patient_is_kept(tmp_path: Path) -> None:
    """Issuer and its qualifiers, other numbers with theirs, other and birth names, address."""
    qualifiers = element(0x00400032, b"UT", b"1.2.9 ") + element(0x00400033, b"CS", b"ISO ")
    other = element(0x00100020, b"LO", b"X7") + element(0x00100021, b"LO", b"FAR ")
    extra = (
        element(0x00100024, b"SQ", b"\xfe\xff\x00\xe0" + _length(qualifiers) + qualifiers)
        + element(0x00101001, b"PN", even("ROE^JANE"))
        + element(0x00101002, b"SQ", b"\xfe\xff\x00\xe0" + _length(other) + other)
        + element(0x00101005, b"PN", even("POE"))
        + element(0x00101040, b"LO", even("1 Main Street"))
        + element(0x00101060, b"PN", even("MOE"))
        + element(0x00102154, b"SH", even("555 1234"))
    )
    data = part10(image(issuer="HERE", birth="1962.03.14", sex="F", extra=extra))
    (person,) = catalog(tmp_path, {"A": data}).patients
    assert person.identity == PatientIdentity(
        (Identifier("A1", "HERE", "", "1.2.9", "ISO"), Identifier("X7", "FAR")),
        (
            PersonName("DOE", "JANE"),
            PersonName("ROE", "JANE", type="A"),
            PersonName("POE", type="M"),
        ),
        "19620314",
        "F",
        "1 Main Street",
        "555 1234",
        "MOE",
    )


def _length(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little")


@pytest.mark.parametrize("birth", ["19621314", "0000", "unknown", "00000000", "19620230"])
def test_what_is_no_day_of_the_calendar_is_no_birth_date(tmp_path: Path, birth: str) -> None:
    (person,) = of(tmp_path, {"birth": birth}).patients
    assert person.identity.birth_date == ""


def test_compatibility_is_the_same_from_both_sides() -> None:
    names = [
        "",
        "DOE",
        "DOE^JANE",
        "DOE^JANE^M",
        "DOE^JOHN",
        "DOE^J",
        "J",
        "MEIER^J",
        "MEYER^J",
        "ROE",
    ]
    people = [
        PatientIdentity((Identifier("1"),), (PersonName.from_dicom(n),), birth, sex)
        for n in names
        for birth in ("", "19620314")
        for sex in ("", "F", "M", "O")
    ]
    for one in people:
        assert compatible(one, one)
        for other in people:
            assert compatible(one, other) == compatible(other, one)


def test_thousands_of_people_with_one_number_end_in_time(tmp_path: Path) -> None:
    """A hostile disc cannot make the comparison quadratic; each stays a person of its own."""
    letters = "BCDFGHJKLMNPQRST"
    names = ["".join(letters[n >> shift & 15] * 3 for shift in (0, 4, 8)) for n in range(1500)]
    found = of(tmp_path, *({"name": name} for name in names))
    assert len(found.patients) == 1500
