"""Where a study goes: rules, first match, a default; and what `kiosk check` says of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosk.model.content import Series, Study
from kiosk.model.patient import LocalPatient, PatientIdentity, Visit
from kiosk.policy import Condition, ConfigError, Facts, Policy, Route, facts_of, idle_rules, load
from kiosk.policy.routing import Routing, Rule, routes

TODAY = date(2026, 11, 24)
ARCHIVES = ("PACS", "CARDIO", "VNA")
CT, US, SR = Facts("CT"), Facts("US"), Facts("SR")


def routing(*rules: dict[str, object], default: tuple[str, ...] = ()) -> Routing:
    return Routing.model_validate({"rule": list(rules), "default": default})


def where(found: tuple[Route, ...]) -> dict[str, set[int]]:
    return {route.destination: set(route.series) for route in found}


def test_without_rules_everything_goes_to_every_archive() -> None:
    found = routes(Routing(), ARCHIVES, [CT, SR])
    assert where(found) == {name: {0, 1} for name in ARCHIVES}
    assert {route.because for route in found} == {"there are no rules: every archive"}


def test_the_first_rule_that_fits_decides_alone() -> None:
    ways = routing(
        {"to": ["CARDIO"], "name": "echo", "when": {"modality": ["us"]}},
        {"to": ["PACS", "VNA"], "when": {"modality": ["US", "CT"]}},
    )
    (only,) = routes(ways, ARCHIVES, [US])
    assert only == Route("CARDIO", frozenset({0}), "rule 1 (echo)")
    both = routes(ways, ARCHIVES, [CT])
    assert [route.destination for route in both] == ["PACS", "VNA"]
    assert both[0].because == "rule 2 (modality US or CT)"


def test_what_no_rule_takes_goes_to_the_default() -> None:
    ways = routing({"to": ["CARDIO"], "when": {"modality": ["US"]}}, default=("PACS",))
    (only,) = routes(ways, ARCHIVES, [CT])
    assert only == Route("PACS", frozenset({0}), "no rule fits: the default")


def test_a_report_stays_with_its_images_unless_the_rule_takes_single_series() -> None:
    rule = {"to": ["PACS"], "when": {"modality": ["CT"]}}
    other = {"to": ["VNA"], "when": {"modality": ["SR"]}}
    assert where(routes(routing(rule, other), ARCHIVES, [CT, SR])) == {"PACS": {0, 1}}
    by_series = routing(rule | {"whole": "series"}, other)
    assert where(routes(by_series, ARCHIVES, [CT, SR])) == {"PACS": {0}, "VNA": {1}}


def test_two_rules_to_one_archive_make_one_delivery_with_both_reasons() -> None:
    ways = routing(
        {"to": ["PACS"], "name": "a", "when": {"modality": ["CT"]}, "whole": "series"},
        {"to": ["PACS"], "name": "b", "when": {"modality": ["SR"]}, "whole": "series"},
    )
    (only,) = routes(ways, ARCHIVES, [CT, SR])
    assert only == Route("PACS", frozenset({0, 1}), "rule 1 (a); rule 2 (b)")


@pytest.mark.parametrize(
    ("when", "facts", "holds"),
    [
        ({}, Facts(), True),
        ({"modality": ["CT"]}, Facts("CT"), True),
        ({"modality": ["CT"]}, Facts(), False),
        ({"body_part": ["heart"]}, Facts("CT", "HEART"), True),
        ({"modality": ["CT"], "body_part": ["HEART"]}, Facts("CT", "CHEST"), False),
        ({"institution": ["st. mary*"]}, Facts(institution="St. Mary's Hospital"), True),
        ({"institution": ["St. Mary"]}, Facts(institution="St. Mary's Hospital"), False),
        ({"institution": ["*"]}, Facts(), False),
        ({"older_than_days": 30}, Facts(age_days=31), True),
        ({"older_than_days": 30}, Facts(age_days=30), False),
        ({"older_than_days": 30}, Facts(), False),
        ({"newer_than_days": 30}, Facts(age_days=0), True),
        ({"newer_than_days": 30}, Facts(), False),
        ({"site": ["city"]}, Facts(site="City"), True),
        ({"station": ["ward-*"]}, Facts(station="ward-7"), True),
        ({"patient_class": ["E"]}, Facts(visits=(("O", "CLINIC"), ("E", "ER"))), True),
        ({"patient_class": ["E"]}, Facts(), False),
        (
            {"patient_class": ["E"], "department": ["CLINIC"]},
            Facts(visits=(("O", "CLINIC"), ("E", "ER"))),
            False,
        ),
    ],
)
def test_all_that_a_condition_states_must_hold(
    when: dict[str, object], facts: Facts, holds: bool
) -> None:
    assert Condition.model_validate(when).holds(facts) is holds


def test_facts_come_from_the_study_and_the_patients_visits_that_are_not_over() -> None:
    study = Study("1.2", date="20261114", institution="St. Mary")
    visits = (Visit("1", "E", "ER^4^B", "", "active"), Visit("2", "I", "WARD", "", "finished"))
    patient = LocalPatient("k", PatientIdentity(), visits=visits)
    found = facts_of(study, Series("1.3", "CT", "", "CHEST"), patient, Policy().site, TODAY)
    assert found == Facts("CT", "CHEST", "St. Mary", 10, "Kiosk", "kiosk-1", (("E", "ER"),))


@pytest.mark.parametrize("stated", ["", "2026", "20261301", "20991231", "not a date"])
def test_a_study_without_a_true_date_has_no_age(stated: str) -> None:
    found = facts_of(Study("1.2", date=stated), Series("1.3"), None, Policy().site, TODAY)
    assert found.age_days is None


def test_a_rule_behind_one_that_takes_all_it_asks_for_can_never_match() -> None:
    ways = routing(
        {"to": ["PACS"], "when": {"modality": ["CT", "MR"]}},
        {"to": ["VNA"], "when": {"modality": ["ct"], "older_than_days": 3}},
        {"to": ["VNA"], "when": {"modality": ["US"]}},
        {"to": ["PACS"]},
        {"to": ["CARDIO"], "when": {"institution": ["X"]}},
    )
    assert list(idle_rules(ways)) == [(2, 1), (5, 4)]


TEXTS = st.lists(st.sampled_from(["CT", "MR", "ct", "A*", "ABC", "*"]), max_size=2)
AGES = st.none() | st.integers(0, 5)


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    old = draw(AGES)
    return Condition(
        modality=tuple(draw(TEXTS)),
        institution=tuple(draw(TEXTS)),
        department=tuple(draw(TEXTS)),
        patient_class=tuple(draw(TEXTS)),
        older_than_days=old,
        newer_than_days=draw(AGES.map(lambda n: None if n is None else n + (old or 0) + 2)),
    )


FACTS = st.builds(
    Facts,
    st.sampled_from(["", "CT", "MR", "ABC"]),
    institution=st.sampled_from(["", "ABC", "A", "CT", "X"]),
    age_days=st.none() | st.integers(0, 12),
    visits=st.lists(
        st.tuples(st.sampled_from(["CT", "ABC"]), st.sampled_from(["", "ABC", "MR"])), max_size=2
    ).map(tuple),
)


@given(conditions(), conditions(), FACTS)
def test_what_fits_the_narrow_condition_fits_every_one_that_covers_it(
    wide: Condition, narrow: Condition, facts: Facts
) -> None:
    if wide.covers(narrow) and narrow.holds(facts):
        assert wide.holds(facts)


@given(st.lists(conditions(), max_size=4), st.lists(FACTS, max_size=3), st.booleans())
def test_every_series_goes_somewhere(
    asked: list[Condition], series: list[Facts], whole: bool
) -> None:
    rules = tuple(
        Rule(to=(ARCHIVES[n % 3],), when=each, whole="study" if whole else "series")
        for n, each in enumerate(asked)
    )
    found = routes(Routing(rule=rules), ARCHIVES, series)
    assert set().union(*(route.series for route in found)) == set(range(len(series)))


def test_a_rule_to_an_unknown_archive_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(
        '[[destination]]\nname = "PACS"\n[routing]\ndefault = ["PACS"]\n'
        '[[routing.rule]]\nto = ["PACS"]\nwhen.modality = ["CT"]\n'
        '[[routing.rule]]\nname = "echo"\nto = ["CARDIO"]\n'
    )
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}:10: routing.rule.1.to: names the destination")
    assert "CARDIO" in str(refused.value)


def test_an_age_that_no_study_can_have_is_refused() -> None:
    with pytest.raises(ValidationError, match="no study is older"):
        Condition(older_than_days=30, newer_than_days=31)
