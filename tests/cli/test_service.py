"""An engine beside a screen lives and ends with it; one of its own outlives every screen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.station import PATIENCE, Station, dicom, station, until


def runs(here: Station) -> bool:
    """Whether an engine holds this station, by the kernel's list: to try the lock is to hold it for
    a moment, and an engine that starts in that moment is refused."""
    lock = here.state / "engine.lock"
    held = f":{lock.stat().st_ino} " if lock.exists() else "nothing"
    return any(
        " FLOCK " in line and held in line for line in Path("/proc/locks").read_text().splitlines()
    )


@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_an_engine_beside_a_screen_ends_with_it(tmp_path: Path, end: str) -> None:
    command = [sys.executable, "-m", "kiosk", "ui", "--desk", "touch"]
    offscreen = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    with station(tmp_path, dicom(1, "PACS")) as here:
        screen = subprocess.Popen(
            [*command, "--config", str(here.config)], env=offscreen, stderr=subprocess.DEVNULL
        )
        try:
            until(lambda: runs(here), "the engine runs")
        finally:
            getattr(screen, end)()
            screen.wait(PATIENCE)
        until(lambda: not runs(here), "the engine has ended")


def test_a_screen_leaves_an_engine_of_its_own_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kiosk", "ui", "--desk", "him"]
    offscreen = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    with station(tmp_path, dicom(1, "PACS")) as here, here.engine():
        until(lambda: runs(here), "the engine runs")
        screen = subprocess.Popen(
            [*command, "--config", str(here.config)], env=offscreen, stderr=subprocess.DEVNULL
        )
        with pytest.raises(subprocess.TimeoutExpired):
            screen.wait(3)
        screen.terminate()
        screen.wait(PATIENCE)
        assert runs(here)


def test_a_second_engine_is_refused(tmp_path: Path) -> None:
    """Fault 69."""
    with station(tmp_path, dicom(1, "PACS")) as here, here.engine():
        until(lambda: runs(here), "the engine runs")
        second = here.kiosk("engine")
        assert second.returncode == 1
        assert "already running" in second.stderr


def test_sigterm_drains_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with station(tmp_path, dicom(1, "PACS")) as here:
        with here.engine() as engine:
            until(lambda: runs(here), "the engine runs")
            engine.terminate()
            assert engine.wait(PATIENCE) == 0
        assert not runs(here)
