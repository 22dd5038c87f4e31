"""The measurement itself, on a town that is small enough for a test."""

from __future__ import annotations

from pathlib import Path

from bench.matching import measure, report


def test_a_small_town_is_matched_without_a_wrong_link_while_registrations_come(
    tmp_path: Path,
) -> None:
    """Through parser, database and engine; with 300 records every name is rare."""
    figures = measure(tmp_path, records=300, count=60)
    assert figures.wrong == 0
    assert figures.recomputed
    assert figures.decisions["accept"] > 35
    assert figures.decisions["none"] > 2
    assert figures.picks.accepted["stranger"] == 0
    said = report(figures)
    assert "accepted by name origin" in said
    assert "accepted by completeness" in said
