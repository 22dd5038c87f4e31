"""Which studies are wanted, by the hospital's rules."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from kiosk.model.content import Series, Study
from kiosk.model.relevance.choice import Judged, Relevance, Triage
from kiosk.policy import ConfigError, Policy, load

TODAY = date(2026, 11, 24)


def study(uid: str, day: str, *modalities: str) -> Study:
    return Study(uid, day, series=tuple(Series(f"{uid}.{m}", m) for m in modalities))


def judged(relevance: dict[str, object], *studies: Study) -> list[Judged]:
    policy = Policy.model_validate({"relevance": relevance})
    return list(policy.judge(studies, None, TODAY))


def test_without_rules_every_study_is_suggested() -> None:
    assert judged({}, study("1", "19990101", "CT")) == [Judged()]


def test_the_first_rule_that_fits_a_series_takes_the_study() -> None:
    """A study of images and a report is judged by either; the rule is named."""
    rules = [
        {"then": "triage", "by": "radiologist", "name": "breasts", "when": {"modality": ["MG"]}},
        {"then": "older", "when": {"older_than_days": 1825}},
        {"then": "discard", "when": {"modality": ["OT"]}},
    ]
    found = judged(
        {"rule": rules},
        study("1", "20100101", "SR", "MG"),
        study("2", "20100101", "CT"),
        study("3", "20261101", "OT"),
        study("4", "20261101", "CT"),
    )
    assert found == [
        Judged(Relevance.SUGGESTED, Triage.RADIOLOGIST, "rule 1 (breasts)"),
        Judged(Relevance.OLDER, Triage.NOBODY, "rule 2 (older than days 1825)"),
        Judged(Relevance.DISCARD, Triage.NOBODY, "rule 3 (modality OT)"),
        Judged(),
    ]


def test_of_the_suggested_the_newest_and_so_many_priors_stay_so() -> None:
    """What a rule made older does not count."""
    found = judged(
        {
            "maximum_priors": 1,
            "rule": [{"then": "older", "when": {"modality": ["US"]}}],
        },
        study("1", "20200101", "CT"),
        study("2", "20260101", "US"),
        study("3", "20250101", "CT"),
        study("4", "20240101", "CT"),
    )
    assert [each.relevance for each in found] == [
        Relevance.OLDER,
        Relevance.OLDER,
        Relevance.SUGGESTED,
        Relevance.SUGGESTED,
    ]
    assert found[0].because == "more than 1 priors"


def test_a_rule_that_says_nothing_known_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text('[relevance]\nask = "choice"\n[[relevance.rule]]\nthen = "burn"\n')
    with pytest.raises(ConfigError, match=r"kiosk\.toml:4: relevance\.rule\.0\.then"):
        load(path)
