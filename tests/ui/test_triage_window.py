"""D3 in a running window: the frames come from rows, by a thread that waits for the station."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytestqt.qtbot import QtBot

from kiosk.desk import Desk, Role
from kiosk.desk.snapshots import TriageSnapshot, ViewSnapshot
from kiosk.model.content import StatedPatient
from kiosk.model.relevance.choice import Judged, Standing, Triage
from kiosk.ui.triage import QueueScreen, ViewScreen
from kiosk.ui.window import Window
from tests.desk.conftest import JANE, World, study
from tests.ui import triage_samples


def waits_for_triage(world: World) -> tuple[int, int]:
    """The rows of a study and of its series, which somebody must see first."""
    world.insert()
    (case,) = world.catalog(StatedPatient(JANE, (study("1.2.3", 3),)))
    with world.store.begin() as tx:
        ((row, series),) = tx.pictures.series_of(case)
        seen_first = Judged(triage=Triage.ANYONE, because="rule 1 (everything)")
        tx.choices.judge(case, {row: seen_first}, False, "hash")
    return row, series


def test_a_study_is_opened_looked_at_and_let_go(
    world: World, window: Callable[[Desk, str], Window], qtbot: QtBot
) -> None:
    """The viewer waits for its station without holding anything up, then shows what was made."""
    row, series = waits_for_triage(world)
    shown = window(world.desk(Role.HIM), "him")
    shown.go("triage")  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: isinstance(shown.snapshot, TriageSnapshot))
    queue = shown.screens[TriageSnapshot]
    assert isinstance(queue, QueueScreen)
    queue.ask("open-study", study=row)
    qtbot.waitUntil(lambda: isinstance(shown.snapshot, ViewSnapshot))
    view = shown.screens[ViewSnapshot]
    assert isinstance(view, ViewScreen)

    def asked() -> bool:
        with world.store.begin() as tx:
            found = tx.pictures.claim("kiosk-1", 60.0)
            if found is None:
                return False
            made = (replace(triage_samples.GREY, position=n) for n in range(3))
            tx.pictures.keep(found[0].series, made)
            tx.pictures.granted(found[1])
        return True

    qtbot.waitUntil(asked)
    qtbot.waitUntil(lambda: view.canvas.picture is not None)
    assert view.canvas.picture is not None
    assert view.canvas.picture.bytes() == triage_samples.GREY.bytes()
    view.deciding.accept.click()  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: isinstance(shown.snapshot, TriageSnapshot))
    with world.store.read() as tx:
        assert tx.choices.get(row).standing is Standing.CHOSEN
        assert tx.pictures.frames(series, 0, 3) == ()


def test_a_small_picture_that_was_made_is_news_for_every_screen(world: World) -> None:
    """No journal line says so, and nobody wants to wait a minute for it."""
    _, series = waits_for_triage(world)
    desk = world.desk(Role.HIM)
    before = desk.pulse()
    with world.store.begin() as tx:
        tx.pictures.keep(series, (triage_samples.SMALL,), small=True)
    assert desk.pulse() != before
