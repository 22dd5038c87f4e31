"""D5: the figures on the screen are those of the rows, and the sheet is for its writer alone."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from kiosk.desk import Refused, Role
from kiosk.model.content import Finding, Severity, StatedPatient
from tests.desk.conftest import JANE, World, study


def test_each_line_counts_what_came_and_the_last_all_of_it(world: World) -> None:
    world.register("0012345", JANE.name, "19620314", "F")
    world.insert()
    world.catalog(StatedPatient(JANE, (study("1.2.1", 3),)))
    world.match()
    world.insert()
    world.fail(Finding("medium-unreadable", Severity.ERROR))
    shown = world.desk(Role.HIM_LEAD).reports("sender", 30)
    assert {line.name: line.media for line in shown.lines[:-1]} == {"St. Mary": 1, "(not named)": 1}
    assert (shown.lines[-1].name, shown.lines[-1].media) == ("", 2)
    assert [queue.queue for queue in shown.queues] == ["reading", "decision", "sending", "stopped"]


def test_only_the_days_that_were_chosen_count(world: World) -> None:
    world.insert()
    world.wait(days=10)
    desk = world.desk(Role.IT)
    assert (desk.reports("day", 7).lines[-1].media, desk.reports("day", 30).lines[-1].media) == (
        0,
        1,
    )


def test_the_sheet_is_written_where_only_its_writer_reads_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the screen says where."""
    monkeypatch.setenv("HOME", str(tmp_path))
    world.insert()
    desk = world.desk(Role.HIM_LEAD)
    desk.export_report("way", 30)
    saved = Path(desk.reports("way", 30).saved)
    rows = list(csv.DictReader(saved.read_text().splitlines()))
    assert [(row["name"], row["media"]) for row in rows] == [("optical", "1"), ("", "1")]
    assert (saved.stat().st_mode & 0o777, saved.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_home_that_cannot_be_written_to_is_said(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kiosk-reports").write_text("in the way")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Refused, match="KX-491"):
        world.desk(Role.HIM_LEAD).export_report("way", 30)
