"""The hospital's registration of a patient changes after a case was released: what no archive has
yet goes out under what is true now, never under what was superseded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.cli.demonstration import registration
from kiosk.desk import Desk, Operator, Refused, Role
from kiosk.engine import delivering, pipeline
from kiosk.engine.revisiting import CHANGED_AFTER_SENDING, revisit
from kiosk.model.delivery import Answer
from kiosk.model.work import CaseState, DeliveryState
from kiosk.policy.sections import Destination
from tests.engine.conftest import ARCHIBALD, Station, policy_for
from tests.peers.scripted import Conversation, Scripted, asks_nothing, scripted

SURVIVOR = replace(ARCHIBALD, number="0099998")
Behaviour = Callable[[int, Conversation], None]


@contextmanager
def archive(
    here: Station, behaviour: Behaviour = lambda number, conversation: None
) -> Iterator[tuple[Scripted, list[str]]]:
    """An archive that says yes, after `behaviour`; and the Patient ID of each image it took."""
    numbers: list[str] = []

    def answers(number: int, conversation: Conversation) -> None:
        behaviour(number, conversation)
        found = re.search(rb"\x10\x00\x20\x00LO..([0-9]+)", conversation.data)
        numbers.append(found[1].decode() if found else "")
        conversation.answer(0)

    with scripted(answers, on_associate=asks_nothing) as peer:
        target = Destination(
            name="PACS", port=peer.port, ae_title="SCRIPTED", commitment=False, verify_level=0
        )
        here.use(policy_for(target))
        here.register()
        yield peer, numbers


def merged(here: Station) -> None:
    """A40: Archibald's number becomes another record's."""
    here.pass_(seconds=10)
    here.register(registration._message("A04", SURVIVOR, "", here.at, 902).text)
    message = registration._message("A40", SURVIVOR, ARCHIBALD.number, here.at, 903)
    here.register(message.text)


def released(here: Station, image: Path) -> int:
    intake = here.insert(image)
    for step in (pipeline.READ, pipeline.CATALOG, pipeline.MATCH, pipeline.RELEASE):
        assert here.engine._take(step)
    assert here.case(intake).state is CaseState.RELEASED
    return intake


def desk(here: Station, role: Role = Role.HIM) -> Desk:
    return Desk(here.rows, here.policy, Operator("bea", role), lambda: here.at)


def test_a_merge_between_the_release_and_the_first_byte_sends_under_the_survivor(
    here: Station, known: Path
) -> None:
    """IDENTITY 5: what is not sent, its decision changes."""
    with archive(here) as (_, numbers):
        intake = released(here, known)
        merged(here)
        here.work()
        assert numbers == [SURVIVOR.number] * 7
        case = here.case(intake)
        assert case.state is CaseState.DONE
        assert case.resolution is not None
        assert case.resolution.local is not None
        assert case.resolution.local.identifier.value == SURVIVOR.number
        assert here.withdrawals(intake) == ()


def test_a_sender_that_has_its_row_already_sends_nothing_of_what_changed(
    here: Station, known: Path
) -> None:
    """The feed was faster than the look at its changes."""
    with archive(here) as (peer, numbers):
        released(here, known)
        with here.rows.claiming() as tx:
            claimed = tx.deliveries.claim(DeliveryState.QUEUED, "PACS", "kiosk-1", 60.0)
        assert claimed is not None
        merged(here)
        settlement = delivering.send(here.engine.site, claimed[0], lambda: False)
        with here.rows.begin() as tx:
            settlement(tx, claimed[1])
        assert peer.received == []
        here.work()
        assert set(numbers) == {SURVIVOR.number}


def test_an_archive_that_was_down_meanwhile_has_nothing_to_be_taken_back(
    here: Station, known: Path
) -> None:
    """An attempt that reached nobody is no first byte: the case decides itself anew."""
    here.register()
    intake = here.insert(known)
    here.work()
    assert here.deliveries(intake)[0].attempts == 1
    merged(here)
    here.work()
    case = here.case(intake)
    assert case.state is CaseState.RELEASED
    assert case.resolution is not None
    assert case.resolution.local is not None
    assert case.resolution.local.identifier.value == SURVIVOR.number
    assert case.reasons == ()


@pytest.fixture
def partly(here: Station, known: Path) -> Iterator[tuple[int, list[str]]]:
    """Two images are out when the registration changes; the archive ends the association there and
    stays away until the registration has changed."""

    def interrupts(number: int, conversation: Conversation) -> None:
        if number == 3:
            merged(here)
            revisit(here.engine.site)
            conversation.abort()

    with archive(here, interrupts) as (_, numbers):
        intake = here.insert(known)
        here.work()
        yield intake, numbers


def test_a_change_while_it_is_sent_stops_the_rest_and_asks_a_person(
    here: Station, partly: tuple[int, list[str]]
) -> None:
    intake, numbers = partly
    here.pass_(hours=1)
    here.work()
    assert len(numbers) == 2
    assert set(numbers) == {ARCHIBALD.number}
    case = here.case(intake)
    assert (case.state, case.reasons) == (CaseState.RELEASED, (CHANGED_AFTER_SENDING,))
    assert all(d.withheld for d in here.deliveries(intake))
    with here.rows.read() as tx:
        assert tx.recalls.flagged() == (case.id,)
    with pytest.raises(Refused) as refusal:
        desk(here, Role.IT).retry(here.deliveries(intake)[0].id)
    assert refusal.value.message.id == "KX-447"


def test_the_rest_goes_out_as_the_registration_is_now_when_a_person_leaves_what_was_sent(
    here: Station, partly: tuple[int, list[str]]
) -> None:
    """The archive follows the hospital's own merge with what it has."""
    intake, numbers = partly
    desk(here).keep_sent(here.case(intake).id, "the same man, one number")
    here.pass_(hours=1)
    here.work()
    assert numbers[2:] == [SURVIVOR.number] * 5
    assert here.case(intake).state is CaseState.DONE
    assert {r.answer for d in here.deliveries(intake) for r in here.results(d)} == {Answer.ACCEPTED}


