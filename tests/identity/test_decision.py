"""The matcher's decision, read as a specification."""

from __future__ import annotations

import pytest

from kiosk.identity import propose, recompute, resolve
from kiosk.model.matching import IndexStatistics, Recommendation
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName
from kiosk.policy.sections import Identity

SETTINGS = Identity()
STATISTICS = IndexStatistics(100_000)


def registered(number: str, name: str, birth_date: str, sex: str = "F") -> LocalPatient:
    names = (PersonName.from_dicom(name),)
    identity = PatientIdentity((Identifier(number, "HOSP"),), names, birth_date, sex)
    return LocalPatient(number, identity)


def on_disc(name: str, birth_date: str, sex: str = "F") -> PatientIdentity:
    names = (PersonName.from_dicom(name),)
    return PatientIdentity((Identifier("A99"),), names, birth_date, sex)


JANE = registered("1", "MOREAU^JANE^Q", "19620314")


def test_full_agreement_is_accepted_and_linked_by_the_matcher() -> None:
    """Name, birth date and sex agree and nobody else fits: no person is needed."""
    proposal = propose(on_disc("MOREAU^JANE^Q", "19620314"), [JANE], STATISTICS, SETTINGS)
    link = resolve(proposal, "2026-01-15T12:00:00Z", "hash")
    assert proposal.recommendation is Recommendation.ACCEPT
    assert link is not None
    assert (link.by, link.local_key) == ("matcher", "1")


def test_nobody_registered_is_said_so() -> None:
    """Without any plausible record the answer is `none`, and there is nothing to link."""
    proposal = propose(on_disc("MOREAU^JANE", "19620314"), [], STATISTICS, SETTINGS)
    assert proposal.recommendation is Recommendation.NONE
    assert resolve(proposal, "2026-01-15T12:00:00Z", "hash") is None


def test_probabilities_are_recomputed_from_the_record() -> None:
    """The stored proposal holds everything that its probabilities were computed from."""
    rivals = [JANE, registered("2", "MOREAU^JEANNE", "19620314")]
    proposal = propose(on_disc("MOREAU^JANE", "19620314"), rivals, STATISTICS, SETTINGS)
    stored = [c.probability for c in proposal.candidates]
    assert recompute(proposal) == pytest.approx(stored, abs=1e-12)
