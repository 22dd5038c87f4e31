"""How fast a medium is cataloged, as ratios taken in one run: `python -m bench.cataloging`.

Headers: pydicom's `dcmread(stop_before_pixels=True)` of the same files, against our header scanner
alone and against the whole `fileset.read` (manifest, headers, directory, patients, ledger).
Directory: pydicom's `FileSet` of a DICOMDIR with 30,000 image records, against our walk, resolving
every File ID and holding every record against its file. Goals: 3 times the rate of pydicom, a third
of FileSet's time in less than 300 MB. Rounds are interleaved, medians compared, CPU time counted.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.fileset import FileSet

from kiosk.fileset import read
from kiosk.fileset.claims import hold_against
from kiosk.fileset.directory import walk
from kiosk.fileset.findings import Findings
from kiosk.fileset.header.file import Budget, read_header
from kiosk.fileset.header.source import FileSource
from kiosk.fileset.header.stated import Statements
from kiosk.fileset.looking import Look, Seen
from kiosk.model.medium import MANIFEST, StagedFile, read_manifest, staged_name
from kiosk.model.plain import to_plain
from kiosk.policy.sections import Limits

_READ_AND_SAY_PEAK = """
import re, sys
from pathlib import Path
from kiosk.fileset import read
from kiosk.policy.sections import Limits
read(Path(sys.argv[1]), Limits())
# Not getrusage: its maximum is inherited from the process that started this one.
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
IMAGES, ROUNDS, RECORDS, SERIES = 600, 5, 30_000, 30


def main() -> int:
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with tempfile.TemporaryDirectory() as folder:
        for name in ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm"):
            _headers(name, Path(folder) / name)
        _directory(records, Path(folder) / "directory")
    return 0


def _headers(name: str, folder: Path) -> None:
    """A staging folder of IMAGES instances like this one, each with a UID of its own."""
    path = get_testdata_file(name, download=False)
    assert path is not None
    dataset = dcmread(path)
    files = {}
    for n in range(IMAGES):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{n}"
        out = BytesIO()
        dcmwrite(out, dataset)
        files[f"IMAGES/IM{n:05d}"] = out.getvalue()
    _stage(folder, files)
    paths = [str(folder / staged_name(n)) for n in range(IMAGES)]
    pydicom, scanner, whole = _medians(
        lambda: [dcmread(p, stop_before_pixels=True) for p in paths],
        lambda: _scan(paths),
        lambda: read(folder, Limits()),
    )
    print(
        f"headers of {name} ({len(dataset)} elements): {IMAGES / scanner:,.0f}/s, "
        f"{pydicom / scanner:.1f} times pydicom; cataloged whole {pydicom / whole:.1f} times"
    )


def _scan(paths: list[str]) -> None:
    budget, statements = Budget(), Statements()
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        header = read_header(FileSource(descriptor), budget)
        assert header is not None
        statements.of(header)
        os.close(descriptor)


