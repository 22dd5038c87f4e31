"""Drives, with real udev and a described kernel (umockdev), and what is told apart by serial."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORIES = [
    "listing",
    "events",
    "replugged",
    "reading",
    "blank",
    "slowly",
    "refusing",
    "hanging",
    "sticks",
    "volumes",
    "pulled",
]


@pytest.mark.peer("umockdev-wrapper")
@pytest.mark.parametrize("story", STORIES)
def test_a_drives_story_ends_well(story: str) -> None:
    """See the story's own sentence in drive_stories.py. It runs in a process of its own, since
    umockdev has to be there before the C library opens anything."""
    told = subprocess.run(
        ["umockdev-wrapper", sys.executable, "-m", "tests.media.drive_stories", story],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.stdout == "told\n", told.stderr
