"""Model values survive the database and the pipe, and what is no model value is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.model.content import Finding, Instance, Ledger, Series, Severity, StatedPatient, Study
from kiosk.model.matching import Action, Resolution
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.model.plain import NotPlain, from_plain, to_plain

TEXT = st.text(max_size=12)
PATIENTS = st.builds(
    StatedPatient,
    st.builds(
        PatientIdentity,
        st.lists(st.builds(Identifier, TEXT, TEXT), max_size=3).map(tuple),
        st.lists(st.builds(PersonName, TEXT, TEXT), max_size=2).map(tuple),
        TEXT,
    ),
    st.lists(
        st.builds(
            Study,
            TEXT,
            series=st.lists(
                st.builds(
                    Series,
                    TEXT,
                    instances=st.lists(
                        st.builds(
                            Instance, TEXT, TEXT, TEXT, st.integers(), TEXT, st.integers(), TEXT
                        ),
                        max_size=2,
                    ).map(tuple),
                ),
                max_size=2,
            ).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)


@given(PATIENTS)
def test_a_value_comes_back_from_json_as_it_went(patient: StatedPatient) -> None:
    assert from_plain(StatedPatient, json.loads(json.dumps(to_plain(patient)))) == patient


def test_an_absent_value_stays_absent() -> None:
    value = Resolution(Action.NOT_OURS, "him", "2026-01-01", local=None)
    assert from_plain(Resolution, to_plain(value)) == value


@pytest.mark.parametrize(
    "untrusted",
    [
        [],
        {"code": "x"},
        {"code": 3, "severity": "info"},
        {"code": "x", "severity": "catastrophic"},
        {"code": "x", "severity": "info", "shell": "rm"},
        {"code": "x", "severity": "info", "detail": ["y"]},
    ],
)
def test_what_is_not_of_the_asked_shape_is_refused(untrusted: object) -> None:
    with pytest.raises(NotPlain):
        from_plain(Finding, untrusted)


def test_a_truth_value_is_no_number() -> None:
    with pytest.raises(NotPlain):
        from_plain(Ledger, {"files": True})


def test_a_refusal_names_the_place_and_never_the_value() -> None:
    with pytest.raises(NotPlain, match=r"Finding\.severity") as caught:
        from_plain(Finding, {"code": "x", "severity": "ZZQX^CANARY"})
    assert "CANARY" not in str(caught.value)


def test_a_ledger_balances_when_every_file_is_in_one_bucket() -> None:
    assert Ledger(files=3, directories=7, ok=1, dicomdir=1, other=1).balances
    assert not Ledger(files=3, directories=7, ok=1).balances


def test_severities_are_ordered_by_what_they_ask() -> None:
    assert [s.value for s in Severity] == ["info", "warning", "error", "unsafe"]
