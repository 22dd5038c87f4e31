"""Every disc of the corpus: our manifest against the list of files that were put on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiosk import fileset
from kiosk.cli.inspecting import exit_code
from kiosk.media import read
from kiosk.media.refusals import is_program
from kiosk.model.medium import FileState, StagedFile
from tests.conftest import CORPUS
from tests.media.images import LIMITS, codes, contents, findings, quiet, staged

pytestmark = pytest.mark.corpus

DISCS = sorted(p.stem for p in (CORPUS / "discs" / "out").glob("*.iso")) or ["none"]
# Files that were altered on the image after the list was made, and why their bytes differ.
ZEROED = {
    "D08a_zeroed_images": {"IMAGES/IM0003", "IMAGES/IM0007", "IMAGES/IM0010"},
    "D08b_zeroed_dicomdir": {"DICOMDIR"},
}
# os.walk, which made the lists, takes a link to a folder for a folder.
LINKS_TO_FOLDERS = {"D09b_symlink": {"ROOT", "IMAGES/LOOP"}}


@pytest.mark.parametrize("name", [d for d in DISCS if d != "D09d_manyfiles"])
def test_every_file_of_a_corpus_disc_is_staged_with_its_bytes(
    name: str, corpus: Path, tmp_path: Path
) -> None:
    """(path, size, SHA-256) as the truth file has them; what differs is what has to."""
    truth = json.loads((corpus / "discs" / "truth" / f"{name}.json").read_text())
    report = read(corpus / "discs" / "out" / f"{name}.iso", tmp_path / "s", LIMITS, quiet)
    ours = staged(tmp_path / "s")
    wanted = {f["path"]: f for f in truth["files"]}
    assert set(ours) - LINKS_TO_FOLDERS.get(name, set()) == set(wanted)
    assert report.files == len(ours)
    contents(tmp_path / "s")  # every hash holds
    for path, said in wanted.items():
        assert _as_said(ours[path], said, path in ZEROED.get(name, set())), path


def _as_said(file: StagedFile, said: dict[str, object], altered: bool) -> bool:
    if said["kind"] == "symlink":
        return file.state is FileState.REFUSED
    if file.state is FileState.LISTED:
        return is_program(file.untrusted_path, b"MZ") and said["kind"] == "other"
    if file.state in (FileState.HURT, FileState.UNREADABLE):
        return file.bytes == said["size"] and bool(file.missing)
    return file.bytes == said["size"] and (altered or file.sha256 == said["sha256"])


def test_a_truncated_image_yields_what_is_there_and_names_the_rest(
    corpus: Path, tmp_path: Path
) -> None:
    """D08c ends inside IM0009: nine images are whole, one is hurt, six are unreadable."""
    read(corpus / "discs" / "out" / "D08c_truncated.iso", tmp_path / "s", LIMITS, quiet)
    states = [f.state for p, f in sorted(staged(tmp_path / "s").items()) if p != "DICOMDIR"]
    assert states == [FileState.WHOLE] * 9 + [FileState.HURT] + [FileState.UNREADABLE] * 6
    assert codes(tmp_path / "s") == ["medium-truncated", "file-hurt"] + ["file-unreadable"] * 6


def test_a_flood_of_files_ends_with_the_scan_on_our_disk(corpus: Path, tmp_path: Path) -> None:
    """D09d: 100,003 files, the limit is 50,000. One says it is DICOM; it is copied, all others
    are in the manifest as refused, one finding says so, and an inspection ends with 6."""
    report = read(corpus / "discs" / "out" / "D09d_manyfiles.iso", tmp_path / "s", LIMITS, quiet)
    assert report.files == 100_003
    ours = staged(tmp_path / "s")
    assert [p for p, f in ours.items() if f.state is FileState.WHOLE] == ["IMAGES/IM0000"]
    assert sum(f.state is FileState.REFUSED for f in ours.values()) == 100_002
    (finding,) = findings(tmp_path / "s")
    assert (finding.code, finding.severity.value) == ("limit-files", "unsafe")
    found = fileset.read(tmp_path / "s", LIMITS)
    assert (found.ledger.ok, exit_code(found)) == (1, 6)


def test_the_last_session_of_an_image_is_read_and_said(corpus: Path, tmp_path: Path) -> None:
    """D12: the second session starts at sector 704; a reader from sector 16 sees the first."""
    read(corpus / "discs" / "out" / "D12_multisession.iso", tmp_path / "s", LIMITS, quiet)
    assert len(staged(tmp_path / "s")) == 20
    assert codes(tmp_path / "s") == ["multi-session"]
