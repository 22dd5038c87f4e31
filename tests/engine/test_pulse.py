"""What systemd is told of the engine: that it is ready, that every loop turns, that it ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.engine.telling.pulse import (
    QUIET_SECONDS,
    STEP_SECONDS,
    Pulse,
    seconds_between_beats,
    tell,
)
from kiosk.policy import Policy
from tests.engine.conftest import Station
from tests.station import station as process_station


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(120)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def test_a_loop_that_turns_is_not_stuck_and_one_that_does_not_is_named() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    here = threading.current_thread().name
    pulse.watch([here, "destination:PACS"])
    clock.now += QUIET_SECONDS
    pulse.beat()
    assert pulse.stuck() == ""
    clock.now += 1
    assert pulse.stuck() == "destination:PACS"


def test_a_long_step_is_work_but_not_for_ever() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.watch([threading.current_thread().name])
    with pulse.at_work("read"):
        clock.now += STEP_SECONDS
        assert (pulse.stuck(), pulse.status()) == ("", "At work: read")
        clock.now += 1
        assert pulse.stuck() == threading.current_thread().name
    assert (pulse.stuck(), pulse.status()) == ("", "Waiting for work")


def test_a_thread_that_nobody_watches_beats_for_nobody() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.watch(["cpu"])
    clock.now += QUIET_SECONDS + 1
    pulse.beat()
    assert pulse.stuck() == "cpu"


def test_the_watchdog_is_not_fed_while_a_loop_hangs(
    tmp_path: Path, manager: socket.socket, expected_logs: Callable[..., None]
) -> None:
    clock = Clock()
    expected_logs(r"kiosk.engine: cpu does not turn")
    station = Station(tmp_path, Policy())
    engine = station.engine
    engine._pulse = Pulse(clock)
    engine._pulse.watch(["cpu"])
    engine._show_life()
    assert manager.recv(4096) == b"WATCHDOG=1\nSTATUS=Waiting for work"
    clock.now += QUIET_SECONDS + 1
    engine._show_life()
    assert manager.recv(4096) == b"STATUS=cpu does not turn any more"
    station.rows.close()


def test_systemd_hears_when_the_engine_is_ready_alive_and_ending(
    tmp_path: Path, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    (tmp_path / "kiosk").mkdir()
    with process_station(tmp_path / "kiosk") as here, here.engine() as engine:
        assert manager.recv(4096) == b"READY=1"
        assert manager.recv(4096) == b"WATCHDOG=1\nSTATUS=Waiting for work"
        engine.terminate()
        while b"STOPPING=1" not in manager.recv(4096):
            pass


def test_without_a_manager_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    tell("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    tell("READY=1")


def test_the_manager_hears_three_times_in_the_time_it_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "6000000")
    assert seconds_between_beats() == 2.0
    monkeypatch.delenv("WATCHDOG_USEC")
    assert seconds_between_beats() == 10.0