def test_what_is_out_is_taken_back_and_the_rest_never_goes_out_when_a_person_recalls_it(
    here: Station, partly: tuple[int, list[str]]
) -> None:
    intake, numbers = partly
    with here.rows.begin() as tx:
        tx.recall(here.case(intake), "113037", "lead", {"reason": "not the same man"})
    here.pass_(hours=1)
    here.work()
    assert here.case(intake).state is CaseState.AWAITING
    (note,) = numbers[2:]
    assert note == ARCHIBALD.number  # the rejection note, in the words that went out


def test_what_a_person_agreed_to_is_no_change_any_more(here: Station, known: Path) -> None:
    """Fault 77: what is sent is sent, and a person must look. A second change is asked about
    again."""
    with archive(here):
        intake = here.insert(known)
        here.work()
        assert here.case(intake).state is CaseState.DONE
        merged(here)
        here.work()
        assert here.case(intake).reasons == (CHANGED_AFTER_SENDING,)
        desk(here).keep_sent(here.case(intake).id, "the same man, one number")
        here.pass_(seconds=10)
        moved = replace(SURVIVOR, telephone="555-0199")
        here.register(registration._message("A08", moved, "", here.at, 904).text)
        here.work()
        assert here.case(intake).reasons == ()
        here.pass_(seconds=10)
        renamed = replace(SURVIVOR, family="DOYLE")
        here.register(registration._message("A08", renamed, "", here.at, 905).text)
        here.work()
        assert here.case(intake).reasons == (CHANGED_AFTER_SENDING,)


def test_whatever_was_sent_since_a_merge_is_looked_at_when_that_is_undone(
    here: Station, known: Path
) -> None:
    """A37: the scans may be either one's, and nobody but a person can say whose."""
    with archive(here) as (_, numbers):
        merged(here)
        intake = here.insert(known)
        here.work()
        assert numbers == [SURVIVOR.number] * 7
        here.pass_(seconds=10)
        both, prior = (
            registration._message("A04", who, "", here.at, 906)
            .text.replace("A04", "A37")
            .replace("ADT_A01", "ADT_A37")
            for who in (SURVIVOR, ARCHIBALD)
        )
        (pid,) = [line for line in prior.split("\r") if line.startswith("PID")]
        print(here.case(intake).resolution)
        here.register(both + pid + "\r")
        with here.rows.read() as tx:
            print(
                tx.roster.survivor(here.case(intake).resolution.local_key),
                tx.roster.changes_since(0),
            )
        here.work()
        assert here.case(intake).reasons == (CHANGED_AFTER_SENDING,)


def renamed(here: Station, family: str, number: int) -> None:
    """A08: Archibald's family name."""
    here.pass_(seconds=10)
    who = replace(ARCHIBALD, family=family)
    here.register(registration._message("A08", who, "", here.at, number).text)


def test_what_was_queued_since_a_person_was_asked_is_withheld_by_the_next_change(
    here: Station, known: Path
) -> None:
    """The change was taken back before triage let the second study go; then it came again, and the
    person has not answered yet."""
    with archive(here) as (_, numbers):
        rule = {"then": "triage", "when": {"modality": ["CT"]}}
        here.use(policy_for(*here.policy.destination, relevance={"rule": [rule]}))
        intake = here.insert(known)
        here.work()
        out = len(numbers)
        assert 0 < out < 7
        renamed(here, "DOYLE", 907)
        here.work()
        assert here.case(intake).reasons == (CHANGED_AFTER_SENDING,)
        renamed(here, ARCHIBALD.family, 908)
        here.work()
        with here.rows.read() as tx:
            waits = tx.choices.of_case(here.case(intake).id)[1].study
        desk(here).accept(waits)
        assert here.engine._take(pipeline.LATE)
        renamed(here, "DOYLE", 909)
        here.work()
        assert len(numbers) == out
        assert here.deliveries(intake)[1].withheld
        assert here.case(intake).reasons == (CHANGED_AFTER_SENDING,)
