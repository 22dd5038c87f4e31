"""How fast a disc image becomes staged, hashed, synced files: `python -m bench.reading`.

650 MB in 1,200 files, read by `kiosk.media.read` in a process of its own, against `dd` of the image
piped to `sha256sum`. Rounds are interleaved, the median of the pairs' wall-time ratios is printed,
and the largest memory of the reader. Goals: 1.25 times, less than 150 MB. The image and what is
staged from it lie in the same temporary folder, and the image was read once before.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kiosk.cli.demonstration import discs

FILES, BYTES, ROUNDS = 1200, 542_000, 5

READ = """
import re, sys
from pathlib import Path
from kiosk import media
from kiosk.policy.sections import Limits
media.read(Path(sys.argv[1]), Path(sys.argv[2]), Limits(), lambda progress: None)
# Not getrusage: its maximum is inherited from the process that started this one.
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def main() -> int:
    files = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as name:
        folder = Path(name)
        image = _image(folder, files)
        ratios, peaks = [], []
        for _ in range(ROUNDS):
            plain = _hashed(image)
            seconds, peak = _read(image, folder / "staged")
            ratios.append(seconds / plain)
            peaks.append(peak)
    print(f"{files} files of {BYTES / 1e3:.0f} KB, {ROUNDS} rounds")
    print(
        f"disc image to synced files: {statistics.median(ratios):.2f} x dd | sha256sum "
        f"({min(ratios):.2f} to {max(ratios):.2f}; goal 1.25); peak {max(peaks)} MB (goal 150)"
    )
    return 0


def _image(folder: Path, files: int) -> Path:
    """Noise, so that nothing on the way can compress or skip it."""
    noise = folder / "noise"
    noise.write_bytes(os.urandom(BYTES))
    content: dict[str, bytes | Path] = {
        f"D{n // 100:03d}/IM{n % 100:04d}": noise for n in range(files)
    }
    return discs.burn(content, folder / "disc.iso", "BENCH")


def _hashed(image: Path) -> float:
    began = time.perf_counter()
    with subprocess.Popen(
        ["dd", f"if={image}", "bs=1M", "status=none"], stdout=subprocess.PIPE
    ) as dd:
        subprocess.run(["sha256sum"], stdin=dd.stdout, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _read(image: Path, into: Path) -> tuple[float, int]:
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    began = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", READ, str(image), str(into)], capture_output=True, check=True
    )
    return time.perf_counter() - began, int(ran.stdout)


if __name__ == "__main__":
    raise SystemExit(main())
