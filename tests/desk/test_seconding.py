"""The two-person rule: by risk, the second person a lead and another one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kiosk.desk import Refused, Role
from kiosk.desk.seconding import _minor, risks
from kiosk.model.content import StatedPatient
from kiosk.model.patient import PersonName
from kiosk.model.work import CaseState
from kiosk.policy.people import Decisions
from tests.desk.conftest import IMPORT_ONLY, JON, LINK, World, study


@pytest.fixture
def risky(world: World) -> tuple[int, str]:
    """A case whose two candidates are equally likely but for the name, and the key of one."""
    key = world.register("0012346", PersonName("DOE", "JOHN"), "19620314", "M")
    world.register("0088812", PersonName("DOE", "JONN"), "19620314", "M")
    ask(world, "rival", rival_margin=1.0)
    world.insert()
    (case,) = world.catalog(StatedPatient(JON, (study("1.2.3", 3),)))
    world.match(review_only=True)
    return case, key


def ask(world: World, *two_persons: str, **more: float) -> None:
    given = Decisions.model_validate({"two_persons": two_persons, **more})
    world.policy = world.policy.model_copy(update={"decisions": given})


def refusal(world: World, role: Role, name: str, case: int, key: str) -> str:
    with pytest.raises(Refused) as refused:
        world.desk(role, name).resolve(case, LINK, key, "asked")
    return refused.value.message.id


def test_one_decides_and_a_lead_has_to_come_to_the_same(
    world: World, risky: tuple[int, str]
) -> None:
    case, key = risky
    world.desk(Role.HIM, "berta").resolve(case, LINK, key, "asked the patient")
    assert world.case_state(case) is CaseState.AWAITING
    (row,) = world.desk(Role.HIM_LEAD, "carla").worklist().rows
    assert row.reasons[0] == "second-person"
    shown = world.desk(Role.HIM_LEAD, "carla").compare(case)
    assert shown.blocked is None
    said = shown.notices[0].message
    assert (said.id, said.values["who"], said.values["why"]) == (
        *("KX-460", "berta"),
        "asked the patient",
    )
    world.desk(Role.HIM_LEAD, "carla").resolve(case, LINK, key, "seen both")
    assert world.case_state(case) is CaseState.RESOLVED
    resolution = world.resolution(case)
    assert resolution is not None
    assert (resolution.by, resolution.second) == ("carla", "berta")


def test_nobody_is_the_second_person_of_the_own_decision(
    world: World, risky: tuple[int, str]
) -> None:
    """A lead neither, and a colleague who is no lead cannot be the second."""
    case, key = risky
    world.desk(Role.HIM_LEAD, "carla").resolve(case, LINK, key, "asked")
    assert refusal(world, Role.HIM_LEAD, "carla", case, key) == "KX-461"
    assert refusal(world, Role.HIM, "berta", case, key) == "KX-462"
    world.set(front_desk_confirms=True)
    with pytest.raises(Refused) as refused:
        world.desk().confirm(case, key)
    assert refused.value.message.id == "KX-463"
    assert world.case_state(case) is CaseState.AWAITING


def test_whoever_decides_otherwise_is_a_first_one_again(
    world: World, risky: tuple[int, str]
) -> None:
    case, key = risky
    other = world.desk(Role.HIM).compare(case).candidates
    (second,) = [c.local.key for c in other if c.local.key != key]
    world.desk(Role.HIM, "berta").resolve(case, LINK, key, "asked")
    world.desk(Role.HIM_LEAD, "carla").resolve(case, LINK, second, "no, the other one")
    assert world.case_state(case) is CaseState.AWAITING
    world.desk(Role.HIM_LEAD, "dora").resolve(case, LINK, second, "the other one")
    assert world.case_state(case) is CaseState.RESOLVED


def test_without_the_risk_or_without_a_link_one_person_is_enough(
    world: World, risky: tuple[int, str]
) -> None:
    case, _ = risky
    world.desk(Role.HIM, "berta").resolve(case, IMPORT_ONLY, "", "not registered")
    assert world.case_state(case) is CaseState.RESOLVED


def test_what_is_risky_is_what_the_policy_names(world: World, risky: tuple[int, str]) -> None:
    case, key = risky
    with world.store.read() as tx:
        found, local = tx.cases.get(case), tx.roster.get(key)
    assert local is not None
    for named, margin, expected in (
        (("rival",), 1.0, ("rival",)),
        (("rival", "minor", "birth-date-and-sex"), 1.0, ("rival",)),
        ((), 1.0, ()),
        (("minor",), 1.0, ()),
    ):
        ask(world, *named, rival_margin=margin)
        assert risks(found, local, world.policy, world.at) == expected
    day = datetime(2026, 11, 24, tzinfo=UTC).date()
    assert _minor("20081125", day)
    assert not _minor("20081124", day)
    assert not _minor("", day)
