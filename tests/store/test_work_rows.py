"""Rows are claimed by one worker at a time, move as their tables allow, and tell the journal."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from kiosk import store as rooms
from kiosk.model.content import Catalog, Finding, Ledger, Severity
from kiosk.model.delivery import Answer, Change, InstanceResult
from kiosk.model.matching import Action, Proposal, Recommendation, Resolution
from kiosk.model.medium import ReadReport
from kiosk.model.patient import Identifier
from kiosk.model.work import CaseState, DeliveryState, IllegalMove, IntakeState
from kiosk.store import DestinationState, Held, LeaseLost, Store
from tests.store.conftest import MEDIUM, Clock, patient

HERE = "kiosk-1"
REPORT = ReadReport(MEDIUM, files=3, directories=1, bytes=300)
PROPOSAL = Proposal(Recommendation.ACCEPT, ("same name and birth date",))
LINK = Resolution(Action.LINK, "matcher", "2026-11-24", local_key="7")


def received(store: Store) -> int:
    with store.begin() as tx:
        return tx.intakes.create(MEDIUM, HERE).id


def opened(store: Store, *uids: str) -> int:
    """A case of a cataloged intake."""
    id = received(store)
    with store.begin() as tx:
        _, held = tx.intakes.claim(IntakeState.RECEIVED, HERE, 60)
        tx.intakes.read(held, REPORT)
    with store.begin() as tx:
        _, held = tx.intakes.claim(IntakeState.READ, HERE, 60)
        tx.intakes.cataloged(held, Catalog((patient(*uids),), Ledger(files=3, ok=3)))
        return tx.cases.open(id, patient(*uids))


def released(store: Store, *uids: str, held: dict[int, Held] | None = None) -> tuple[int, int]:
    """A released case and its one delivery."""
    case = opened(store, *uids)
    with store.begin() as tx:
        _, lease = tx.cases.claim(CaseState.OPEN, HERE, 60)
        tx.cases.matched(lease, PROPOSAL, LINK, ())
    with store.begin() as tx:
        _, lease = tx.cases.claim(CaseState.RESOLVED, HERE, 60)
        ((row, study),) = tx.cases.studies(case)
        delivery = tx.deliveries.queue(case, row, study.study_instance_uid, "PACS", held)
        tx.cases.released(lease, 1, LINK)
    return case, delivery


def test_a_row_is_given_to_one_worker_only(store: Store) -> None:
    received(store)
    with store.begin() as tx:
        assert tx.intakes.claim(IntakeState.RECEIVED, HERE, 60)
    with store.begin() as tx:
        assert tx.intakes.claim(IntakeState.RECEIVED, HERE, 60) is None


def test_bytes_stay_where_they_were_read(store: Store) -> None:
    received(store)
    with store.begin() as tx:
        assert tx.intakes.claim(IntakeState.RECEIVED, "another-kiosk", 60) is None


def test_a_dead_workers_row_is_claimed_again_when_its_lease_ends(
    store: Store, clock: Clock
) -> None:
    received(store)
    with store.begin() as tx:
        tx.intakes.claim(IntakeState.RECEIVED, HERE, 60)
    clock.pass_(61)
    with store.begin() as tx:
        _, lease = tx.intakes.claim(IntakeState.RECEIVED, HERE, 60)
    assert lease.tries == 2


def test_the_next_start_frees_what_a_dead_engine_held(store: Store) -> None:
    received(store)
    with store.begin() as tx:
        tx.intakes.claim(IntakeState.RECEIVED, HERE, 3600)
    with store.begin() as tx:
        tx.intakes.free(HERE)
    with store.begin() as tx:
        assert tx.intakes.claim(IntakeState.RECEIVED, HERE, 60)


def test_a_late_result_is_refused(store: Store, clock: Clock) -> None:
    """Fault 78: the lease expired while its slow worker lived; the other run's result counts."""
    received(store)
    with store.begin() as tx:
        _, late = tx.intakes.claim(IntakeState.RECEIVED, HERE, 60)
    clock.pass_(61)
    with store.begin() as tx:
        _, newer = tx.intakes.claim(IntakeState.RECEIVED, HERE, 60)
    with pytest.raises(LeaseLost), store.begin() as tx:
        tx.intakes.read(late, REPORT)
    with store.begin() as tx:
        tx.intakes.read(newer, REPORT)


def test_a_kept_lease_does_not_expire(store: Store, clock: Clock) -> None:
    received(store)
    with store.begin() as tx:
        _, lease = tx.intakes.claim(IntakeState.RECEIVED, HERE, 60)
    clock.pass_(59)
    with store.begin() as tx:
        tx.intakes.extend(lease, 60)
    clock.pass_(59)
    with store.begin() as tx:
        assert tx.intakes.claim(IntakeState.RECEIVED, HERE, 60) is None


