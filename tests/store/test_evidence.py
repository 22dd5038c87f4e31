"""What people said and what other registers answered, on either database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kiosk.model.content import StatedPatient
from kiosk.model.matching import Action, Judgement, Proposal, Recommendation, Remembered, Resolution
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName
from kiosk.model.work import Case, CaseState
from kiosk.store import Store
from tests.store.conftest import MEDIUM, Clock

JANE = PatientIdentity(
    (Identifier("A99", "ST MARY"), Identifier("77", "", universal_id="1.2.3")),
    (PersonName("DOE", "JANE"),),
    "19620314",
    "F",
)
NAMED = LocalPatient(
    "?0055^HOSP",
    PatientIdentity((Identifier("0055", "HOSP"),), (PersonName("DOE", "JANE"),), "19620314", "F"),
    source="MPI",
)


def waiting(store: Store, stated: PatientIdentity = JANE) -> Case:
    with store.begin() as tx:
        intake = tx.intakes.create(MEDIUM, "kiosk-1", "tester").id
        id = tx.cases.open(intake, StatedPatient(stated))
        claimed = tx.cases.claim(CaseState.OPEN, "kiosk-1", 60)
        assert claimed is not None
        tx.cases.matched(claimed[1], Proposal(Recommendation.REVIEW, ("why",)), None, ("why",))
        return tx.cases.get(id)


def about(store: Store, stated: PatientIdentity = JANE) -> list[Remembered]:
    with store.read() as tx:
        return list(tx.decisions.about(stated))


def link(store: Store, case: Case, key: str = "4711") -> None:
    with store.begin() as tx:
        tx.cases.resolve(
            case.id, Resolution(Action.LINK, "berta", "2026-11-24T09:00:00", "r", JANE, key)
        )


def test_a_decision_is_found_by_any_number_with_its_issuer(store: Store) -> None:
    """An OID is an issuer too; the number alone is not."""
    link(store, waiting(store))
    assert [m.judgement for m in about(store)] == [Judgement.SAME]
    by_oid = replace(JANE, identifiers=(Identifier("77", "NAMED", universal_id="1.2.3"),))
    assert about(store, by_oid)[0].offered
    assert about(store, replace(JANE, identifiers=(Identifier("A99"),))) == []
    assert about(store, replace(JANE, identifiers=(Identifier("77", "ST MARY"),))) == []


def test_what_the_disc_states_otherwise_is_named(store: Store) -> None:
    link(store, waiting(store))
    (said,) = about(store, replace(JANE, birth_date="", names=(PersonName("ROE", "JANE"),)))
    assert said.differs == ("name", "birth_date")
    assert not said.offered
    assert not said.contradicts("1")  # a link under other words asks for nobody
    assert replace(said, judgement=Judgement.NOT_SAME).contradicts(said.local_key)


def test_a_case_has_one_word_on_a_record_and_one_on_the_patient(store: Store) -> None:
    """What it said before gives way; what was refused beside it stands."""
    case = waiting(store)
    with store.begin() as tx:
        tx.decisions.refuse(case, "1", "berta", "two persons")
        tx.decisions.refuse(case, "1", "carla", "two persons")
        tx.decisions.refuse(case, "2", "berta", "two persons")
    link(store, case, "1")
    assert [(m.judgement, m.local_key, m.by) for m in about(store)] == [
        (Judgement.SAME, "1", "berta"),
        (Judgement.NOT_SAME, "2", "berta"),
    ]


def test_what_was_taken_back_cannot_be_taken_back_again(store: Store) -> None:
    link(store, waiting(store))
    (said,) = about(store)
    with store.begin() as tx:
        tx.decisions.revoke(said.id, "berta", "wrong")
    assert about(store) == []
    with pytest.raises(KeyError), store.begin() as tx:
        tx.decisions.revoke(said.id, "berta", "wrong")


def test_a_source_is_asked_once_about_each_case_oldest_first(store: Store) -> None:
    first, second = waiting(store), waiting(store)
    with store.begin() as tx:
        assert tx.sources.unasked("MPI") == first.id
        tx.sources.answered(first, "MPI", [NAMED])
        assert tx.sources.unasked("MPI") == second.id
        tx.sources.passed_over(second.id, "MPI")
        assert tx.sources.unasked("MPI") is None
        assert tx.sources.unasked("RIS") == first.id
    with store.read() as tx:
        assert tx.sources.answers(first.id) == (NAMED,)
        assert tx.sources.answers(second.id) == ()


def test_how_a_source_is_is_known_until_it_works(store: Store, clock: Clock) -> None:
    with store.begin() as tx:
        tx.sources.fails("kiosk-1", "MPI", "it is away", timedelta(seconds=5))
    clock.pass_(60)
    with store.begin() as tx:
        tx.sources.fails("kiosk-1", "MPI", "it is away", timedelta(seconds=10))
        (state,) = tx.sources.failing("kiosk-1")
        assert (state.failures, state.problem) == (2, "it is away")
        assert state.failing_since == "2026-11-24T09:00:00+00:00"
        assert state.due == clock.at.timestamp() + 10
        assert tx.sources.failing("kiosk-2") == ()
        tx.sources.works("kiosk-1", "MPI")
        assert tx.sources.failing("kiosk-1") == ()
        assert [e.kind for e in tx.journal.since(0)] == ["source.fails", "source.works"]


def test_whom_a_register_named_becomes_a_record_once(store: Store) -> None:
    """The feed is not younger by it, and a number that is known is not entered again."""
    with store.begin() as tx:
        entered = tx.roster.enter(NAMED)
        assert entered is not None
        assert entered.key.isdecimal()
        assert entered.identity == NAMED.identity
        assert entered.last_event == "QUERY MPI"
        assert (tx.roster.size(), tx.roster.last_message_at()) == (1, "")
        assert tx.roster.enter(NAMED) is None
        assert tx.roster.get("?0055^HOSP") is None
