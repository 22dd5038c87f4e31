"""The scenarios of ADT semantics that the hospital's feed must come through, message by message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kiosk.adt import Rejected, parse
from kiosk.model.patient import Identifier, LocalPatient, PatientStatus
from kiosk.store import Store, Transaction

CASES = Path(__file__).parents[4] / "shared" / "tools" / "identity" / "adt_cases.json"


def arrive(tx: Transaction, raw: bytes) -> Any:
    try:
        event = parse(raw, default_charset="utf-8", default_authority="")
    except Rejected as e:
        return tx.roster.apply_all([((e.applied, e.trigger, e.control_id), raw)])[0]
    return tx.roster.apply(event, raw)


def state(tx: Transaction, seen: dict[str, str]) -> dict[str, Any]:
    """The roster in the shape that the cases use."""
    patients, links = {}, set()
    while tx.roster.get(str(len(seen) + 1)):
        seen[str(len(seen) + 1)] = f"P{len(seen) + 1}"
    for key, name in seen.items():
        local = tx.roster.get(key)
        assert local is not None
        patients[name] = as_case(local, seen)
        links |= {tuple(sorted((name, seen[k]))) for k in local.linked}
    raised = [f"{e.code} {e.trigger}#{e.control_id}" for e in tx.roster.exceptions()]
    return {
        "patients": patients,
        "links": [list(x) for x in sorted(links)],
        "exceptions": raised[::-1],
    }


def as_case(local: LocalPatient, seen: dict[str, str]) -> dict[str, Any]:
    identity, name = local.identity, local.identity.name
    words = {"inactive": "deleted", "held": "active", "test": "active"}
    case = {
        "status": words.get(local.status.value, local.status.value),
        "ids": {f"{i.issuer}:{i.value}": "active" for i in identity.identifiers}
        | {f"{i.issuer}:{i.value}": "prior" for i in local.prior_identifiers},
        "last": name.family,
        "first": name.given,
        "mid": name.middle,
        "dob": identity.birth_date,
        "sex": identity.sex,
        "phone": identity.telephone,
        "alias": sorted(f"{n.family}^{n.given}" for n in local.former_names),
        "visits": {v.number: {"active": "open"}.get(v.status, v.status) for v in local.visits},
        "into": seen.get(local.merged_into, ""),
        "hold": "overlay" if local.status is PatientStatus.HELD else "",
        "confidential": local.confidential,
        "dead": local.deceased,
    }
    return {k: v for k, v in case.items() if v}


def expected(state: dict[str, Any]) -> dict[str, Any]:
    patients = {}
    for key, case in state["patients"].items():
        case = dict(case)
        marks = case.pop("vip", ""), case.pop("protected", False)
        case["confidential"] = any(marks)
        case["dead"] = case.pop("dead", "N") == "Y"
        case["alias"] = sorted(case.pop("alias", []))
        patients[key] = {k: v for k, v in case.items() if v}
    return {**state, "patients": patients}


@pytest.mark.corpus
@pytest.mark.skipif(not CASES.exists(), reason="the shared cases are not beside this checkout")
@pytest.mark.parametrize("number", range(1, 26))
def test_the_state_after_every_message_and_every_acknowledgement_is_as_the_case_says(
    number: int, rows: Store
) -> None:
    case = json.loads(CASES.read_text())[number - 1]
    seen: dict[str, str] = {}
    steps = zip(case["messages"], case["acks"], case["state_after_each"], strict=True)
    for message, ack, after in steps:
        with rows.begin() as tx:
            assert arrive(tx, message.encode()).ack == ack
        with rows.read() as tx:
            assert state(tx, seen) == expected(after)
    with rows.read() as tx:
        for text, patient in case["resolve"].items():
            issuer, _, value = text.partition(":")
            found = tx.roster.resolve(Identifier(value, issuer))
            assert found is not None
            assert seen[found.key] == patient
