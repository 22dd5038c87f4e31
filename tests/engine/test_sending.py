"""Sending and proving against real archives, and against a peer that lies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from kiosk.cli.demonstration import registration
from kiosk.model.delivery import Answer
from kiosk.model.work import CaseState, DeliveryState, IntakeState
from kiosk.policy.sections import Destination
from tests.engine.conftest import ARCHIBALD, Station, policy_for
from tests.peers.orthanc import Orthanc, orthanc
from tests.peers.scripted import Conversation, Scripted, scripted


def target(peer: Orthanc | Scripted, **more: Any) -> Destination:
    return Destination(name="PACS", host=peer.host, port=peer.port, ae_title="ORTHANC", **more)


def folder(tmp_path: Path) -> Path:
    own = tmp_path / "archive"
    own.mkdir()
    return own


def test_proved_means_that_the_archive_said_so_itself(
    here: Station, known: Path, tmp_path: Path
) -> None:
    with orthanc(folder(tmp_path)) as archive:
        here.use(policy_for(target(archive)))
        here.register()
        intake = here.insert(known)
        here.work()
        assert {d.state for d in here.deliveries(intake)} == {DeliveryState.COMMITTED}
        assert {d.verify_level for d in here.deliveries(intake)} == {2}
        assert len(archive.json("/instances")) == 7
        (patient,) = archive.json("/patients?expand")
        assert patient["MainDicomTags"]["PatientID"] == ARCHIBALD.number
    assert here.case(intake).state is CaseState.DONE
    with here.rows.read() as tx:
        assert tx.intakes.get(intake).state is IntakeState.CLOSED


def test_the_same_disc_again_changes_nothing_there(
    here: Station, known: Path, tmp_path: Path
) -> None:
    """I3: sending again changes nothing at the destination."""
    with orthanc(folder(tmp_path)) as archive:
        here.use(policy_for(target(archive)))
        here.register()
        here.insert(known)
        here.work()
        before = archive.data_sets()
        again = here.insert(known)
        here.work()
        assert archive.data_sets().keys() == before.keys()
    assert here.case(again).state is CaseState.DONE


def test_another_version_in_the_archive_is_held_for_a_person(
    here: Station, known: Path, unsure: Path, tmp_path: Path
) -> None:
    """Fault 28: the archive keeps old content under the same UIDs, answers 0000 and commits."""
    with orthanc(folder(tmp_path)) as archive:
        here.use(policy_for(target(archive)))
        here.register()
        first = here.insert(unsure)
        here.work()
        here.decide(first, "0051377")
        here.work()
        second = here.insert(unsure)
        here.work()
        here.decide(second, "0068802")  # the other man of that name
        here.work()
    held = here.deliveries(second)
    assert {d.state for d in held} == {DeliveryState.HELD}
    assert all("another version" in d.problem for d in held)
    assert here.case(second).state is CaseState.RELEASED


def lies(_count: int, conversation: Conversation) -> None:
    """Status 0000, and nothing is kept: this peer knows no C-FIND at all."""
    conversation.answer(0x0000)


def test_a_peers_yes_alone_is_never_shown_as_proved(here: Station, known: Path) -> None:
    """Fault 27: 0000 and nothing stored."""
    with scripted(lies) as peer:
        here.use(policy_for(target(peer, commitment=False, answer_seconds=2.0)))
        here.register()
        intake = here.insert(known)
        here.work()
        assert {d.state for d in here.deliveries(intake)} == {DeliveryState.SENT}
        answers = {r.answer for d in here.deliveries(intake) for r in here.results(d)}
        assert answers == {Answer.ACCEPTED}
        assert here.case(intake).state is CaseState.RELEASED


def refuses_the_second(count: int, conversation: Conversation) -> None:
    conversation.answer(0xA900 if count == 2 else 0x0000, "no such thing")


def test_one_refused_image_never_fails_the_rest(here: Station, known: Path) -> None:
    """Fault 30: one is listed with the peer's own words, the others go on."""
    with scripted(refuses_the_second) as peer:
        here.use(policy_for(target(peer, commitment=False, verify_level=0)))
        here.register()
        intake = here.insert(known)
        here.work()
    results = [r for d in here.deliveries(intake) for r in here.results(d)]
    refused = [r for r in results if r.answer is Answer.REFUSED]
    assert [(r.code, r.comment) for r in refused] == [(0xA900, "no such thing")]
    assert sum(r.answer is Answer.ACCEPTED for r in results) == 6
    assert {d.state for d in here.deliveries(intake)} == {DeliveryState.COMMITTED}


