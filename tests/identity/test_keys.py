"""Blocking keys: few to store, and shared by any two records that may be one person's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.identity import keys, keys_of, name_keys, name_keys_of
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from tests.identity.people import BORN, former, on_disc, registered

JANE = registered("1", "MOREAU-LINDQVIST^JANE^QUEENIE", former_names=former("GARCIA LOPEZ^JANE"))

FOUND = {
    "as registered": on_disc("MOREAU-LINDQVIST^JANE^QUEENIE"),
    "without separator": on_disc("JANE Q MOREAU LINDQVIST"),
    "swapped": on_disc("JANE^MOREAU"),
    "half of the double name": on_disc("LINDQVIST^JANE"),
    "a former name": on_disc("LOPEZ^JANE"),
    "a new family name": on_disc("WILLIAMS^JANE"),
    "another given name": on_disc("MOREAU^QUEENIE"),
    "the middle name first, and a wrong month": on_disc("MOREAU^QUEENIE^JANE", "19620414"),
    "a misspelt name": on_disc("MOREUA^JANE"),
    "a wrong day of birth": on_disc("MOREAU^JANE", "19620319"),
    "a wrong year of birth": on_disc("MOREAU^JANE", "19660314"),
    "day and month exchanged": on_disc("MOREAU^JANE", "19621403"),
    "no birth date": on_disc("MOREAU^JANE", ""),
    "no birth date and a misspelt name": on_disc("MORREAU^JANE", ""),
    "no name": on_disc("ANONYMOUS"),
    "only our number": on_disc("", "", identifiers=(Identifier("0001"),)),
}


@pytest.mark.parametrize("stated", FOUND.values(), ids=FOUND)
def test_a_record_is_found_by_every_usual_error(stated: PatientIdentity) -> None:
    assert keys(stated) & keys_of(JANE)


def test_a_stranger_is_not_found() -> None:
    assert not keys(on_disc("SMITH^ROBERT", "19710922")) & keys_of(JANE)


def test_a_record_found_by_a_number_that_it_had() -> None:
    merged = registered("1", "MOREAU^JANE", prior_identifiers=(Identifier("77", "HOSP"),))
    assert keys(on_disc("X", "", identifiers=(Identifier("77", "HOSP"),))) & keys_of(merged)


def test_name_keys_are_among_the_stored_keys() -> None:
    """So their counts are counts over the index that there is."""
    assert name_keys_of(JANE)
    assert name_keys_of(JANE) <= keys_of(JANE)
    assert name_keys(on_disc("MOREAU^JANE")) & name_keys_of(registered("2", "MOREAU^JANE"))


def test_names_of_those_born_on_1_january_are_counted_apart() -> None:
    omar = registered("1", "YUSUF^OMAR", "19760101")
    assert name_keys_of(omar) - name_keys_of(registered("1", "YUSUF^OMAR")) == {
        "j:",
        "j:OMAR",
        "j:YUSUF",
    }
    assert name_keys_of(omar) <= keys_of(omar)
    assert {"j:", "j:OMAR"} <= name_keys(on_disc("ALI^OMAR", "19800101"))


def test_an_ordinary_record_has_a_dozen_keys_and_a_rich_one_no_more_than_26_a_name() -> None:
    assert len(keys_of(registered("1", "MOREAU^CLAIRE^Q"))) <= 12
    assert len(keys_of(JANE)) <= 52


@settings(max_examples=100, deadline=None)
@given(name=st.text(max_size=120), date=st.text(max_size=10))
def test_the_number_of_keys_is_bounded_whatever_a_disc_says(name: str, date: str) -> None:
    stated = PatientIdentity(names=(PersonName.from_dicom(name),) * 50, birth_date=date or BORN)
    assert len(keys(stated)) <= 400
