"""Other registers only ever add candidates: a local answer stands, and a source that is down holds
nothing up."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kiosk.cli.demonstration import registration
from kiosk.desk import Desk, Operator, Role
from kiosk.engine import revisiting
from kiosk.engine.consulting import asking as consulting
from kiosk.model.matching import Action, Judgement
from kiosk.model.patient import Identifier
from kiosk.model.work import Case, CaseState
from kiosk.policy.sections import Destination
from kiosk.policy.sources import Source
from tests.engine.conftest import ARCHIBALD, Station, policy_for
from tests.engine.test_memory import insert
from tests.peers import free_port
from tests.peers.pdq import Supplier, naming, supplier
from tests.peers.web import web
from tests.peers.wlmscpfs import scheduled, wlmscpfs

PID = (
    f"PID|1||{ARCHIBALD.number}^^^HOSP^MR||{ARCHIBALD.family}^{ARCHIBALD.given}||"
    f"{ARCHIBALD.birth_date}|{ARCHIBALD.sex}"
)
STRANGER = "PID|2||0777^^^HOSP^MR||STRANGER^STEVE||19500101|M"


def use(here: Station, *ports: int, seconds: float = 5.0) -> None:
    ask(
        here,
        *(
            Source(name=f"MPI{n or ''}", kind="pdq", port=port, seconds=seconds)
            for n, port in enumerate(ports)
        ),
    )


def ask(here: Station, *sources: Source) -> None:
    here.use(policy_for(Destination(name="PACS", port=1), source=sources))


@pytest.fixture
def mpi() -> Iterator[Supplier]:
    """Knows Archibald, and names a stranger with him."""
    with supplier(naming(PID, STRANGER)) as running:
        yield running


def desk(here: Station) -> Desk:
    return Desk(here.rows, here.policy, Operator("berta", Role.HIM), lambda: here.at)


def only_candidate(case: Case) -> str:
    assert case.proposal is not None
    (candidate,) = case.proposal.candidates
    return candidate.local.key


def registered(here: Station, who: registration.Registered, trigger: str, number: int) -> None:
    here.pass_(seconds=10)
    here.register(registration._message(trigger, who, "", here.at, number).text)


def test_whom_only_another_register_knows_is_shown_and_needs_a_person(
    here: Station, mpi: Supplier
) -> None:
    """With the source in the evidence; the stranger whom it named too is no candidate. It is asked
    once."""
    use(here, mpi.port)
    intake = insert(here)
    here.work()
    case = here.case(intake)
    assert case.state is CaseState.AWAITING
    assert only_candidate(case) == f"?{ARCHIBALD.number}^HOSP"
    assert case.proposal is not None
    comparison = case.proposal.candidates[0].comparison
    assert "only MPI knows this patient" in comparison.capped_by
    assert [e.words for e in comparison.evidence if e.field == "source"] == [
        "named by MPI, not by our own registration"
    ]
    assert len(mpi.questions) == 1


def test_a_source_is_asked_again_a_day_later_while_a_case_still_waits(here: Station) -> None:
    """Then it may know the patient; an answer that says the same leaves the case as it is."""
    told: list[str] = []
    with supplier(lambda peer, question: naming(*told)(peer, question)) as mpi:
        use(here, mpi.port)
        intake = insert(here)
        here.work()
        assert here.case(intake).proposal is not None
        assert not here.case(intake).proposal.candidates  # type: ignore[union-attr]
        told.append(PID)
        here.pass_(hours=23)
        here.work()
        assert len(mpi.questions) == 1
        here.pass_(hours=2)
        here.work()
        assert only_candidate(here.case(intake)) == f"?{ARCHIBALD.number}^HOSP"
        matched = matchings(here, intake)
        assert matched == 2
        here.pass_(hours=25)
        here.work()
    assert len(mpi.questions) == 3
    assert matchings(here, intake) == matched


def matchings(here: Station, intake: int) -> int:
    with here.rows.read() as tx:
        return len([e for e in tx.journal.of(case=here.case(intake).id) if e.kind == "case.awaits"])


def reopened(here: Station, intake: int) -> list[object]:
    with here.rows.read() as tx:
        events = tx.journal.of(case=here.case(intake).id)
    return [e.data["reason"] for e in events if e.kind == "case.reopened"]


def test_the_snapshot_that_was_shown_stays_in_the_proposal(here: Station, mpi: Supplier) -> None:
    """Explained years later without the source: as it named the patient then."""
    use(here, mpi.port)
    intake = insert(here)
    here.work()
    desk(here).resolve(
        here.case(intake).id, Action.LINK, f"?{ARCHIBALD.number}^HOSP", "asked-patient"
    )
    proposal = here.case(intake).proposal
    assert proposal is not None
    shown = proposal.candidates[0].local
    assert (shown.source, shown.identity.name.family) == ("MPI", ARCHIBALD.family)


def test_who_was_accepted_is_a_roster_patient_from_then_on(here: Station, mpi: Supplier) -> None:
    """Released under the hospital's number; the feed's first word on the number, another name, is
    no overlay but the truth: as nothing is out yet the case is decided anew, and a merge is
    followed."""
    use(here, mpi.port)
    intake = insert(here)
    here.work()
    desk(here).resolve(
        here.case(intake).id, Action.LINK, f"?{ARCHIBALD.number}^HOSP", "asked-patient"
    )
    here.work()
    case = here.case(intake)
    assert case.state is CaseState.RELEASED
    assert case.resolution is not None
    assert case.resolution.local is not None
    assert case.resolution.local.identifier.value == ARCHIBALD.number
    registered(here, replace(ARCHIBALD, family="NEWNAME"), "A08", 950)
    here.work()
    assert reopened(here, intake) == [consulting.NAMED, revisiting.CHANGED]
    survivor = replace(ARCHIBALD, number="0099999", family="NEWNAME")
    registered(here, survivor, "A04", 951)
    here.pass_(seconds=10)
    here.register(registration._message("A40", survivor, ARCHIBALD.number, here.at, 952).text)
    with here.rows.read() as tx:
        local = tx.roster.resolve(Identifier(ARCHIBALD.number, "HOSP"))
    assert local is not None
    assert local.identity.identifier.value == "0099999"


def test_what_the_feed_tells_meanwhile_takes_the_place_of_what_was_named(
    here: Station, mpi: Supplier
) -> None:
    use(here, mpi.port)
    intake = insert(here)
    here.work()
    assert here.case(intake).state is CaseState.AWAITING
    here.register()
    here.work()
    case = here.case(intake)
    assert case.state is CaseState.RELEASED
    assert case.resolution is not None
    assert case.resolution.by == "matcher"


def test_a_local_answer_stands_and_nobody_is_asked(here: Station, mpi: Supplier) -> None:
    use(here, mpi.port)
    here.register()
    intake = insert(here)
    here.work()
    assert here.case(intake).state is CaseState.RELEASED
    assert mpi.questions == []


def test_a_case_that_waits_for_another_reason_is_not_asked_about(
    here: Station, mpi: Supplier
) -> None:
    use(here, mpi.port)
    here.register()
    here.pass_(hours=25)  # the list is too old to decide alone
    intake = insert(here)
    here.work()
    assert here.case(intake).state is CaseState.AWAITING
    assert mpi.questions == []


def test_a_source_that_is_down_changes_nothing_and_is_said(here: Station) -> None:
    """The case waits as it would without; the desk says who does not answer since when."""
    use(here, free_port())
    intake = insert(here)
    here.work()
    without = here.case(intake)
    assert without.state is CaseState.AWAITING
    assert without.proposal is not None
    assert without.proposal.candidates == ()
    (notice,) = [n for n in desk(here).worklist().notices if n.message.id == "KX-505"]
    assert notice.message.values["name"] == "MPI"
    with here.rows.read() as tx:
        kinds = [e.kind for e in tx.journal.since(0)]
    assert kinds.count("source.fails") == 1


def test_a_source_that_fails_is_left_alone_for_longer_and_longer(here: Station) -> None:
    """And asked about what waits once it answers again."""
    down = free_port()
    use(here, down)
    intake = insert(here)
    here.work()
    pauses = []
    for _ in range(4):
        with here.rows.read() as tx:
            (state,) = tx.sources.failing("kiosk-1")
        pauses.append(state.due - here.at.timestamp())
        here.pass_(seconds=pauses[-1] + 1)
        here.work()
    assert pauses[-1] > pauses[0]
    with supplier(naming(PID)) as mpi:
        use(here, mpi.port)
        here.work()
        assert mpi.questions == []  # not before its time
        here.pass_(seconds=100)
        here.work()
    assert only_candidate(here.case(intake)) == f"?{ARCHIBALD.number}^HOSP"
    with here.rows.read() as tx:
        assert tx.sources.failing("kiosk-1") == ()
        assert [e.kind for e in tx.journal.since(0)].count("source.works") == 1


def test_one_source_that_stalls_keeps_no_other_from_being_asked(
    here: Station, mpi: Supplier
) -> None:
    def stall(peer: socket.socket, _question: bytes) -> None:
        peer.recv(1)

    with supplier(stall) as stalling:
        use(here, stalling.port, mpi.port, seconds=0.5)
        intake = insert(here)
        here.work()
    assert only_candidate(here.case(intake)) == f"?{ARCHIBALD.number}^HOSP"


def test_a_patient_whom_two_sources_name_is_one_candidate(here: Station, mpi: Supplier) -> None:
    use(here, mpi.port, mpi.port)
    intake = insert(here)
    here.work()
    assert len(mpi.questions) == 2
    assert only_candidate(here.case(intake)) == f"?{ARCHIBALD.number}^HOSP"


def test_a_refusal_outlives_that_the_feed_tells_of_the_patient(
    here: Station, mpi: Supplier
) -> None:
    """Said of the number, it holds for the record that carries the number later."""
    use(here, mpi.port)
    intake = insert(here)
    here.work()
    desk(here).refuse(here.case(intake).id, f"?{ARCHIBALD.number}^HOSP", "refused-apart")
    here.register()
    here.work()
    case = here.case(intake)
    assert case.state is CaseState.AWAITING
    assert case.proposal is not None
    (said,) = case.proposal.remembered
    assert said.judgement is Judgement.NOT_SAME
    assert said.local_key in {c.local.key for c in case.proposal.candidates}


def test_a_fhir_server_names_candidates_the_same_way(here: Station) -> None:
    resource = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:mrn", "value": ARCHIBALD.number}],
        "name": [{"family": ARCHIBALD.family, "given": [ARCHIBALD.given]}],
    }
    bundle = {"resourceType": "Bundle", "entry": [{"resource": resource}]}
    with web(lambda handler: handler.answer_json(200, bundle)) as server:
        ask(here, Source(name="MPI", kind="fhir", url=server.url, system="urn:mrn"))
        intake = insert(here)
        here.work()
    assert only_candidate(here.case(intake)) == f"?{ARCHIBALD.number}^HOSP"


@pytest.mark.peer("wlmscpfs")
def test_a_worklist_names_candidates_with_their_appointments(here: Station, tmp_path: Path) -> None:
    """So the case is due before the appointment."""
    soon = here.at.astimezone() + timedelta(hours=1)
    name = f"{ARCHIBALD.family}^{ARCHIBALD.given}"
    item = scheduled(
        name,
        ARCHIBALD.number,
        ARCHIBALD.birth_date,
        ARCHIBALD.sex,
        day=f"{soon:%Y%m%d}",
        at=f"{soon:%H%M%S}",
    )
    (tmp_path / "worklist").mkdir()
    with wlmscpfs(tmp_path / "worklist", [item]) as port:
        ask(here, Source(name="RIS", kind="worklist", port=port, seconds=20.0))
        intake = insert(here)
        here.work()
    assert only_candidate(here.case(intake)) == f"?{ARCHIBALD.number}^HOSP"
    (row,) = desk(here).worklist().rows
    assert row.appointment
    assert 40 <= row.due_minutes <= 46
