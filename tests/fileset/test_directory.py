"""The DICOMDIR is a claim: whatever is wrong with it, the instances are found, and the difference
between what it lists and what is there is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.model.content import Catalog, InstanceStatus
from kiosk.model.medium import FileState
from tests.fileset.dicomdirs import (
    Rec,
    dicomdir,
    flat,
    image_record,
    implicit,
    one_series,
    patient,
    series,
    study,
)
from tests.fileset.staged import catalog, codes, element, image, part10

FILES = {f"IMAGES/IM{n}": part10(image(f"1.2.3.4.{n}")) for n in (1, 2, 3)}


def listing(*names: str) -> list[Rec]:
    names = names or ("IMAGES\\IM1", "IMAGES\\IM2", "IMAGES\\IM3")
    return one_series(*(image_record(name, f"1.2.3.4.{name[-1]}") for name in names))


def of(root: Path, directory: bytes, files: dict[str, bytes] = FILES, **limits: int) -> Catalog:
    return catalog(root, {"DICOMDIR": directory, **files}, **limits)


def counts(found: Catalog) -> tuple[int, int, int]:
    claim = found.directory
    return claim.listed, claim.listed_missing, claim.unlisted


@pytest.mark.parametrize("undefined", [False, True])
def test_a_lawful_directory_is_usable_and_agrees(tmp_path: Path, undefined: bool) -> None:
    found = of(tmp_path, dicomdir(listing(), undefined=undefined))
    assert (found.directory.present, found.directory.usable) == (True, True)
    assert counts(found) == (3, 0, 0)
    assert found.directory.fileset_id == "TESTSET"
    assert codes(found) == set()
    assert (found.ledger.dicomdir, found.ledger.ok) == (1, 3)


def test_an_empty_list_of_records_is_lawful(tmp_path: Path) -> None:
    """Directory Record Sequence is type 2; everything on the medium is then unlisted."""
    found = of(tmp_path, dicomdir([]))
    assert found.directory.usable
    assert counts(found) == (0, 0, 3)


def loop_to_itself(roots: list[Rec]) -> None:
    record = flat(roots)[3]
    record.next = record.position


def loop_to_the_first(roots: list[Rec]) -> None:
    flat(roots)[-1].next = roots[0].position


def child_of_its_own_child(roots: list[Rec]) -> None:
    flat(roots)[3].child = roots[0].position


def next_into_nowhere(roots: list[Rec]) -> None:
    flat(roots)[3].next = 0xFFFFFF00


def next_into_the_middle(roots: list[Rec]) -> None:
    flat(roots)[3].next = flat(roots)[4].position + 2


def no_child_of_the_series(roots: list[Rec]) -> None:
    flat(roots)[2].child = 0


def no_next_image(roots: list[Rec]) -> None:
    flat(roots)[3].next = 0


@pytest.mark.parametrize(
    "harm",
    [
        loop_to_itself,
        loop_to_the_first,
        child_of_its_own_child,
        next_into_nowhere,
        next_into_the_middle,
        no_child_of_the_series,
        no_next_image,
    ],
)
def test_wrong_offsets_end_nothing_and_lose_nothing(
    tmp_path: Path, harm: Callable[[list[Rec]], None]
) -> None:
    """Loops, offsets into nowhere and zeros: every record in use is still taken, once."""
    roots = listing()
    dicomdir(roots)  # places the records
    harm(roots)
    found = of(tmp_path, dicomdir(roots))
    assert counts(found) == (3, 0, 0)
    assert not found.directory.usable
    assert codes(found) == {"directory-damaged"}


@pytest.mark.parametrize("first", [0, 7, 0xFFFFFFF0])
def test_a_wrong_first_offset_loses_nothing(tmp_path: Path, first: int) -> None:
    found = of(tmp_path, dicomdir(listing(), first=first))
    assert counts(found) == (3, 0, 0)
    assert not found.directory.usable


def test_an_implicit_directory_with_other_offsets_is_read_in_its_order(tmp_path: Path) -> None:
    found = of(tmp_path, implicit(dicomdir(listing())))
    assert counts(found) == (3, 0, 0)


@pytest.mark.parametrize("kind", ["MRDR", "VISIT", "PRIVATE", "STUDY COMPONENT", "ZZ TOP"])
def test_retired_private_and_unknown_records_stop_nothing(tmp_path: Path, kind: str) -> None:
    roots = listing()
    roots[0].below[0].below.insert(0, Rec(kind))
    found = of(tmp_path, dicomdir(roots))
    assert counts(found) == (3, 0, 0)
    assert found.directory.usable


def test_only_the_flag_0000_takes_a_record_out_of_use(tmp_path: Path) -> None:
    """Other values and none at all count as in use (PS3.3 F.3.2.2)."""
    roots = listing()
    records = flat(roots)[3:]
    records[0].in_use, records[1].in_use, records[2].in_use = b"\0\0", None, b"\x01\0"
    found = of(tmp_path, dicomdir(roots))
    assert found.directory.listed == 2
    assert found.directory.unlisted == 1


def test_missing_keys_are_no_reason_to_doubt_the_rest(tmp_path: Path) -> None:
    """No Patient ID, no name, no dates, no UID: type 1 keys that real discs leave out."""
    roots = [Rec("PATIENT", below=[Rec("STUDY", below=[Rec("SERIES", below=[])])])]
    roots[0].below[0].below[0].below = [image_record(f"IMAGES\\IM{n}") for n in (1, 2, 3)]
    found = of(tmp_path, dicomdir(roots))
    assert counts(found) == (3, 0, 0)
    assert codes(found) == set()


@pytest.mark.parametrize(
    "path",
    [
        "images/im1",
        "IMAGES/IM1.dcm",
        "Images/im1.DCM",
        "IMAGES/IM1.",
        "IMAGES/IM1.;1",
        "IMAGES/IM1;1",
        "IMAGES/IM1.ima",
        "IMAGES./IM1.IMA;1",
    ],
)
def test_a_file_id_is_found_whatever_the_medium_made_of_its_name(tmp_path: Path, path: str) -> None:
    found = of(tmp_path, dicomdir(listing("IMAGES\\IM1")), {path: FILES["IMAGES/IM1"]})
    assert counts(found) == (1, 0, 0)


@pytest.mark.parametrize("name", ["dicomdir", "DICOMDIR.", "DICOMDIR;1", "DICOMDIR.;1.;1"])
def test_the_directory_is_known_by_its_class_not_by_its_name(tmp_path: Path, name: str) -> None:
    data = dicomdir(listing())
    assert counts(catalog(tmp_path, {name: data, **FILES})) == (3, 0, 0)
    found = catalog(tmp_path, {"IMAGES/DIRFILE": data, **FILES})
    assert found.ledger.dicomdir == 1
    assert counts(found) == (3, 0, 0)


@pytest.mark.parametrize(
    "file_id",
    [
        "..\\..\\etc\\passwd",
        "/etc/passwd",
        "IMAGES\\..\\..\\IM9",
        "IMAGES\\../../etc/passwd",
        "C:\\WINDOWS\\WIN.INI",
        "C:/WINDOWS/WIN.INI",
    ],
)
def test_a_file_id_that_leads_outside_is_refused_alone(tmp_path: Path, file_id: str) -> None:
    """The entry counts as missing, the rest of the disc goes on."""
    found = of(tmp_path, dicomdir(listing("IMAGES\\IM1", file_id)))
    assert "file-id-outside" in codes(found)
    assert (found.directory.listed, found.directory.listed_missing) == (2, 1)
    assert found.ledger.ok == 3


def test_what_is_listed_and_missing_or_there_and_unlisted_is_said(tmp_path: Path) -> None:
    found = of(tmp_path, dicomdir(listing("IMAGES\\IM1", "IMAGES\\IM7")))
    assert counts(found) == (2, 1, 2)
    said = {(f.code, f.where) for f in found.findings}
    assert said == {
        ("listed-file-missing", "IMAGES/IM7"),
        ("unlisted-file", "IMAGES/IM2"),
        ("unlisted-file", "IMAGES/IM3"),
    }


def test_an_image_listed_under_another_name_is_not_unlisted(tmp_path: Path) -> None:
    """It is known by its SOP Instance UID: a renamed file is not one image too many."""
    found = of(tmp_path, dicomdir(one_series(image_record("A\\IM1", "1.2.3.4.1"))))
    assert counts(found) == (1, 1, 2)


def test_the_file_is_believed_where_the_directory_says_otherwise(tmp_path: Path) -> None:
    tree = [
        patient(
            study(series(image_record("IMAGES\\IM1", "9.9"), uid="9.8"), uid="9.7"),
            patient_id="OTHER",
            name="ROE^RICHARD",
        )
    ]
    found = of(tmp_path, dicomdir(tree))
    assert codes(found) == {"directory-disagrees", "unlisted-file"}
    (said,) = (f.detail for f in found.findings if f.code == "directory-disagrees")
    for attribute in ("SOP Instance UID", "Study Instance UID", "Patient ID", "Patient's Name"):
        assert attribute in said
    assert "ROE" not in said
    assert "OTHER" not in said
    assert [p.identity.identifier.value for p in found.patients] == ["A1"]


def test_a_listed_image_whose_beginning_is_destroyed_is_a_damaged_instance(tmp_path: Path) -> None:
    """The directory knows whose it was: it is filed with the whole images of its study."""
    files = {**FILES, "IMAGES/IM2": bytes(2048) + FILES["IMAGES/IM2"][300:]}
    found = of(tmp_path, dicomdir(listing()), files)
    assert (found.ledger.ok, found.ledger.damaged) == (2, 1)
    (person,) = found.patients
    hurt = {i.path: i for i in person.instances}["IMAGES/IM2"]
    assert hurt.status is InstanceStatus.DAMAGED
    assert hurt.sop_instance_uid == "1.2.3.4.2"
    assert len(person.studies) == 1
    assert [len(s.instances) for s in person.studies[0].series] == [3]
    assert codes(found) == {"damaged-instance", "series-damaged"}


def test_a_listed_image_that_could_not_be_read_at_all_is_named(tmp_path: Path) -> None:
    found = catalog(
        tmp_path,
        {"DICOMDIR": dicomdir(listing()), **FILES},
        {"IMAGES/IM3": FileState.UNREADABLE},
    )
    assert counts(found) == (3, 0, 0)
    assert found.ledger.unreadable == 1
    assert [(f.code, f.where) for f in found.findings] == [("listed-file-unreadable", "IMAGES/IM3")]


def test_each_folder_may_have_its_own_directory(tmp_path: Path) -> None:
    """Two file-sets with the same relative names are not mixed."""
    other = {
        f"B/{path}": part10(image(f"5.5.{n}", patient_id="B2", study="5", series="5.1"))
        for n, path in enumerate(FILES)
    }
    second = [
        patient(study(series(*(image_record(p.replace("/", "\\")) for p in FILES), uid="5.1"),
                      uid="5"), patient_id="B2")
    ]  # fmt: skip
    found = catalog(
        tmp_path,
        {"A/DICOMDIR": dicomdir(listing()), "B/DICOMDIR": dicomdir(second)}
        | {f"A/{path}": data for path, data in FILES.items()}
        | other,
    )
    assert counts(found) == (6, 0, 0)
    assert found.ledger.dicomdir == 2
    assert codes(found) == set()
    assert len(found.patients) == 2


def test_a_directory_that_is_listed_twice_counts_its_files_once(tmp_path: Path) -> None:
    """Copies of the directory in subfolders, relative to the root, as some vendors write them."""
    data = dicomdir(listing())
    found = catalog(tmp_path, {"DICOMDIR": data, "IMAGES/DIRFILE": data, **FILES})
    assert counts(found) == (3, 0, 0)


@pytest.mark.parametrize(
    "data",
    [b"", bytes(4000), dicomdir(listing())[:200], dicomdir(listing())[:700], b"\x30\x80junk" * 99],
)
def test_a_destroyed_directory_is_present_and_not_usable(tmp_path: Path, data: bytes) -> None:
    found = of(tmp_path, data)
    assert (found.directory.present, found.directory.usable) == (True, False)
    assert found.ledger.dicomdir == 1
    assert found.ledger.ok == 3
    assert "directory-damaged" in codes(found)


def test_zeroed_records_lose_only_themselves(tmp_path: Path) -> None:
    roots = listing()
    data = bytearray(dicomdir(roots))
    hurt = flat(roots)[4]
    data[hurt.position : hurt.position + 60] = bytes(60)
    found = of(tmp_path, bytes(data))
    assert found.directory.listed == 2
    assert not found.directory.usable


def test_more_records_than_the_limit_are_not_followed(tmp_path: Path) -> None:
    found = of(tmp_path, dicomdir(listing()), directory_records=4)
    assert found.directory.listed == 1
    assert not found.directory.usable
    assert found.ledger.ok == 3


def test_names_in_the_directory_are_read_in_their_character_set(tmp_path: Path) -> None:
    tree = one_series(image_record("IM1", "1.2.3.1"))
    name = "Люк^Иван"
    tree[0].keys = (
        element(0x00080005, b"CS", b"ISO_IR 144")
        + element(0x00100010, b"PN", name.encode("iso8859-5"))
        + element(0x00100020, b"LO", b"A1")
    )
    data = part10(image(name=name.encode() + b" " * (len(name.encode()) % 2), charset="ISO_IR 192"))
    found = catalog(tmp_path, {"DICOMDIR": dicomdir(tree), "IM1": data})
    assert codes(found) == set()


def test_a_name_that_is_only_spelled_otherwise_does_not_disagree(tmp_path: Path) -> None:
    """Directories are often written in capitals, without accents or shortened."""
    tree = listing()
    tree[0].keys = element(0x00100010, b"PN", b"doe^j ") + element(0x00100020, b"LO", b"A1")
    assert codes(of(tmp_path, dicomdir(tree))) == set()


def test_a_listed_file_that_is_locked_is_locked_not_damaged(tmp_path: Path) -> None:
    cms = bytes.fromhex("3080 0609 2a864886f70d010703 a080") + bytes(200)
    found = of(tmp_path, dicomdir(listing("IMAGES\\IM1")), {"IMAGES/IM1": cms})
    assert codes(found) == {"encrypted"}
    assert found.ledger.unsupported == 1