def test_state_result_and_journal_line_are_one_transaction(store: Store) -> None:
    id = received(store)

    def read_until_the_power_goes() -> None:
        with store.begin() as tx:
            _, lease = tx.intakes.claim(IntakeState.RECEIVED, HERE, 60)
            tx.intakes.read(lease, REPORT)
            raise RuntimeError("power")

    with pytest.raises(RuntimeError, match="power"):
        read_until_the_power_goes()
    with store.read() as tx:
        assert tx.intakes.get(id).state is IntakeState.RECEIVED
        assert [e.kind for e in tx.journal.since(0)] == ["intake.received"]


def test_what_the_catalog_stated_comes_back_as_it_was(store: Store) -> None:
    case = opened(store, "1.1", "1.2")
    with store.read() as tx:
        assert tx.cases.patient(tx.cases.get(case)) == patient("1.1", "1.2")


def test_a_case_without_a_resolution_waits_with_the_reasons(store: Store) -> None:
    case = opened(store, "1.1")
    with store.begin() as tx:
        _, lease = tx.cases.claim(CaseState.OPEN, HERE, 60)
        tx.cases.matched(lease, PROPOSAL, None, ("the birth date differs",))
    with store.read() as tx:
        waiting = tx.cases.in_state(CaseState.AWAITING)
    assert [c.id for c in waiting] == [case]
    assert waiting[0].reasons == ("the birth date differs",)


def test_a_decided_case_cannot_be_decided_again(store: Store) -> None:
    case, _ = released(store, "1.1")
    with pytest.raises(IllegalMove), store.begin() as tx:
        tx.cases.resolve(case, LINK)


def test_scans_that_are_not_ours_are_never_released(store: Store) -> None:
    case = opened(store, "1.1")
    with store.begin() as tx:
        _, lease = tx.cases.claim(CaseState.OPEN, HERE, 60)
        tx.cases.matched(lease, PROPOSAL, None, ("x",))
    with store.begin() as tx:
        tx.cases.resolve(case, Resolution(Action.NOT_OURS, "him", "now", "another hospital's"))
        tx.end_case(case)
    with store.read() as tx:
        assert tx.cases.get(case).state is CaseState.REJECTED
        assert tx.intakes.get(tx.cases.get(case).intake).state is IntakeState.CLOSED
        assert tx.deliveries.of_case(case) == ()


def test_a_case_has_one_owner_for_a_quarter_of_an_hour(store: Store, clock: Clock) -> None:
    case = opened(store, "1.1")
    with store.begin() as tx:
        assert tx.cases.assign(case, "ann")
        assert not tx.cases.assign(case, "bob")
        assert tx.cases.assign(case, "ann")
    clock.pass_(15 * 60 + 1)
    with store.begin() as tx:
        assert tx.cases.assign(case, "bob")


def test_queuing_a_study_twice_gives_the_delivery_that_is_there(store: Store) -> None:
    case, delivery = released(store, "1.1")
    with store.begin() as tx:
        ((row, study),) = tx.cases.studies(case)
        assert tx.deliveries.queue(case, row, study.study_instance_uid, "PACS") == delivery


def test_a_held_instance_is_listed_and_never_to_be_sent(store: Store) -> None:
    _, delivery = released(store, "1.1", "1.2", held={1: Held("It is damaged.")})
    with store.read() as tx:
        to_send = tx.deliveries.results(delivery, Answer.PENDING)
        ((instance, result),) = tx.deliveries.results(delivery, Answer.HELD)
    assert [i.sop_instance_uid for i, _ in to_send] == ["1.1"]
    assert (instance.sop_instance_uid, result.comment) == ("1.2", "It is damaged.")


def test_answers_are_kept_instance_by_instance(store: Store) -> None:
    _, delivery = released(store, "1.1", "1.2")
    change = Change("(0010,0020)", "PatientID", "A99", "0012345")
    with store.begin() as tx:
        accepted = InstanceResult("1.1", Answer.ACCEPTED, 0, changes=(change,))
        tx.deliveries.record(delivery, [accepted])
        tx.deliveries.record(delivery, [InstanceResult("1.2", Answer.RETRY, 0xA700, "full")])
    with store.read() as tx:
        assert tx.deliveries.counts(delivery) == {Answer.ACCEPTED: 1, Answer.RETRY: 1}
        ((_, result),) = tx.deliveries.results(delivery, Answer.ACCEPTED)
        assert result.changes == (change,)
        assert tx.deliveries.tries(delivery) == {"1.1": 1, "1.2": 1}


