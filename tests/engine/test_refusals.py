"""A medium without scans is called what it is: music, packed files, locked files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from kiosk.cli.inspecting import exit_code
from kiosk.desk.snapshots import ProblemKind
from kiosk.desk.views.touch import problem_of
from kiosk.engine.reading import refused
from kiosk.model.content import Ledger
from kiosk.model.medium import Medium, MediumKind
from kiosk.model.work import Intake, IntakeState
from tests.fileset.staged import catalog

LOCKED_ZIP = b"PK\x03\x04\x14\0\1\0" + bytes(60)
CMS = bytes.fromhex("3082000006092a864886f70d010703") + bytes(60)
TAR = bytes(257) + b"ustar" + bytes(250)
IMAGE = bytes(32_768) + b"\1CD001\1" + bytes(100)
SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c" + bytes(60)


@pytest.mark.parametrize(
    ("files", "code", "kind", "message"),
    [
        ({"T1.MP3": b"ID3", "T2.MP3": b"ID3"}, "medium-audio", ProblemKind.NO_SCANS, "KX-212"),
        ({"VIDEO_TS/VTS.VOB": b"\0\0\1\xba"}, "medium-audio", ProblemKind.NO_SCANS, "KX-212"),
        ({"T1.MP3": b"ID3", "L.PDF": b"%PDF-1"}, "no-dicom", ProblemKind.NO_SCANS, "KX-213"),
        ({"SCANS.7Z": SEVEN_ZIP}, "packed", ProblemKind.NO_SCANS, "KX-215"),
        ({"SCANS": TAR, "T1.MP3": b"ID3"}, "packed", ProblemKind.NO_SCANS, "KX-215"),
        ({"disc.iso": IMAGE}, "packed", ProblemKind.NO_SCANS, "KX-215"),
        ({"SCANS.ZIP": LOCKED_ZIP}, "encrypted", ProblemKind.LOCKED, "KX-221"),
        ({"IM1": CMS, "DICOMDIR": CMS}, "encrypted", ProblemKind.LOCKED, "KX-221"),
        ({"V.EXE": b"MZ" + struct.pack("<I", 9)}, "no-dicom", ProblemKind.NO_SCANS, "KX-214"),
    ],
)
def test_what_is_there_instead_of_scans_is_said(
    files: dict[str, bytes], code: str, kind: ProblemKind, message: str, tmp_path: Path
) -> None:
    """To an inspection (exit 5), in the intake's failure, and in the screen's words."""
    found = catalog(tmp_path, files)
    refusal = refused(found)
    assert refusal is not None
    assert (refusal.code, exit_code(found)) == (code, 5)
    medium = Medium(MediumKind.OPTICAL, "/dev/sr0")
    intake = Intake(1, "MAPLE-27", IntakeState.REJECTED, medium, "kiosk-1", failure=refusal)
    shown, words = problem_of(intake, found.ledger or Ledger())
    assert (shown, words.id) == (kind, message)
