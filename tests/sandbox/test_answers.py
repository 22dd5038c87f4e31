"""A child's answer comes in parts: bounded, checked one by one, and put together again."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from kiosk.model.content import (
    Attachment,
    Catalog,
    Finding,
    Instance,
    Ledger,
    Series,
    Severity,
    StatedPatient,
    Study,
)
from kiosk.model.medium import Medium, MediumKind, ReadReport, Span
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.model.plain import NotPlain
from kiosk.policy.sections import Limits
from kiosk.sandbox.answers import FRAME, LARGEST_PART, Allowance, Answer, TooMuch, encode, parts
from kiosk.sandbox.child import Job, JobFailed, _frames

JANE = PatientIdentity((Identifier("A1", "HOSP"),), (PersonName("DOE", "JANE"),), "19620314", "F")
MEDIUM = Medium(MediumKind.IMAGE, "/disc.iso")


def instance(number: int) -> Instance:
    return Instance(f"1.2.{number}", "1.2.840", "1.2", number, f"IM{number}", 10, "ab" * 32)


def catalog(images: int) -> Catalog:
    many = tuple(map(instance, range(images)))
    series = (Series("1.2.3.4", "CT", instances=many[1:]), Series("1.2.3.5", instances=many[:1]))
    return Catalog(
        (
            StatedPatient(JANE, (Study("1.2.3", series=series), Study("1.2.4"))),
            StatedPatient(PatientIdentity(), variants=(JANE, JANE)),
        ),
        Ledger(files=images, ok=images),
        findings=(Finding("packed", Severity.INFO, "A", "B"),),
        attachments=(Attachment(1, "A.PDF", 3, "pdf"),),
    )


def together(shape: type[Any], messages: list[dict[str, Any]]) -> Any:
    answer = Answer(shape)
    for message in messages[:-1]:
        answer.part(message["part"])
    return answer.result(messages[-1]["result"])


@pytest.mark.parametrize(
    "value",
    [
        catalog(7),
        Catalog(),
        ReadReport(MEDIUM, 3, 1, 10, (Span(0, 1), Span(4, 1)), untried=(Span(9, 9),)),
        MEDIUM,
    ],
    ids=["catalog", "nothing", "report", "medium"],
)
def test_what_was_sent_in_parts_is_what_arrives(value: Any) -> None:
    messages = json.loads(json.dumps(list(parts(value))))
    assert together(type(value), messages) == value


def test_a_part_of_another_kind_or_number_is_refused() -> None:
    """Spans where instances were said to be, a part that belongs nowhere, a shape that nobody asked
    for, and more members than came."""
    span = {"part": ["Span", {"start": 0, "length": 1}]}
    whole = list(parts(catalog(2)))
    for wrong in (
        [span, {"result": {"patients": 1, "findings": 0, "attachments": 0}}],
        [*whole[:1], whole[-1]],
        [whole[0], *whole],
        [{"part": ["Medium", {}]}, *whole],
        [{"part": [[], {}]}, *whole],
        [{"part": 1}, *whole],
        [{"result": {"patients": True, "findings": -1, "attachments": 10**30}}],
        [{"result": None}],
    ):
        with pytest.raises(NotPlain):
            together(Catalog, wrong)


def test_more_parts_than_files_can_have_are_too_much() -> None:
    allowed = Allowance.of_files(1)
    for _ in range(100_008):
        allowed.pay(10)
    with pytest.raises(TooMuch):
        allowed.pay(10)
    with pytest.raises(TooMuch):
        Allowance.of_files(1).pay(20 << 20)


def test_who_says_too_much_is_not_listened_to() -> None:
    said = encode({"part": ["Span", {"start": 0, "length": "1" * 5_000_000}]}) * 4
    with pytest.raises(TooMuch):
        list(_frames(Job("identify", "", "", Limits()), bytearray(said), Allowance.of_files(0)))


def test_a_part_that_is_longer_than_any_is_a_child_that_died() -> None:
    said = bytearray(FRAME.pack(LARGEST_PART + 1))
    with pytest.raises(JobFailed):
        list(_frames(Job("catalog", "", "", Limits()), said, Allowance.of_files(1)))


def test_lists_in_lists_to_any_depth_are_a_child_that_died() -> None:
    nested = b"[" * 1_000_000
    said = bytearray(FRAME.pack(len(nested)) + nested)
    with pytest.raises(JobFailed):
        list(_frames(Job("catalog", "", "", Limits()), said, Allowance.of_files(1)))


def test_the_parent_holds_the_values_and_no_text_of_the_whole() -> None:
    """At most twice what the catalog itself takes, whichever is larger at the time."""
    sent = [encode(message) for message in parts(catalog(5_000))]
    tracemalloc.start()
    try:
        answer, allowed = Answer(Catalog), Allowance.of_files(5_000)
        for one in sent:
            for message in _frames(Job("catalog", "", "", Limits()), bytearray(one), allowed):
                if "part" in message:
                    answer.part(message["part"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(map(len, sent)) > 1_500_000
    assert peak < 2.5 * sum(map(len, sent))
