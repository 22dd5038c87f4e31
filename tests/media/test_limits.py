"""What is not taken, and that it is said: limits, programs, names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.media.refusals import is_program, shown
from kiosk.model.medium import FileState
from kiosk.policy.sections import Limits
from tests.media.images import burn, codes, contents, dicom, findings, some_files, staged, take


def test_programs_are_listed_by_name_and_not_copied(tmp_path: Path) -> None:
    """A viewer is in the count with its size; its body never reaches our disk."""
    programs = {
        "VIEW.EXE": b"MZ" + bytes(3000),
        "VIEWER": b"\x7fELF" + bytes(3000),
        "RUN.SH": b"#!/bin/sh\n",
        "AUTORUN.INF": b"[autorun]\nopen=VIEW.EXE\n",
    }
    take(burn(tmp_path / "a.iso", some_files(3) | programs), tmp_path / "s")
    assert contents(tmp_path / "s") == some_files(3)
    for name, data in programs.items():
        file = staged(tmp_path / "s")[name]
        assert (file.state, file.bytes, file.sha256) == (FileState.LISTED, len(data), "")
    assert codes(tmp_path / "s") == []


@pytest.mark.parametrize("preamble", [b"MZ\x90\0", b"\x7fELF", b"#!/bin/sh\n"])
def test_a_scan_with_a_programs_preamble_is_a_scan(preamble: bytes) -> None:
    """PS3.10 7.5: the preamble says nothing; DICM at byte 128 does."""
    scan = (preamble + bytes(128))[:128] + b"DICM" + bytes(100)
    assert not is_program("IM0001.EXE", scan)


def test_a_bare_data_set_under_a_programs_name_is_copied() -> None:
    """Old scans have no preamble, and some are named .com by chance: UIDs end in anything."""
    assert not is_program("1.2.840.COM", b"\x08\0\x05\0CS\x0a\0ISO_IR 100")
    assert is_program("1.2.840.COM", b"\xe9\0\0")


@given(st.text(max_size=20), st.binary(max_size=200))
def test_telling_a_program_never_fails(name: str, head: bytes) -> None:
    """Any name, any first bytes."""
    assert is_program(name, head) in (True, False)


def test_past_the_number_of_files_only_dicom_is_copied(tmp_path: Path) -> None:
    """Six files, a limit of four: the three that say they are DICOM are copied, no others."""
    files = {"AAA": b"a" * 50, "BBB": b"b" * 9000, "CCC": b"c"} | some_files(3)
    take(burn(tmp_path / "a.iso", files), tmp_path / "s", Limits(files=4))
    assert contents(tmp_path / "s") == some_files(3)
    assert sum(f.state is FileState.REFUSED for f in staged(tmp_path / "s").values()) == 3
    assert [(f.code, f.severity.value) for f in findings(tmp_path / "s")] == [
        ("limit-files", "unsafe")
    ]


def test_past_the_number_of_files_dicom_is_bounded_too(tmp_path: Path) -> None:
    """A limit of three and six scans: three are copied."""
    take(burn(tmp_path / "a.iso", some_files(6)), tmp_path / "s", Limits(files=3))
    assert len(contents(tmp_path / "s")) == 3
    assert len(staged(tmp_path / "s")) == 6


def test_past_the_bytes_of_a_medium_only_dicom_is_copied(tmp_path: Path) -> None:
    """The films on a patient's stick do not use up the room of the scans behind them."""
    folder = tmp_path / "stick"
    folder.mkdir()
    (folder / "A-FILM.MP4").write_bytes(bytes(60_000))
    (folder / "B-SCAN").write_bytes(dicom(1, 9000))
    take(folder, tmp_path / "s", Limits(medium_bytes=65_000))
    states = {path: file.state for path, file in staged(tmp_path / "s").items()}
    assert states == {"A-FILM.MP4": FileState.REFUSED, "B-SCAN": FileState.WHOLE}


def test_past_the_bytes_of_a_medium_the_rest_is_refused(tmp_path: Path) -> None:
    """Files are taken in the disc's order as long as they fit; a read again adds none."""
    image = burn(tmp_path / "a.iso", some_files(6))
    for _ in range(2):
        take(image, tmp_path / "s", Limits(medium_bytes=25_000))
        assert len(contents(tmp_path / "s")) == 3
        assert codes(tmp_path / "s") == ["limit-bytes"]


def test_raising_a_limit_and_reading_again_takes_what_was_refused(tmp_path: Path) -> None:
    image = burn(tmp_path / "a.iso", some_files(6))
    take(image, tmp_path / "s", Limits(medium_bytes=25_000))
    take(image, tmp_path / "s")
    assert contents(tmp_path / "s") == some_files(6)
    assert codes(tmp_path / "s") == []


def test_a_file_over_the_limit_is_refused_by_name(tmp_path: Path) -> None:
    take(
        burn(tmp_path / "a.iso", some_files(3) | {"BIG": dicom(9, 50_000)}),
        tmp_path / "s",
        Limits(file_bytes=40_000),
    )
    assert contents(tmp_path / "s") == some_files(3)
    assert [(f.code, f.where) for f in findings(tmp_path / "s")] == [("limit-file-bytes", "BIG")]


def test_names_in_findings_are_escaped_and_clipped() -> None:
    """Control characters, escape sequences and text direction marks stay visible and harmless."""
    assert shown("a\x1b[2J\n\u202eb") == "a\\x1b[2J\\n\\u202eb"
    assert len(shown("x" * 5000)) == 1003


def test_many_like_findings_become_a_number(tmp_path: Path) -> None:
    """300 links: 200 findings and one that says how many more; all are in the manifest."""
    from tests.media.test_containers import lay

    folder = lay(tmp_path / "d", some_files(2))
    for n in range(300):
        (folder / f"L{n}").symlink_to("/etc/passwd")
    take(folder, tmp_path / "s")
    assert len(staged(tmp_path / "s")) == 302
    assert len(codes(tmp_path / "s")) == 201
    assert findings(tmp_path / "s")[-1].detail.startswith("100 more")
