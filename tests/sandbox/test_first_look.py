"""What a disc is, within the work that a drive does in ten seconds."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from kiosk import fileset, media, sandbox
from kiosk.cli.demonstration.discs import burn
from kiosk.media.iso import BoundedSectors, Work
from kiosk.media.iso.sectors import Sectors
from kiosk.model.content import Verdict
from kiosk.policy.sections import Limits
from tests import discs
from tests.conftest import CORPUS
from tests.peers import require

MOST_BYTES, MOST_SEEKS = 4_000_000, 40  # UX 2
DISCS = sorted(p.stem for p in (CORPUS / "discs" / "out").glob("*.iso")) or ["none"]


class Counted:
    """Every read that the drive is asked for, counted where the system call is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = self.seeks = self.position = 0
        real = Sectors.transfer

        def transfer(sectors: Sectors, into: memoryview, start: int) -> int:
            done = real(sectors, into, start)
            self.seeks += start != self.position
            self.bytes += done
            self.position = start + done
            return done

        monkeypatch.setattr(Sectors, "transfer", transfer)


def look(medium: Path) -> Verdict:
    with media.glimpse(medium, Limits()) as seen:
        return fileset.first_look(seen.files, seen.start, Limits(), seen.whole)


def right(name: str, truth: dict[str, list[dict[str, str]]]) -> str:
    """The code that a disc's list of files asks for."""
    instances = [f for f in truth["files"] if f["kind"] == "dicom"]
    people = {f.get("patient_id") or f.get("patient_name") for f in instances}
    if name == "D17_duplicates":
        return "several-people"  # one number with two names
    if name == "D09g_nested":
        return "scans"  # the other one is told by a header that is not followed to its end
    if not instances:
        return "no-dicom" if truth["files"] else "empty"
    return "several-people" if len(people) > 1 else "scans"


@pytest.mark.corpus
@pytest.mark.parametrize("name", DISCS)
def test_every_corpus_disc_is_called_what_it_is_within_the_budget(
    name: str, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = json.loads((corpus / "discs" / "truth" / f"{name}.json").read_text())
    drive = Counted(monkeypatch)
    verdict = look(corpus / "discs" / "out" / f"{name}.iso")
    assert verdict.code == right(name, truth)
    assert drive.bytes <= MOST_BYTES
    assert drive.seeks <= MOST_SEEKS
    if verdict.whole and verdict.code == "scans":
        studies = {f.get("study") for f in truth["files"] if f["kind"] == "dicom"}
        assert verdict.studies == len(studies - {None})


@pytest.mark.parametrize(
    ("build", "people"), [(discs.archibald, 1), (discs.peter, 1), (discs.two_people, 2)]
)
def test_a_disc_is_looked_at_in_a_child(
    build: Callable[[Path], Path], people: int, tmp_path: Path
) -> None:
    verdict = sandbox.look(build(tmp_path), Limits())
    assert verdict.people == people
    assert verdict.whole


def test_what_the_medium_refuses_is_a_verdict_too(tmp_path: Path) -> None:
    assert sandbox.look(discs.empty(tmp_path), Limits()).code == "empty"
    assert sandbox.look(discs.no_dicom(tmp_path), Limits()).code == "no-dicom"
    assert sandbox.look(discs.corrupt(tmp_path), Limits()).code == "unreadable"
    blank = tmp_path / "blank.iso"
    blank.write_bytes(bytes(1 << 20))
    assert sandbox.look(blank, Limits()).code == "blank"


def test_a_folder_is_looked_at_as_a_disc_is(tmp_path: Path) -> None:
    (tmp_path / "README.TXT").write_text("Nothing medical here.")
    verdict = sandbox.look(tmp_path, Limits())
    assert (verdict.code, verdict.reports) == ("no-dicom", 1)


def test_many_folders_cost_no_more_than_a_look_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder for each of 200 images: the look ends, and does not say that it saw all."""
    body = Path(get_testdata_file("CT_small.dcm")).read_bytes()
    image = burn({f"D{n:03}/IM1": body for n in range(200)}, tmp_path / "many.iso", "MANY")
    drive = Counted(monkeypatch)
    verdict = look(image)
    assert (verdict.code, verdict.whole) == ("scans", False)
    assert drive.bytes <= MOST_BYTES
    assert drive.seeks <= MOST_SEEKS


def test_a_drive_is_asked_for_no_more_than_was_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scattered over a medium of 50 MB, the fourth place ends it; more allowed, it goes on."""
    image = tmp_path / "disc.bin"
    with image.open("wb") as file:
        file.truncate(50_000_000)
    drive = Counted(monkeypatch)
    work = Work(bytes=1_000_000, seeks=3)
    sectors = BoundedSectors(os.open(image, os.O_RDONLY), 50_000_000, work)
    read = [len(sectors.read(n * 1_000_000, 2048)) for n in (5, 20, 7, 30, 5)]
    assert read == [2048, 2048, 2048, 0, 2048]  # the last was read before
    assert (drive.seeks, work.denied) == (3, True)
    work.seeks += 1
    assert len(sectors.read(30_000_000, 2048)) == 2048
    sectors.close()


@pytest.mark.parametrize("naming", ["", "udf"])
def test_a_disc_is_known_again_without_a_walk_through_its_folders(
    naming: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,000 folders: telling which disc it is costs what a look may, and the whole reading comes to
    the same answer."""
    root = tmp_path / "tree"
    for n in range(2000):
        (root / f"D{n // 50:02}" / f"E{n:04}").mkdir(parents=True)
        (root / f"D{n // 50:02}" / f"E{n:04}" / "IM1").write_bytes(b"x" * 200)
    image = tmp_path / "huge.iso"
    udf = ["-udf"] if naming else []
    burned = [require("genisoimage"), "-quiet", *udf, "-r", "-J", "-o", str(image), str(root)]
    subprocess.run(burned, check=True, capture_output=True)
    drive = Counted(monkeypatch)
    known = media.identify(image, Limits())
    assert drive.bytes <= MOST_BYTES
    assert drive.seeks <= MOST_SEEKS
    report = media.read(image, tmp_path / "s", Limits(), lambda progress: None)
    assert report.medium == known
    assert report.files == 2000