def test_the_last_proof_ends_delivery_case_and_intake_together(store: Store) -> None:
    case, _ = released(store, "1.1")
    with store.begin() as tx:
        _, lease = tx.deliveries.claim(DeliveryState.QUEUED, "PACS", HERE, 60)
        tx.deliveries.move(lease, DeliveryState.SENT)
    with store.begin() as tx:
        _, lease = tx.deliveries.claim(DeliveryState.SENT, "PACS", HERE, 60)
        tx.deliveries.move(lease, DeliveryState.COMMITTED, verify_level=2)
        tx.end_case(case)
    with store.read() as tx:
        assert tx.cases.get(case).state is CaseState.DONE
        assert tx.intakes.get(tx.cases.get(case).intake).state is IntakeState.CLOSED


def test_a_paused_or_failing_destination_gives_nothing_out(store: Store, clock: Clock) -> None:
    released(store, "1.1")
    later = clock.at + timedelta(minutes=5)
    with store.begin() as tx:
        tx.destinations.put(HERE, DestinationState("PACS", due=later.timestamp()))
        assert tx.deliveries.claim(DeliveryState.QUEUED, "PACS", HERE, 60) is None
    clock.pass_(301)
    with store.begin() as tx:
        tx.destinations.put(HERE, DestinationState("PACS", paused=True))
        assert tx.deliveries.claim(DeliveryState.QUEUED, "PACS", HERE, 60) is None
        tx.destinations.put(HERE, DestinationState("PACS"))
        assert tx.deliveries.claim(DeliveryState.QUEUED, "PACS", HERE, 60)


def test_a_person_can_put_a_held_delivery_back_into_the_queue(store: Store) -> None:
    _, delivery = released(store, "1.1")
    with store.begin() as tx:
        _, lease = tx.deliveries.claim(DeliveryState.QUEUED, "PACS", HERE, 60)
        tx.deliveries.move(lease, DeliveryState.HELD, problem="another version there")
    with store.begin() as tx:
        tx.deliveries.retry(delivery, "it")
        assert tx.deliveries.get(delivery).state is DeliveryState.QUEUED


def test_a_journal_that_was_changed_names_its_first_broken_line(store: Store) -> None:
    released(store, "1.1")
    with store.begin() as tx:
        assert tx.journal.first_broken() is None
        tx.connection.execute(text("UPDATE journal SET actor = 'nobody' WHERE id = 3"))
    with store.read() as tx:
        assert tx.journal.first_broken() == 3


def test_a_removed_journal_line_is_noticed(store: Store) -> None:
    released(store, "1.1")
    with store.begin() as tx:
        tx.connection.execute(text("DELETE FROM journal WHERE id = 2"))
        assert tx.journal.first_broken() == 3


def test_a_journal_line_holds_no_patient(store: Store) -> None:
    released(store, "1.1")
    with store.read() as tx:
        lines = " ".join(str(e.data) for e in tx.journal.since(0))
    assert "DOE" not in lines
    assert "A99" not in lines


def test_a_picked_patient_stays_with_the_intake(store: Store) -> None:
    case = opened(store, "1.1")
    with store.begin() as tx:
        tx.intakes.pick(tx.cases.get(case).intake, Identifier("0012345", "HOSP"), "ann")
        assert tx.cases.get(case).picked == Identifier("0012345", "HOSP")


def test_a_refused_medium_keeps_ledger_and_findings(store: Store) -> None:
    id = received(store)
    finding = Finding("no-dicom", Severity.ERROR, detail="There are no scans on this disc.")
    with store.begin() as tx:
        _, lease = tx.intakes.claim(IntakeState.RECEIVED, HERE, 60)
        tx.intakes.read(lease, REPORT)
        _, lease = tx.intakes.claim(IntakeState.READ, HERE, 60)
        tx.intakes.reject(
            lease, Catalog((), Ledger(files=1, other=1), findings=(finding,)), finding
        )
    with store.read() as tx:
        assert tx.intakes.get(id).failure == finding
        assert tx.intakes.ledger(id) == Ledger(files=1, other=1)
        assert tx.intakes.findings(id) == (finding,)


def test_a_newer_programs_database_is_refused_unchanged(store: Store, url: str) -> None:
    with store.begin() as tx:
        tx.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(rooms.StoreUnusable, match="newer version"):
        rooms.open(
            url,
            keys_of=lambda _: frozenset(),
            name_keys_of=lambda _: frozenset(),
        )
