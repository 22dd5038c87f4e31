"""The screens open on a real X display: Qt's xcb plug-in finds every library it links to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.peers import accepts, free_port, require
from tests.station import dicom, station, until


@contextmanager
def display() -> Iterator[str]:
    """An X server of this test's own, on a number that it chooses itself."""
    reading, writing = os.pipe()
    command = [require("Xvfb"), "-displayfd", str(writing), "-screen", "0", "1600x1100x24"]
    # Else it starts over when its last client leaves, and refuses the next one meanwhile.
    command += ["-nolisten", "tcp", "-noreset"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, pass_fds=[writing], stdout=quiet, stderr=quiet) as server:
        os.close(writing)
        with os.fdopen(reading) as said:
            number = said.readline().strip()
        try:
            yield f":{number}"
        finally:
            server.terminate()


def answers(where: dict[str, str]) -> bool:
    """Whether the X server takes connections: it says its number a little before."""
    command = [require("xdotool"), "getdisplaygeometry"]
    return subprocess.run(command, env=where, capture_output=True).returncode == 0


def windows(where: dict[str, str]) -> str:
    command = [require("xdotool"), "search", "--onlyvisible", "--name", "Kiosk"]
    return subprocess.run(command, env=where, capture_output=True, text=True).stdout.strip()


@pytest.mark.peer("Xvfb", "xdotool")
@pytest.mark.parametrize("which", ["touch", "him"])
def test_a_desk_opens_its_window_on_an_x_display(which: str, tmp_path: Path) -> None:
    with (
        station(tmp_path, dicom(free_port(), "PACS")) as here,
        here.engine(),
        display() as number,
    ):
        until(lambda: accepts(here.adt_port), "the engine runs")
        where = {**os.environ, "DISPLAY": number, "QT_QPA_PLATFORM": "xcb"}
        # Else Qt starts a session bus of its own, which outlives the test.
        where["DBUS_SESSION_BUS_ADDRESS"] = "disabled:"
        until(lambda: answers(where), "the display answers")
        command = [sys.executable, "-m", "kiosk", "ui", "--desk", which]
        command += ["--config", str(here.config)]
        with subprocess.Popen(command, env=where, stderr=subprocess.PIPE, text=True) as face:
            until(lambda: face.poll() is not None or windows(where) != "", "a window is seen")
            assert windows(where), face.communicate()[1]
            face.terminate()
