"""`kiosk match`: one answer line for each query line, streaming, whatever a query holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from kiosk.cli.match import BadQuery, match
from kiosk.model.matching import IndexStatistics
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity
from kiosk.policy.sections import Identity
from tests.identity.people import registered

JANE = registered("0012345", "DOE^JANE^Q")


def lookup(
    stated: PatientIdentity, picked: Identifier | None
) -> tuple[Sequence[LocalPatient], IndexStatistics]:
    return [JANE], IndexStatistics(20_000)


def answers(*queries: dict[str, Any]) -> list[dict[str, Any]]:
    lines = (json.dumps(query) + "\n" for query in queries)
    return [json.loads(line) for line in match(lines, lookup, Identity())]


FULL = {
    "id": "q1",
    "patient_name": "DOE^JANE",
    "patient_id": "A99",
    "issuer": None,
    "birth_date": "19620314",
    "sex": "F",
    "other_patient_ids": [{"value": "", "issuer": ""}],
    "address": "",
    "telephone": "",
    "mother_birth_name": "",
}


def test_an_answer_has_the_contract_s_fields() -> None:
    (answer,) = answers(FULL)
    assert list(answer) == ["id", "decision", "why", "candidates", "ms"]
    assert (answer["id"], answer["decision"]) == ("q1", "accept")
    (candidate,) = answer["candidates"]
    assert candidate["identifiers"] == [{"value": "0012345", "issuer": "HOSP"}]
    assert candidate["name"] == "DOE^JANE^Q"
    assert candidate["capped_by"] is None
    assert candidate["agreements"]["family"] > 0
    assert candidate["probability"] > 0.99


def test_the_pick_of_the_front_desk_makes_it_a_verification() -> None:
    query = FULL | {"patient_name": "MARRIED^JANE"}
    searched, verified = answers(query, query | {"picked": {"value": "0012345", "issuer": "HOSP"}})
    assert searched["decision"] == "review"
    assert verified["decision"] == "accept"


def test_answers_come_in_order_and_one_at_a_time() -> None:
    """The second query is read only after the first answer was taken."""
    asked: list[str] = []

    def queries() -> Iterator[str]:
        for name in ("q1", "q2"):
            asked.append(name)
            yield json.dumps({"id": name})

    found = match(queries(), lookup, Identity())
    assert json.loads(next(found))["id"] == "q1"
    assert asked == ["q1"]
    assert json.loads(next(found))["id"] == "q2"


def test_only_an_id_is_needed_and_odd_values_count_as_unknown() -> None:
    odd = {"id": 7, "patient_name": 5, "birth_date": None, "sex": [], "picked": "x",
           "other_patient_ids": [3, {"value": 4}]}  # fmt: skip
    empty, strange = answers({"id": "q"}, odd)
    assert empty["decision"] == strange["decision"] == "review"
    assert strange["id"] == 7


@pytest.mark.parametrize("line", ["{", "[]", "{}", "null"])
def test_a_line_that_is_no_query_is_named(line: str) -> None:
    with pytest.raises(BadQuery, match="line 3"):
        list(match(iter(['{"id": "q1"}\n', "\n", line]), lookup, Identity()))
