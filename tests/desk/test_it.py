"""What IT sees: deliveries and health."""

from __future__ import annotations

import pytest

from kiosk.desk import Refused, Role
from kiosk.desk.snapshots import Mood, Stage
from kiosk.desk.views.rows import sent_line
from kiosk.model.content import StatedPatient
from kiosk.model.delivery import Answer, InstanceResult
from kiosk.model.patient import PersonName
from kiosk.model.work import DeliveryState
from kiosk.store import DestinationState
from tests.desk.conftest import JANE, STATION, World, study


@pytest.fixture
def delivery(world: World) -> int:
    """One study of three images, queued for the archive."""
    world.register("0012345", PersonName("DOE", "JANE"), "19620314", "F")
    world.insert()
    world.catalog(StatedPatient(JANE, (study("1.2.3", 3),)))
    world.match()
    (queued,) = world.release()
    return queued


def test_a_waiting_study_has_its_age(world: World, delivery: int) -> None:
    """The oldest of each archive, right across a clock that was set back."""
    world.wait(minutes=34)
    (line,) = world.desk(Role.IT).deliveries().destinations
    assert (line.name, line.queue, line.oldest_seconds) == ("PACS", 1, 34 * 60)
    world.wait(hours=-2)
    assert world.desk(Role.IT).deliveries().destinations[0].oldest_seconds == 0


def test_an_archive_that_does_not_answer_stands_out(world: World, delivery: int) -> None:
    """With what it said, and when it is tried again."""
    state = DestinationState("PACS", False, world.at.isoformat(), 3, "no answer", 1.0)
    with world.store.begin() as tx:
        tx.destinations.put(STATION, state)
    (line,) = world.desk(Role.IT).deliveries().destinations
    assert (line.mood, line.problem) == (Mood.STOP, "no answer")
    assert line.next_try_at


def test_a_partly_sent_study_is_visible_with_its_answer(world: World, delivery: int) -> None:
    """2 of 3, and the sentence that the archive gave for the third."""
    world.answer(delivery, Answer.REFUSED, 3, "cannot understand")
    world.answer(delivery, Answer.ACCEPTED, 2)
    world.move(DeliveryState.HELD)
    (row,) = world.desk(Role.IT).deliveries().rows
    assert (row.study.stage, row.study.received, row.study.refused) == (Stage.PARTLY, 2, 1)
    assert row.problem == "cannot understand"


def test_retry_puts_a_held_study_back_and_twice_changes_nothing_twice(
    world: World, delivery: int
) -> None:
    """HELD to QUEUED once; the second is the same state."""
    world.move(DeliveryState.HELD, "full")
    desk = world.desk(Role.IT)
    for _ in range(2):
        desk.retry(delivery)
        with world.store.read() as tx:
            assert tx.deliveries.get(delivery).state is DeliveryState.QUEUED


def test_what_was_proved_is_not_sent_again(world: World, delivery: int) -> None:
    """KX-429."""
    world.move(DeliveryState.SENT)
    world.answer(delivery, Answer.VERIFIED, 3)
    world.move(DeliveryState.COMMITTED)
    with pytest.raises(Refused) as refused:
        world.desk(Role.IT).retry(delivery)
    assert refused.value.message.id == "KX-429"


def test_health_is_what_was_last_looked_at_worst_first(world: World) -> None:
    """Looking takes seconds, so it is a command; the query repeats what it found."""
    desk = world.desk(Role.IT)
    assert (desk.health().at, desk.health().overall) == ("", Mood.BUSY)
    desk.check()
    assert [line.mood for line in desk.health().lines] == [Mood.CARE, Mood.GOOD]
    assert desk.health().overall is Mood.CARE


def test_the_pulse_changes_with_every_journal_line_progress_and_minute(world: World) -> None:
    """So that a screen is read again exactly when it may differ."""
    desk = world.desk()
    beats = [desk.pulse()]
    intake = world.insert()
    beats.append(desk.pulse())
    world.progress(intake, 1, 10)
    beats.append(desk.pulse())
    assert desk.pulse() == beats[-1]
    world.wait(minutes=1)
    beats.append(desk.pulse())
    assert len(set(beats)) == 4


def test_it_pauses_an_archive_and_lets_it_go_on(world: World, delivery: int) -> None:
    """Twice changes nothing twice; a pause is no failure, and going on forgets the failures."""
    desk = world.desk(Role.IT)
    for _ in range(2):
        desk.pause("PACS")
    (line,) = desk.deliveries().destinations
    assert (line.paused, line.mood) == (True, Mood.IDLE)
    with world.store.begin() as tx:
        assert tx.deliveries.claim(DeliveryState.QUEUED, "PACS", STATION, 60) is None
    for _ in range(2):
        desk.resume("PACS")
    (line,) = desk.deliveries().destinations
    assert (line.paused, line.mood) == (False, Mood.BUSY)
    with world.store.read() as tx:
        kinds = [e.kind for e in tx.journal.since(0) if e.kind.startswith("destination.")]
    assert kinds == ["destination.paused", "destination.resumed"]


def test_an_archive_that_is_not_configured_cannot_be_paused(world: World) -> None:
    with pytest.raises(Refused) as refusal:
        world.desk(Role.IT).pause("ELSEWHERE")
    assert refusal.value.message.id == "KX-439"


def test_of_two_archives_what_both_have_is_received(world: World, delivery: int) -> None:
    """Each has two of three images, and they share one."""
    with world.store.begin() as tx:
        first = tx.deliveries.get(delivery)
        study_row = tx.deliveries.study_of(delivery)
        uid = first.study_instance_uid
        second = tx.deliveries.queue(first.case, study_row, uid, "VNA")
        uids = [i.sop_instance_uid for i, _ in tx.deliveries.results(delivery)]
        for id, taken in ((delivery, uids[:2]), (second, uids[1:])):
            tx.deliveries.record(id, [InstanceResult(u, Answer.ACCEPTED, 0) for u in taken])
        line = sent_line(tx, tx.cases.outline(study_row), tx.deliveries.of_case(first.case))
    assert (line.images, line.received, line.checked) == (3, 1, 0)
