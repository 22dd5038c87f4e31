"""A first look: what a medium is, from a few bytes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from kiosk import fileset
from kiosk.model.content import Verdict
from kiosk.policy.sections import Limits

CT = Path(get_testdata_file("CT_small.dcm")).read_bytes()
MR = Path(get_testdata_file("MR_small.dcm")).read_bytes()
TEXT = b"Nothing medical in here." * 20
LOCKED = bytes.fromhex("3082010006092a864886f70d010703") + bytes(300)


def look(files: dict[str, bytes], whole: bool = True) -> Verdict:
    """The verdict on these files; what is started is counted."""
    bodies = list(files.values())
    started: list[int] = []

    def start(number: int, length: int) -> bytes:
        started.append(number)
        return bodies[number][:length]

    listed = [(path, len(body)) for path, body in files.items()]
    verdict = fileset.first_look(listed, start, Limits(), whole)
    assert len(started) <= 20
    return verdict


def test_one_person_without_a_directory_is_known_from_a_header() -> None:
    verdict = look({"A/IM1": CT, "README.TXT": TEXT})
    assert (verdict.code, verdict.people, verdict.studies, verdict.instances) == ("scans", 1, 1, 1)
    assert verdict.whole
    assert verdict.stated[0].identifier.value == "1CT1"
    assert [(line.modality, line.instances) for line in verdict.lines] == [("CT", 1)]


def test_two_people_in_two_folders_are_seen_however_many_images_the_first_has() -> None:
    files = {f"A/IM{n}": CT for n in range(100)} | {"B/IM1": MR}
    verdict = look(files)
    assert (verdict.code, verdict.people, verdict.whole) == ("several-people", 2, False)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, "empty"),
        ({"TRACK1.MP3": TEXT, "TRACK2.MP3": TEXT}, "audio"),
        ({"VIDEO_TS/VTS_01_1.VOB": TEXT, "VIDEO_TS/VIDEO_TS.IFO": TEXT}, "audio"),
        ({"DCIM/P1.JPG": b"\xff\xd8\xff" + TEXT, "LETTER.PDF": b"%PDF-1.4" + TEXT}, "no-dicom"),
        ({"NOTES.XYZ": TEXT}, "no-dicom"),
        ({"VIEW/VIEW.EXE": b"MZ" + TEXT, "VIEW/HELP.DAT": TEXT}, "viewer-only"),
        ({"IM1": LOCKED, "IM2": LOCKED}, "locked"),
    ],
)
def test_a_disc_without_scans_is_called_what_it_is(files: dict[str, bytes], code: str) -> None:
    assert look(files).code == code


def test_documents_and_pictures_are_counted() -> None:
    assert look({"P1.JPG": TEXT, "P2.JPG": TEXT, "A.PDF": TEXT, "B.DAT": TEXT}).reports == 1


def test_what_was_not_looked_at_is_never_called_empty_of_scans() -> None:
    """More files than a look may start, or a list that is not whole: it says nothing."""
    assert look({f"IM{n}": TEXT for n in range(100)}).code == "unsure"
    assert look({"IM1": TEXT}, whole=False).code == "unsure"
    assert look({}, whole=False).code == "unsure"


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=20), st.binary(max_size=600), max_size=6))
def test_any_bytes_at_all_get_a_verdict(files: dict[str, bytes]) -> None:
    bodies = {path: b"\0" * 128 + b"DICM" + body for path, body in files.items()}
    assert look(bodies).code
    assert look({"DICOMDIR": CT[:500], **files}).code
