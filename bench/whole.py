"""Disc image to proved in an archive, all of it: read, hash, catalog, match, coerce, send, commit,
find; against dcmtk's dcmsend, which only sends the same files unchanged from a folder. One run,
interleaved, the same Orthanc for both.

    python -m bench.whole [CT instances, default 200] [rounds, default 3]

The ratio is the wall time of `kiosk import`, a whole process, by that of dcmsend (below 1: we are
faster); the goal is 1.3 at most. dcmsend mostly waits (for delayed acknowledgements), we mostly
compute: where others use the machine, the processor's seconds tell what a quiet one would show.
Every round has images of its own: Orthanc keeps what it has.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from bench.sending import cost
from kiosk.cli.demonstration import registration
from tests.peers.orthanc import Orthanc, orthanc
from tests.station import Station, dicom, station

ROWS = 512
WHO = registration.ARCHIBALD


def make(folder: Path, count: int) -> Path:
    """A folder of CT instances of the registered patient, 525 KB each, one series."""
    source = get_testdata_file("CT_small.dcm")
    assert source is not None
    ds = dcmread(source)
    for element in ds[0x7FE00010:]:
        del ds[element.tag]
    ds.PatientName, ds.PatientBirthDate = f"{WHO.family}^{WHO.given}", WHO.birth_date
    ds.PatientSex, ds.Rows, ds.Columns = WHO.sex, ROWS, ROWS
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    size = ROWS * ROWS * 2
    for number in range(count):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.InstanceNumber = number + 1
        pixels = os.urandom(8) * (size // 8)  # images that came before would be known again
        path = folder / f"IM{number:06d}"
        dcmwrite(path, ds, enforce_file_format=True)
        with path.open("ab") as f:
            f.write(b"\xe0\x7f\x10\x00OW\0\0" + size.to_bytes(4, "little") + pixels)
    return folder


def burn(folder: Path, image: Path) -> Path:
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-o", str(image), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return image


def by_dcmsend(archive: Orthanc, folder: Path) -> None:
    command = ["dcmsend", "-q", "-aec", archive.ae_title, "--scan-directories", archive.host]
    subprocess.run([*command, str(archive.port), str(folder)], check=True)


def by_us(here: Station, image: Path) -> None:
    ended = here.kiosk("import", str(image), "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    studies = [s for case in json.loads(ended.stdout)["cases"] for s in case["studies"]]
    assert all(s["verified"] == s["instances"] > 0 for s in studies), studies


def register(here: Station) -> None:
    messages = here.folder / "adt.hl7"
    text = "\r".join(m.text for m in registration.morning(datetime.now(UTC)))
    messages.write_text(text, newline="")
    assert here.kiosk("adt", "load", str(messages)).returncode == 0


def main(arguments: Sequence[str]) -> None:
    count, rounds = map(int, arguments or ("200", "3"))
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("orthanc", "kiosk"):
            (base / name).mkdir()
        archive = stack.enter_context(orthanc(base / "orthanc"))
        here = stack.enter_context(station(base / "kiosk", dicom(archive.port, archive.ae_title)))
        register(here)
        ours, theirs = [], []
        for number in range(rounds):
            folders = [base / f"{who}{number}" for who in ("ours", "theirs")]
            for folder in folders:
                folder.mkdir()
                make(folder, count)
            image = burn(folders[0], base / f"{number}.iso")
            os.sync()
            theirs.append(cost(partial(by_dcmsend, archive, folders[1])))
            ours.append(cost(partial(by_us, here, image)))
            print(
                f"round {number + 1}: dcmsend {theirs[-1].wall:.1f} s, all of it "
                f"{ours[-1].wall:.1f} s, of which {ours[-1].cpu:.1f} s of the processor"
            )
        wall = statistics.median(a.wall / b.wall for a, b in zip(ours, theirs, strict=True))
        cpu = statistics.median(a.cpu / b.wall for a, b in zip(ours, theirs, strict=True))
        print(
            f"{count} CT of 525 KB, image to proved in Orthanc: {wall:.2f} x dcmsend's time "
            f"(processor {cpu:.2f} x)"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
