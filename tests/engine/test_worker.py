"""The engine's threads outlive a defect, and a refused second engine leaves no trace."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from kiosk.engine import AlreadyRunning, alone, worker
from kiosk.model.work import IntakeState
from tests.engine.conftest import Station
from tests.station import until


def test_a_thread_that_meets_a_defect_goes_on(
    here: Station,
    known: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    expected_logs: Callable[..., None],
) -> None:
    """A row that cannot be read stops nothing but itself: mended, the work goes on."""
    expected_logs(r"ERROR kiosk\.engine: .*")
    monkeypatch.setattr(worker, "DEFECT_SECONDS", 0.05)
    intake = here.insert(known)
    with here.rows.begin() as tx:
        whole = tx.connection.execute(text("SELECT medium FROM intake")).scalar_one()
        tx.connection.execute(text("UPDATE intake SET medium = '{}'"))
    running = threading.Thread(target=here.engine.run)
    running.start()
    try:
        until(lambda: "reader:" in caplog.text, "a reader has met it")
        with here.rows.begin() as tx:
            tx.connection.execute(text("UPDATE intake SET medium = :m"), {"m": whole})

        def cataloged() -> bool:
            with here.rows.read() as tx:
                return tx.intakes.get(intake).state is IntakeState.CATALOGED

        until(cataloged, "the disc is cataloged after all")
    finally:
        here.engine.stop()
        running.join()


def test_a_refused_second_engine_leaves_the_firsts_number_alone(tmp_path: Path) -> None:
    with alone(tmp_path):
        said = (tmp_path / "engine.lock").read_text()
        with pytest.raises(AlreadyRunning), alone(tmp_path):
            pass
        assert (tmp_path / "engine.lock").read_text() == said != ""
