"""What people said before keeps the matcher from accepting against it, and changes nothing else."""

from __future__ import annotations

import pytest

from kiosk import identity
from kiosk.desk import Desk, Operator, Role
from kiosk.engine import casework
from kiosk.model.content import Catalog, StatedPatient
from kiosk.model.matching import Action, Judgement, Recommendation, Resolution
from kiosk.model.medium import Medium, MediumKind, ReadReport
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.model.work import CaseState, IntakeState
from kiosk.policy.sections import Identity
from tests.engine.conftest import ARCHIBALD, PETER, Station


def insert(here: Station, number: str = "A100", issuer: str = "ST MARY") -> int:
    """A disc, read and cataloged, that the matcher links to the registered Archibald by itself."""
    stated = PatientIdentity(
        (Identifier(number, issuer),),
        (PersonName(ARCHIBALD.family, ARCHIBALD.given),),
        ARCHIBALD.birth_date,
        ARCHIBALD.sex,
    )
    station = here.policy.site.station
    with here.rows.begin() as tx:
        medium = Medium(MediumKind.IMAGE, "/nowhere")
        id = tx.intakes.create(medium, station, "tester").id
        _, held = tx.intakes.claim(IntakeState.RECEIVED, station, 60)
        tx.intakes.read(held, ReadReport(medium, 1, 0, 1))
        _, held = tx.intakes.claim(IntakeState.READ, station, 60)
        tx.intakes.cataloged(held, Catalog())
        tx.cases.open(id, StatedPatient(stated))
    return id


def key_of(here: Station, number: str) -> str:
    with here.rows.read() as tx:
        local = tx.roster.resolve(Identifier(number, "HOSP"))
    assert local is not None
    return local.key


def say(here: Station, intake: int, action: Action, number: str = "") -> None:
    """HIM decides the case of this intake."""
    case = here.case(intake)
    with here.rows.begin() as tx:
        local = tx.roster.resolve(Identifier(number, "HOSP")) if number else None
        chosen = (local.identity, local.key) if local else (None, "")
        tx.cases.resolve(case.id, Resolution(action, "berta", "2026-11-24", "asked", *chosen))


@pytest.fixture
def waiting(here: Station) -> int:
    """A case of the foreign identity, waiting because the list of patients was empty."""
    intake = insert(here)
    here.work()
    assert here.case(intake).state is CaseState.AWAITING
    return intake


def refuse(here: Station, intake: int, number: str) -> None:
    with here.rows.begin() as tx:
        case = here.case(intake)
        tx.decisions.refuse(case, key_of(here, number), "berta", "known to be two persons")


def test_a_refused_candidate_is_never_accepted_for_that_identity(
    here: Station, waiting: int
) -> None:
    """However well everything agrees; for another foreign identity nothing has changed."""
    here.pass_(hours=25)
    here.register()
    here.pass_(hours=25)  # an old list: the first case goes on waiting
    here.work()
    refuse(here, waiting, ARCHIBALD.number)
    here.register()
    here.work()
    case = here.case(waiting)
    assert case.proposal is not None
    assert case.proposal.recommendation is Recommendation.ACCEPT
    assert case.reasons == (casework.REFUSED_BEFORE,)
    other = insert(here, "A200")
    here.work()
    assert here.case(other).reasons == ()


@pytest.mark.parametrize(
    ("action", "number"), [(Action.LINK, PETER.number), (Action.IMPORT_ONLY, "")]
)
def test_against_an_earlier_decision_nobody_is_accepted(
    here: Station, action: Action, number: str
) -> None:
    """Another patient, or nobody, was the answer before: a person must look at what differs."""
    first = insert(here)
    here.work()
    here.register()
    say(here, first, action, number)
    second = insert(here)
    here.work()
    case = here.case(second)
    assert case.reasons == (casework.OTHERWISE_BEFORE,)
    assert case.proposal is not None
    assert [m.judgement for m in case.proposal.remembered] == [
        Judgement.SAME if number else Judgement.NOBODY
    ]


def test_the_same_decision_as_before_holds_nothing_up(here: Station) -> None:
    """What the matcher finds by itself needs nobody because somebody found it before."""
    first = insert(here)
    here.work()
    here.register()
    say(here, first, Action.LINK, ARCHIBALD.number)
    second = insert(here)
    here.work()
    case = here.case(second)
    assert case.state is CaseState.RELEASED
    assert case.resolution is not None
    assert case.resolution.by == "matcher"
    assert case.proposal is not None
    assert [m.by for m in case.proposal.remembered] == ["berta"]


def test_whom_a_person_chose_is_a_candidate_again_however_unlike(here: Station) -> None:
    first = insert(here)
    here.work()
    here.register()
    say(here, first, Action.LINK, PETER.number)
    second = insert(here)
    here.work()
    proposal = here.case(second).proposal
    assert proposal is not None
    assert key_of(here, PETER.number) in {c.local.key for c in proposal.candidates}


def test_whom_a_person_chose_can_be_picked_however_many_others_fit_better(here: Station) -> None:
    """It comes after the list that the policy is content with, is decided by a person, and its
    probability is recomputed from the record like the others'."""
    settings = Identity(candidates=1)
    first = insert(here)
    here.work()
    here.register()
    say(here, first, Action.LINK, PETER.number)
    here.use(here.policy.model_copy(update={"identity": settings}))
    second = insert(here)
    here.work()
    case = here.case(second)
    assert case.state is CaseState.AWAITING
    assert case.proposal is not None
    keys = [c.local.key for c in case.proposal.candidates]
    assert keys == [key_of(here, ARCHIBALD.number), key_of(here, PETER.number)]
    said = tuple(c.probability for c in case.proposal.candidates)
    assert identity.recompute(case.proposal) == said
    desk = Desk(here.rows, here.policy, Operator("berta", Role.HIM), lambda: here.at)
    desk.resolve(case.id, Action.LINK, keys[1], "asked-patient")
    resolution = here.case(second).resolution
    assert resolution is not None
    assert resolution.local_key == keys[1]


def test_taking_a_decision_back_lets_the_matcher_decide_again(here: Station) -> None:
    """The case that waited for nothing but the contradiction goes on by itself."""
    first = insert(here)
    here.work()
    here.register()
    say(here, first, Action.IMPORT_ONLY)
    second = insert(here)
    here.work()
    assert here.case(second).reasons == (casework.OTHERWISE_BEFORE,)
    desk = Desk(here.rows, here.policy, Operator("berta", Role.HIM), lambda: here.at)
    (said,) = desk.compare(here.case(second).id).earlier
    desk.revoke(here.case(second).id, said.id, "registered since")
    here.work()
    assert here.case(second).state is CaseState.RELEASED
