"""The three units of work move only where their tables have a way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.model.work import (
    MOVES,
    CaseState,
    DeliveryState,
    IllegalMove,
    IntakeState,
    advance,
)

ALL = [*IntakeState, *CaseState, *DeliveryState]


def test_every_state_has_its_line_in_the_table() -> None:
    for unit in (IntakeState, CaseState, DeliveryState):
        assert set(MOVES[unit]) == set(unit)


@given(st.sampled_from(ALL), st.sampled_from(ALL))
def test_a_move_is_in_the_table_or_raises(state: object, to: object) -> None:
    if type(to) is type(state) and to in MOVES[type(state)][state]:
        assert advance(state, to) is to
    else:
        with pytest.raises(IllegalMove):
            advance(state, to)


def test_no_way_leads_from_one_unit_to_another() -> None:
    for unit, table in MOVES.items():
        assert all(type(way) is unit for ways in table.values() for way in ways)


def test_states_of_two_units_are_told_apart_though_their_names_are_equal() -> None:
    with pytest.raises(IllegalMove):
        advance(IntakeState.FAILED, DeliveryState.QUEUED)
    assert advance(IntakeState.FAILED, IntakeState.RECEIVED) is IntakeState.RECEIVED


def test_nothing_is_sent_under_a_case_that_nobody_resolved() -> None:
    """RELEASED is reached from RESOLVED alone (DONE was RELEASED before: another study of it was
    chosen), RESOLVED by the matcher or a person alone."""
    assert {s for s, ways in MOVES[CaseState].items() if CaseState.RELEASED in ways} == {
        CaseState.RESOLVED,
        CaseState.DONE,
    }
    released = {s for s, ways in MOVES[CaseState].items() if CaseState.DONE in ways}
    assert released == {CaseState.RELEASED}
    before = {s for s, ways in MOVES[CaseState].items() if CaseState.RESOLVED in ways}
    assert before == {CaseState.OPEN, CaseState.AWAITING}


def test_nothing_is_proved_that_was_not_sent() -> None:
    before = {s for s, ways in MOVES[DeliveryState].items() if DeliveryState.COMMITTED in ways}
    assert before == {DeliveryState.SENT}
