"""What a read promised survives its death; what it did not promise is done again, never twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.media import MediaError, identify, read
from kiosk.media.iso import SECTOR
from kiosk.media.reading import copy
from kiosk.media.staging import Staging
from kiosk.model.medium import MANIFEST, Progress, read_manifest, staged_name
from kiosk.policy.sections import Limits
from tests.media.images import (
    FOR_EVER,
    LIMITS,
    Scratched,
    burn,
    codes,
    contents,
    dicom,
    extent,
    moved,
    open_disc,
    quiet,
    some_files,
    staged,
    take,
)

FILES = some_files(9, 60_000)

READER = """
import sys
from pathlib import Path
from kiosk.media import read
from kiosk.policy.sections import Limits
read(Path(sys.argv[1]), Path(sys.argv[2]), Limits(), lambda progress: None)
"""


def _read_under_strace(
    call: str, inject: str, image: Path, into: Path
) -> subprocess.CompletedProcess[str]:
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
    here = {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*strace, sys.executable, "-c", READER, str(image), str(into)],
        env=os.environ | here,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return burn(tmp_path / "a.iso", FILES)


def test_a_second_read_of_the_same_medium_changes_nothing(image: Path, tmp_path: Path) -> None:
    """Safe to run twice: no line, no file and no byte is added, but that there was a visit."""
    into = tmp_path / "s"
    first = take(image, into)
    before = {p.name: (p.stat().st_ino, p.read_bytes()) for p in into.iterdir()}
    second = take(image, into)
    after = {p.name: (p.stat().st_ino, p.read_bytes()) for p in into.iterdir()}
    changed = {n for n in after if after[n] != before.get(n)}
    assert changed <= {"findings.jsonl", "sectors.json"}
    assert after["findings.jsonl"][1] == before["findings.jsonl"][1]
    assert (first.files, first.bytes) == (second.files, second.bytes)


def test_numbers_belong_to_the_medium(image: Path, tmp_path: Path) -> None:
    """Two reads of one disc number its files alike."""
    take(image, tmp_path / "1")
    take(image, tmp_path / "2")
    assert staged(tmp_path / "1") == staged(tmp_path / "2")


@pytest.mark.peer("strace")
@pytest.mark.parametrize(
    ("call", "when"),
    [("fsync", n) for n in (2, 9, 14)] + [("rename", n) for n in (1, 4)] + [("write", 9)],
)
def test_killed_at_a_system_call_it_goes_on_where_it_was(
    image: Path, tmp_path: Path, call: str, when: int
) -> None:
    """SIGKILL at the n-th call of a kind: what the manifest names is whole; the next read ends
    with every file once and no half file left (RELIABILITY 9, rows 1 and 2)."""
    into = tmp_path / "s"
    inject = f"inject={call}:signal=KILL:when={when}"
    died = _read_under_strace(call, inject, image, into)
    assert died.returncode == -signal.SIGKILL
    if into.is_dir():
        contents(into)  # raises where the manifest promises what is not there
    take(image, into)
    assert contents(into) == FILES
    assert sorted(f.number for f in read_manifest(into)) == list(range(1, len(FILES) + 1))
    assert not list(into.glob("*.part"))


@pytest.mark.peer("strace")
@pytest.mark.parametrize(("error", "code"), [("ENOSPC", "staging-full"), ("EIO", "staging-failed")])
def test_our_own_disk_failing_is_said_and_promises_nothing(
    image: Path, tmp_path: Path, error: str, code: str
) -> None:
    """A failed fsync is not tried again: the read stops, its sentence names our disk."""
    into = tmp_path / "s"
    inject = f"inject=fsync:error={error}:when=8"
    died = _read_under_strace("fsync", inject, image, into)
    assert died.returncode == 1
    assert f"MediaError: {code}: The kiosk's own disk" in died.stderr
    assert contents(into) == {"DICOMDIR": FILES["DICOMDIR"]}  # its group was safe before
    assert not list(into.glob("*.part"))


def test_a_medium_that_cannot_fit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A (sparse) file of 8 TB: nothing is copied until the disk is full."""
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "HUGE").touch()
    os.truncate(folder / "HUGE", 1 << 43)
    with pytest.raises(MediaError) as refusal:
        take(folder, tmp_path / "s", Limits(file_bytes=1 << 50, medium_bytes=1 << 50))
    assert refusal.value.finding.code == "staging-full"
    assert staged(tmp_path / "s") == {}


def test_a_torn_last_line_is_no_promise(image: Path, tmp_path: Path) -> None:
    into = tmp_path / "s"
    take(image, into)
    manifest = into / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-20])
    take(image, into)
    assert contents(into) == FILES
    assert all(json.loads(line) for line in manifest.read_text().splitlines())


def test_a_staged_file_that_is_gone_is_read_again(image: Path, tmp_path: Path) -> None:
    into = tmp_path / "s"
    take(image, into)
    (into / staged_name(3)).unlink()
    os.truncate(into / staged_name(4), 5)
    take(image, into)
    assert contents(into) == FILES


