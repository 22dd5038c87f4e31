"""`make run` without a display: what a newcomer sees first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path


def test_the_demonstration_brings_two_discs_into_its_archive_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    """One patient is found, one is decided by HIM; the closing table accounts for every file."""
    command = [sys.executable, "-m", "kiosk", "demo", "--headless"]
    where = {**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "200"}
    ended = subprocess.run(command, capture_output=True, text=True, env=where, timeout=400)
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"\d+ messages over MLLP .*: all AA", ended.stderr)
    assert "HIM has to decide" in ended.stderr
    rows = re.findall(r"disc +(\d+) +(\d+) +(\d+) +(\d+) ", ended.stderr)
    assert rows == [("9", "7", "7", "7"), ("26", "24", "24", "24")]
    assert "Every image is accounted for." in ended.stderr
    assert list(tmp_path.iterdir()) == []
