"""Two identities side by side: what is the same, alike, or different, to the character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.desk.snapshots import Mark, Outcome
from kiosk.desk.views.differences import compare_field, marks, rows_for
from kiosk.model.patient import Identifier, PatientIdentity, PersonName


def person(
    family: str = "",
    given: str = "",
    born: str = "",
    sex: str = "",
    number: str = "",
    issuer: str = "",
) -> PatientIdentity:
    numbers = (Identifier(number, issuer),) if number else ()
    return PatientIdentity(numbers, (PersonName(family, given),), born, sex)


@pytest.mark.parametrize(
    ("field", "one", "other", "outcome"),
    [
        ("given", person(given="JON"), person(given="JOHN"), Outcome.SIMILAR),
        ("given", person(given="Jon"), person(given="JON"), Outcome.SAME),
        ("family", person("ROE"), person("DOE"), Outcome.DIFFERENT),
        ("family", person(""), person("DOE"), Outcome.MISSING),
        ("birth_date", person(born="19620314"), person(born="19620314"), Outcome.SAME),
        ("birth_date", person(born="19620314"), person(born="19630314"), Outcome.SIMILAR),
        ("birth_date", person(born="19880701"), person(born="19620314"), Outcome.DIFFERENT),
        ("sex", person(sex="F"), person(sex="M"), Outcome.DIFFERENT),
    ],
)
def test_a_field_is_the_same_alike_or_different(
    field: str, one: PatientIdentity, other: PatientIdentity, outcome: Outcome
) -> None:
    """Alike is a typing mistake; a date is read by its parts."""
    assert compare_field(field, one, other).outcome is outcome


def test_another_hospitals_number_is_no_disagreement() -> None:
    """Numbers are compared only where one authority gave both."""
    theirs, ours = person(number="A99", issuer="ST MARY"), person(number="12", issuer="HOSP")
    assert compare_field("identifier", theirs, ours).outcome is Outcome.MISSING
    other = person(number="13", issuer="HOSP")
    assert compare_field("identifier", other, ours).outcome is Outcome.DIFFERENT
    assert compare_field("identifier", ours, ours).outcome is Outcome.SAME


def test_the_differing_characters_are_marked_on_both_sides() -> None:
    """JON and JOHN differ by the H."""
    line = compare_field("given", person(given="JON"), person(given="JOHN"))
    assert line.disc_marks == ()
    assert line.ours_marks == (Mark(2, 1),)


def test_a_date_is_marked_by_year_month_and_day() -> None:
    """14 MAR 1926 against 14 MAR 1962: the year, not two digits of it."""
    line = compare_field("birth_date", person(born="19620314"), person(born="19260314"))
    assert line.disc_marks == line.ours_marks == (Mark(0, 4),)


def test_an_empty_middle_name_takes_no_row() -> None:
    """Rows are those that say something; the six of identity always."""
    assert "middle" not in rows_for((person("DOE", "JANE"),))
    assert set(rows_for((person(),))) >= {"family", "given", "birth_date", "sex", "identifier"}


@given(st.text(max_size=40), st.text(max_size=40))
def test_what_is_left_unmarked_is_equal_on_both_sides(one: str, other: str) -> None:
    """The marks are the whole difference, for any text at all."""
    left, right = marks(one, other)
    assert _unmarked(one, left).casefold() == _unmarked(other, right).casefold()


def _unmarked(text: str, marked: tuple[Mark, ...]) -> str:
    hidden = {i for m in marked for i in range(m.start, m.start + m.length)}
    return "".join(c for i, c in enumerate(text) if i not in hidden)
