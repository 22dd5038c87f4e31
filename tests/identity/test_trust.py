"""What people's decisions say of the matcher, in review-only mode."""

from __future__ import annotations

import pytest

from kiosk.identity import ENOUGH, Agreement, agreement
from kiosk.model.matching import Action, Proposal, Resolution
from tests.identity.people import identified, on_disc, registered

JANE = registered("1", "MOREAU^JANE^Q")
SURE = identified(on_disc("MOREAU^JANE^Q"), JANE)
DOUBTED = identified(on_disc("MOREAU^JANE", "19620414"), JANE)


def by_person(action: Action = Action.LINK, key: str = "1") -> Resolution:
    return Resolution(action, "eve", "2026-11-24", local_key=key)


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        ((SURE, by_person()), Agreement(1, 0)),
        ((SURE, by_person(key="2")), Agreement(0, 1)),
        ((SURE, by_person(Action.IMPORT_ONLY, "")), Agreement(0, 1)),
        ((SURE, by_person(Action.NOT_OURS, "")), Agreement(0, 1)),
        ((DOUBTED, by_person()), Agreement()),
    ],
)
def test_only_what_the_matcher_would_have_linked_counts(
    judged: tuple[Proposal, Resolution], expected: Agreement
) -> None:
    assert agreement([judged]) == expected


def test_three_hundred_links_without_a_difference_allow_more() -> None:
    """No difference in n shows an error below 3 / n with 95 % certainty."""
    agreed = [(SURE, by_person())] * ENOUGH
    assert ENOUGH == 300
    assert agreement(agreed).enough
    assert not agreement(agreed[1:]).enough
    assert not agreement([*agreed, (SURE, by_person(key="2"))]).enough
