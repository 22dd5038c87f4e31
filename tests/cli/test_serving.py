"""The receivers as a service of their own, beside an engine that starts none."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.station import PATIENCE, Station, station, until


def listens(here: Station) -> bool:
    try:
        socket.create_connection(("127.0.0.1", here.adt_port), 1).close()
    except ConnectionRefusedError:
        return False
    return True


def started(here: Station, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "kiosk", *words, "--config", str(here.config)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str], words: str) -> bool:
    assert process.stderr is not None
    return any(words in line for line in process.stderr)


def test_the_receivers_run_without_an_engine_and_end_when_they_are_told(tmp_path: Path) -> None:
    with station(tmp_path) as here:
        served = started(here, "inbound", "serve")
        try:
            until(lambda: listens(here), "registrations are received")
        finally:
            served.terminate()
            _, err = served.communicate(timeout=PATIENCE)
        assert served.returncode == 0, err
        assert not listens(here)


def test_an_engine_with_its_receivers_apart_listens_nowhere(tmp_path: Path) -> None:
    with station(tmp_path) as here:
        engine = started(here, "engine", "--receivers-apart")
        try:
            assert said(engine, "is running")
            assert not listens(here)
        finally:
            engine.terminate()
            engine.communicate(timeout=PATIENCE)
        assert engine.returncode == 0
