"""Patients as the tests write them: a PN text, a birth date, a sex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kiosk.identity import propose
from kiosk.model.matching import IndexStatistics, Proposal
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName
from kiosk.policy.sections import Identity

SETTINGS = Identity()
STATISTICS = IndexStatistics(100_000)
BORN = "19620314"


def registered(number: str, name: str, birth_date: str = BORN, **more: Any) -> LocalPatient:
    """A roster record; `more` are fields of the record or of its identity."""
    own = {k: more.pop(k) for k in ("sex", "address", "telephone") if k in more}
    identity = PatientIdentity(
        (Identifier(number, "HOSP"),), (PersonName.from_dicom(name),), birth_date
    )
    return LocalPatient(number, replace(identity, **{"sex": "F", **own}), **more)


def on_disc(name: str, birth_date: str = BORN, sex: str = "F", **more: Any) -> PatientIdentity:
    identity = PatientIdentity(
        (Identifier("A99"),), (PersonName.from_dicom(name),), birth_date, sex
    )
    return replace(identity, **more)


def identified(stated: PatientIdentity, *candidates: LocalPatient) -> Proposal:
    """Nobody was picked."""
    return propose(stated, candidates, STATISTICS, SETTINGS)


def verified(stated: PatientIdentity, number: str, *candidates: LocalPatient) -> Proposal:
    """The front desk picked the record with that number."""
    return propose(stated, candidates, STATISTICS, SETTINGS, Identifier(number, "HOSP"))


def levels(proposal: Proposal, place: int = 0) -> dict[str, str]:
    comparison = proposal.candidates[place].comparison
    return {e.field: e.level for e in comparison.evidence}


def why(proposal: Proposal) -> str:
    return "; ".join(proposal.why)


def former(*names: str) -> Sequence[PersonName]:
    return tuple(PersonName.from_dicom(name) for name in names)