def full_for_one(_count: int, conversation: Conversation) -> None:
    """A700 for one image for ever, as some archives say for a missing attribute."""
    one = conversation.sop_instance.rstrip(b"\0").endswith(b"1")
    conversation.answer(0xA700 if one else 0x0000)


def test_out_of_resources_for_one_image_alone_does_not_loop(here: Station, known: Path) -> None:
    with scripted(full_for_one) as peer:
        here.use(policy_for(target(peer, commitment=False, verify_level=0)))
        here.register()
        intake = here.insert(known)
        for _ in range(12):
            here.work()
            here.pass_(minutes=5)
        states = {d.state for d in here.deliveries(intake)}
        assert DeliveryState.QUEUED not in states
        tried = peer.stores
        here.pass_(hours=1)
        here.work()
        assert peer.stores == tried


def test_an_attempt_is_in_the_journal_before_the_first_byte(here: Station, known: Path) -> None:
    seen: list[int] = []

    def look(_count: int, conversation: Conversation) -> None:
        with here.rows.read() as tx:
            seen.append(sum(e.kind == "delivery.attempt" for e in tx.journal.since(0)))
        conversation.answer(0x0000)

    with scripted(look) as peer:
        here.use(policy_for(target(peer, commitment=False, verify_level=0)))
        here.register()
        here.insert(known)
        here.work()
    assert min(seen) >= 1


def attempts(here: Station, intake: int) -> int:
    """How often something was sent for an intake."""
    with here.rows.read() as tx:
        return sum(e.kind == "delivery.attempt" for e in tx.journal.of(intake=intake))


def test_a_disc_that_was_brought_in_before_is_proved_again_and_not_sent_again(
    here: Station, known: Path, tmp_path: Path
) -> None:
    """K15: read and checked as any disc; the archive is asked whether all is still there."""
    with orthanc(folder(tmp_path)) as archive:
        here.use(policy_for(target(archive, commitment=False)))
        here.register()
        here.insert(known)
        here.work()
        here.pass_(hours=1)
        again = here.insert(known)
        here.work()
        assert {d.state for d in here.deliveries(again)} == {DeliveryState.COMMITTED}
        assert {d.verify_level for d in here.deliveries(again)} == {2}
    assert attempts(here, again) == 0
    assert here.case(again).state is CaseState.DONE


def test_only_what_is_missing_there_is_sent_a_second_time(
    here: Station, known: Path, tmp_path: Path
) -> None:
    """Somebody deleted an image in the archive meanwhile: the proof finds out, that one is sent."""
    with orthanc(folder(tmp_path)) as archive:
        here.use(policy_for(target(archive, commitment=False)))
        here.register()
        here.insert(known)
        here.work()
        whole = archive.data_sets().keys()
        lost = archive.json("/instances")[0]
        archive.rest(f"/instances/{lost}", "DELETE")
        here.pass_(hours=1)
        again = here.insert(known)
        for _ in range(12):
            here.work()
            here.pass_(minutes=2)
        assert archive.data_sets().keys() == whole
    results = [r for d in here.deliveries(again) for r in here.results(d)]
    assert {r.answer for r in results} == {Answer.VERIFIED}
    with here.rows.read() as tx:
        tries = [n for d in here.deliveries(again) for n in tx.deliveries.tries(d.id).values()]
    assert sorted(tries) == [0, 0, 0, 0, 0, 0, 1]


def test_what_was_sent_under_another_name_is_sent_again(
    here: Station, known: Path, tmp_path: Path
) -> None:
    """The registration changed in between: what is there is another version, and is looked at."""
    with orthanc(folder(tmp_path)) as archive:
        here.use(policy_for(target(archive, commitment=False)))
        here.register()
        first = here.insert(known)
        here.work()
        case = here.case(first)
        assert case.resolution is not None
        assert case.resolution.local is not None
        here.pass_(hours=1)
        changed = replace(ARCHIBALD, given="Archie")
        here.register(registration._message("A08", changed, "", here.at, 901).text)
        again = here.insert(known)
        here.work()
        if here.case(again).state is CaseState.AWAITING:
            here.decide(again, ARCHIBALD.number)
            here.work()
    assert attempts(here, again) > 0