def _directory(records: int, folder: Path) -> None:
    """A file-set of tiny instances in SERIES series, and its DICOMDIR."""
    files, tree = {}, []
    for n in range(records):
        series = n % SERIES
        file_id = ("IMAGES", f"SE{series:06d}", f"IM{n:06d}")
        uid = f"1.2.3.{series}.{n}"
        files["/".join(file_id)] = _tiny(uid, series)
        tree.append((series, "\\".join(file_id), uid))
    media, staging = folder / "media", folder / "staging"
    for path in files:
        (media / path).parent.mkdir(parents=True, exist_ok=True)
        (media / path).touch()
    data = _dicomdir(tree)
    (media / "DICOMDIR").write_bytes(data)
    _stage(staging, {"DICOMDIR": data, **files})
    look, findings = Look(staging, Limits(), Findings()), Findings()
    seen = [look.at(file) for file in read_manifest(staging)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, ours = _medians(
            lambda: FileSet(media / "DICOMDIR"), lambda: _hold(staging, seen, findings), rounds=3
        )
    assert findings.all() == (), findings.all()[:3]
    print(
        f"directory of {records:,} images: {ours:.2f} s, {ours / theirs:.3f} of FileSet's time; "
        f"cataloged whole in {_peak(staging)} MB"
    )


def _peak(staging: Path) -> int:
    """Megabytes that a process of its own needs at most to read this staging folder."""
    said = subprocess.run(
        [sys.executable, "-c", _READ_AND_SAY_PEAK, str(staging)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(said.stdout) // 1024


def _hold(staging: Path, seen: list[Seen], findings: Findings) -> None:
    descriptor = os.open(staging / staged_name(0), os.O_RDONLY)
    source = FileSource(descriptor)
    header = read_header(source, Budget())
    assert header is not None
    seen[0].directory = walk(source, header, "DICOMDIR", Limits().directory_records, Budget())
    os.close(descriptor)
    claim = hold_against(seen, findings, Statements())
    assert (claim.usable, claim.listed_missing, claim.unlisted) == (True, 0, 0)


def _medians(*runs: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for times, run in zip(taken, runs, strict=True):
            start = time.process_time()
            run()
            times.append(time.process_time() - start)
    return [statistics.median(times) for times in taken]


def _stage(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    with (folder / MANIFEST).open("w") as manifest:
        for number, (path, data) in enumerate(files.items()):
            (folder / staged_name(number)).write_bytes(data)
            line = StagedFile(number, path, len(data), hashlib.sha256(data).hexdigest())
            manifest.write(json.dumps(to_plain(line)) + "\n")


def _element(tag: int, vr: str, value: str | int) -> bytes:
    raw = value.encode() if isinstance(value, str) else struct.pack(_NUMBERS[vr], value)
    raw += (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(raw)) + raw


_NUMBERS = {"UL": "<I", "US": "<H"}


def _part10(sop_class: str, dataset: bytes) -> bytes:
    meta = _element(0x00020002, "UI", sop_class) + _element(0x00020003, "UI", "1.2.3")
    meta += _element(0x00020010, "UI", "1.2.840.10008.1.2.1")
    return bytes(128) + b"DICM" + _element(0x00020000, "UL", len(meta)) + meta + dataset


_STUDY, _SR = "1.2.3", "1.2.840.10008.5.1.4.1.1.88.11"


def _tiny(uid: str, series: int) -> bytes:
    return _part10(
        _SR,
        _element(0x00080016, "UI", _SR)
        + _element(0x00080018, "UI", uid)
        + _element(0x00100010, "PN", "DOE^JANE")
        + _element(0x00100020, "LO", "A1")
        + _element(0x0020000D, "UI", _STUDY)
        + _element(0x0020000E, "UI", f"1.2.3.{series}"),
    )


def _dicomdir(tree: list[tuple[int, str, str]]) -> bytes:
    """One patient, one study; the images of each series follow it."""
    rows = [
        (1, "PATIENT ", _element(0x00100010, "PN", "DOE^JANE") + _element(0x00100020, "LO", "A1")),
        (2, "STUDY ", _study_keys()),
    ]
    for series in range(SERIES):
        keys = _element(0x00080060, "CS", "SR") + _element(0x0020000E, "UI", f"1.2.3.{series}")
        rows.append((3, "SERIES", keys + _element(0x00200011, "IS", str(series))))
        rows += [(4, "IMAGE ", _image_keys(f, u)) for s, f, u in tree if s == series]
    starts = [len(_directory_file(0, b""))]
    for _, kind, keys in rows:
        starts.append(starts[-1] + len(_record(0, 0, kind, keys)))
    body = b"".join(
        _record(_next(rows, n, starts), _below(rows, n, starts), kind, keys)
        for n, (_, kind, keys) in enumerate(rows)
    )
    return _directory_file(starts[0], body)


def _directory_file(first: int, records: bytes) -> bytes:
    head = _element(0x00041130, "CS", "BENCH")
    head += _element(0x00041200, "UL", first) + _element(0x00041202, "UL", first)
    head += _element(0x00041212, "US", 0)
    head += struct.pack("<HH2sHI", 0x0004, 0x1220, b"SQ", 0, len(records))
    return _part10("1.2.840.10008.1.3.10", head + records)


def _study_keys() -> bytes:
    return (
        _element(0x00080020, "DA", "20260101")
        + _element(0x00080030, "TM", "1200")
        + _element(0x0020000D, "UI", _STUDY)
        + _element(0x00200010, "SH", "1")
    )


def _image_keys(file_id: str, uid: str) -> bytes:
    return (
        _element(0x00041500, "CS", file_id)
        + _element(0x00041510, "UI", _SR)
        + _element(0x00041511, "UI", uid)
        + _element(0x00041512, "UI", "1.2.840.10008.1.2.1")
        + _element(0x00200013, "IS", "1")
    )


def _record(following: int, below: int, kind: str, keys: bytes) -> bytes:
    content = (
        _element(0x00041400, "UL", following)
        + _element(0x00041410, "US", 0xFFFF)
        + _element(0x00041420, "UL", below)
        + _element(0x00041430, "CS", kind)
        + keys
    )
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def _next(rows: list[tuple[int, str, bytes]], n: int, starts: list[int]) -> int:
    """The next row of the same depth before one of a lesser."""
    step = (
        1
        if rows[n][0] == 4
        else next((i for i in range(1, len(rows) - n) if rows[n + i][0] <= rows[n][0]), 0)
    )
    beside = n + step
    return starts[beside] if step and beside < len(rows) and rows[beside][0] == rows[n][0] else 0


def _below(rows: list[tuple[int, str, bytes]], n: int, starts: list[int]) -> int:
    return starts[n + 1] if n + 1 < len(rows) and rows[n + 1][0] > rows[n][0] else 0


if __name__ == "__main__":
    sys.exit(main())
