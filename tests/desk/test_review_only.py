"""A new site's review-only mode: the matcher decides as ever, a person links, and the site's own
decisions say when that is no longer needed."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from kiosk.cli.check import Check, review_only
from kiosk.cli.context import Context
from kiosk.desk import Role
from kiosk.model.content import StatedPatient
from kiosk.model.matching import Recommendation
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.policy import Policy
from kiosk.store import Vault
from tests.desk.conftest import IMPORT_ONLY, LINK, World, study

MARIE = PatientIdentity(
    (Identifier("M7", "ELSEWHERE"),), (PersonName("MOREAU", "MARIE", "Q"),), "19620314", "F"
)


def checks(world: World, tmp_path: Path, on: bool) -> list[Check]:
    plain = world.policy.model_dump(mode="json")
    policy = Policy.model_validate({**plain, "identity": {"review_only": on}})
    return list(review_only(Context(policy, None, tmp_path, world.store, cast(Vault, None))))


def decided(world: World, uid: str, agreeing: bool) -> None:
    world.insert()
    (case,) = world.catalog(StatedPatient(MARIE, (study(uid, 1),)))
    world.match(review_only=True)
    desk = world.desk(Role.HIM)
    best = desk.compare(case).candidates[0].local.key
    if agreeing:
        desk.resolve(case, LINK, best, "other")
    else:
        desk.resolve(case, IMPORT_ONLY, "", "not-registered")


def test_people_s_decisions_are_held_against_the_matcher_s(world: World, tmp_path: Path) -> None:
    """Only the newest decision of each case, and only where the matcher would have linked."""
    world.register("0012346", PersonName("MOREAU", "MARIE", "Q"), "19620314", "F")
    decided(world, "1.2.1", agreeing=True)
    decided(world, "1.2.2", agreeing=False)
    with world.store.read() as tx:
        judged = tx.cases.judged()
    assert [p.recommendation for p, _ in judged] == [Recommendation.ACCEPT] * 2
    (said,) = checks(world, tmp_path, on=True)
    assert "people agreed 1 times and differed 1 times" in said.meaning
    assert said.fix == ""
    assert checks(world, tmp_path, on=False) == []


def test_three_hundred_agreements_are_said_to_allow_more(world: World, tmp_path: Path) -> None:
    """The decisions are one case's, written three hundred times: reading is what is tested."""
    world.register("0012346", PersonName("MOREAU", "MARIE", "Q"), "19620314", "F")
    decided(world, "1.2.1", agreeing=True)
    columns = "intake, state, stated, variants, proposal, resolution, local_key, reasons, owner"
    columns += (
        ", owner_until, flagged, created_at, due, lease_owner, lease_token, lease_until, tries"
    )
    with world.store.begin() as tx:
        for _ in range(299):
            tx.connection.exec_driver_sql(
                f"INSERT INTO patient_case ({columns}) SELECT {columns} FROM patient_case LIMIT 1"
            )
    (said,) = checks(world, tmp_path, on=True)
    assert "Your own figures allow more" in said.meaning
    assert said.fix == "Set identity.review_only = false."