def test_another_medium_in_its_place_is_noticed(image: Path, tmp_path: Path) -> None:
    """Nothing of the second disc gets into the folder of the first."""
    other = burn(tmp_path / "b.iso", some_files(3))
    into = tmp_path / "s"
    take(image, into)
    with pytest.raises(MediaError) as refusal:
        take(other, into)
    assert refusal.value.finding.code == "medium-swapped"
    assert contents(into) == FILES
    assert codes(into) == []


def test_a_scratch_where_a_disc_is_known_by_makes_no_other_disc_of_it(
    image: Path, tmp_path: Path
) -> None:
    """A sector of the DICOMDIR that reads at one time and not at the other changes the fingerprint:
    the files that were read have the bytes that are there, so it goes on where it was."""
    into, scratch = tmp_path / "s", extent(image, "/DICOMDIR.;1")
    for bad in ({scratch: FOR_EVER}, {scratch + SECTOR: FOR_EVER}, {}):
        disc = open_disc(Scratched(image, dict(bad)))
        assert disc.medium.sure is not bool(bad)
        copy(disc, into, LIMITS, quiet)
        disc.close()
    assert contents(into) == FILES
    assert [f.number for f in staged(into).values()] == list(range(1, len(FILES) + 1))


def test_a_scratched_disc_is_not_taken_for_another_of_its_size(tmp_path: Path) -> None:
    """The same label, the same names and sizes, but the scans of another patient."""
    into = tmp_path / "s"
    others = {name: b"other"[: len(data)] + data[5:] for name, data in FILES.items()}
    for name, files in (("a.iso", FILES), ("b.iso", others)):
        image = burn(tmp_path / name, files)
        disc = open_disc(Scratched(image, {extent(image, "/DICOMDIR.;1"): FOR_EVER}))
        if files is FILES:
            copy(disc, into, LIMITS, quiet)
        else:
            with pytest.raises(MediaError) as refusal:
                copy(disc, into, LIMITS, quiet)
            assert refusal.value.finding.code == "medium-swapped"
        disc.close()
    assert contents(into).items() <= FILES.items() | {("DICOMDIR", contents(into)["DICOMDIR"])}


def test_a_session_that_was_added_meanwhile_makes_another_disc_of_it(
    image: Path, tmp_path: Path
) -> None:
    """What was identified is read, or nothing: the disc with its new session is taken in anew, and
    nothing of it gets into the folder that was begun."""
    into, before = tmp_path / "s", identify(image, LIMITS)
    take(image, into)
    later = burn(tmp_path / "2.iso", {"IM9999": dicom(9)}, joliet=False, rock_ridge=False)
    start = image.stat().st_size // SECTOR + 40
    with image.open("ab") as disc:
        disc.write(bytes(40 * SECTOR) + moved(later, start))
    assert identify(image, LIMITS).fingerprint != before.fingerprint
    with pytest.raises(MediaError) as refusal:
        take(image, into)
    assert refusal.value.finding.code == "medium-swapped"
    with pytest.raises(MediaError) as refusal:
        read(image, tmp_path / "t", LIMITS, quiet, before)
    assert refusal.value.finding.code == "medium-swapped"
    assert contents(into) == FILES


def test_one_folder_has_one_reader(image: Path, tmp_path: Path) -> None:
    """The second is told, and the first is not disturbed."""
    into = tmp_path / "s"
    first = Staging(into, identify(image, LIMITS), lambda _held, _done: False)
    with pytest.raises(MediaError) as refusal:
        take(image, into)
    assert refusal.value.finding.code == "medium-busy"
    first.close()
    take(image, into)
    assert contents(into) == FILES


def test_staged_files_are_nobody_elses(image: Path, tmp_path: Path) -> None:
    """Readable and writable for our account alone; never executable (CVE-2019-11687)."""
    into = tmp_path / "s"
    take(image, into)
    assert into.stat().st_mode & 0o077 == 0
    for number in range(1, len(FILES) + 1):
        assert (into / staged_name(number)).stat().st_mode & 0o777 == 0o600


def test_the_whole_folder_can_be_moved_while_it_waits(image: Path, tmp_path: Path) -> None:
    """Nothing in it names its place."""
    take(image, tmp_path / "s")
    shutil.move(tmp_path / "s", tmp_path / "t")
    take(image, tmp_path / "t")
    assert contents(tmp_path / "t") == FILES


def test_progress_tells_phases_and_reaches_the_end(image: Path, tmp_path: Path) -> None:
    """`first look` (DICOMDIR), `copying`, `checking`; the last one has every file and byte."""
    seen: list[Progress] = []
    read(image, tmp_path / "s", LIMITS, seen.append)
    assert list(dict.fromkeys(p.phase for p in seen)) == ["first look", "copying", "checking"]
    total = sum(map(len, FILES.values()))
    last = seen[-1]
    assert (last.files_done, last.files_total) == (len(FILES), len(FILES))
    assert (last.bytes_done, last.bytes_total) == (total, total)


def test_a_manifest_line_of_zeros_ends_the_promise(image: Path, tmp_path: Path) -> None:
    """After a power loss: what stands before the zeros counts, the rest is cut off and redone."""
    into = tmp_path / "s"
    take(image, into)
    manifest = into / MANIFEST
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:3]) + bytes(100) + b"\n" + lines[4])
    take(image, into)
    assert contents(into) == FILES
