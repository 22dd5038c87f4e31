"""Sending and proving against real archives, and against a peer that lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk.cli.demonstration import discs, registration
from kiosk.desk import Desk, Operator, Role
from kiosk.desk.snapshots import Stage
from kiosk.engine import pipeline
from kiosk.model.delivery import Answer
from kiosk.model.work import CaseState, DeliveryState, IntakeState
from kiosk.policy.sections import Destination
from tests.engine.conftest import ARCHIBALD, Station, policy_for
from tests.peers.dcmqrscp import dcmqrscp
from tests.peers.orthanc import Orthanc, orthanc
from tests.peers.scripted import Conversation, Scripted, asks_nothing, scripted
from tests.peers.storescp import storescp
from tests.peers.web import web


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


def test_one_refused_image_never_fails_the_rest_and_is_never_done(
    here: Station, known: Path
) -> None:
    """Fault 30: one is listed with the peer's own words, the others go on. IT sees how many of how
    many are there, and sends the one when the archive was mended."""
    mended: list[bool] = []

    def refuses_the_second(count: int, conversation: Conversation) -> None:
        bad = count == 2 and not mended
        conversation.answer(0xA900 if bad else 0x0000, "no such thing" if bad else "")

    with scripted(refuses_the_second) as peer:
        here.use(policy_for(target(peer, commitment=False, verify_level=0)))
        here.register()
        intake = here.insert(known)
        here.work()
        results = [r for d in here.deliveries(intake) for r in here.results(d)]
        refused = [r for r in results if r.answer is Answer.REFUSED]
        assert [(r.code, r.comment) for r in refused] == [(0xA900, "no such thing")]
        assert sum(r.answer is Answer.ACCEPTED for r in results) == 6
        (part,) = [d for d in here.deliveries(intake) if d.state is DeliveryState.HELD]
        assert here.case(intake).state is CaseState.RELEASED
        desk = Desk(here.rows, here.policy, Operator("ivan", Role.IT), lambda: here.at)
        (row,) = desk.deliveries().rows
        assert row.study.received == row.study.images - 1
        assert row.study.stage is Stage.PARTLY
        assert "1 of" in row.problem
        assert len(row.refused) == 1
        assert "A900 no such thing" in row.refused[0]
        here.pass_(hours=here.policy.retention.staged_hours + 1)
        here.work()
        ticket = here.intake(intake).ticket
        assert here.vault.holds(ticket), "ours is the only copy of what was refused"
        mended.append(True)
        desk.retry(part.id)
        here.work()
        assert len(peer.received) == 8
        assert here.case(intake).state is CaseState.DONE


def test_what_an_archive_had_before_is_proved_by_a_query_or_not_at_all(
    here: Station, known: Path
) -> None:
    """0111: it has something under that UID; whose that is it does not say, at any level."""
    with scripted(lambda _, c: c.answer(0x0111), on_associate=asks_nothing) as peer:
        here.use(policy_for(target(peer, commitment=False, verify_level=0)))
        here.register()
        intake = here.insert(known)
        here.work()
    assert {d.state for d in here.deliveries(intake)} == {DeliveryState.HELD}
    assert here.case(intake).state is CaseState.RELEASED


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


def test_what_cannot_be_processed_is_held_after_three_tries_although_nothing_else_passes(
    here: Station, known: Path
) -> None:
    """0110 for everything: asked three times, then a person must look."""
    with scripted(lambda _, c: c.answer(0x0110)) as peer:
        here.use(policy_for(target(peer, commitment=False, verify_level=0)))
        here.register()
        intake = here.insert(known)
        for _ in range(4):
            here.work()
            here.pass_(hours=1)
        assert len(peer.received) == 7 * here.policy.retry.tries_for_one_instance
    assert {d.state for d in here.deliveries(intake)} == {DeliveryState.HELD}


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


@contextmanager
def _dicom(at: Path) -> Iterator[Destination]:
    with orthanc(at) as archive:
        yield target(archive)


@contextmanager
def _stow(at: Path) -> Iterator[Destination]:
    with orthanc(at) as archive:
        yield Destination(name="PACS", kind="stow", url=archive.url)


@contextmanager
def _dcmqrscp(at: Path) -> Iterator[Destination]:
    with dcmqrscp(at) as archive:
        yield Destination(name="PACS", port=archive.port, ae_title=archive.ae_title)


@contextmanager
def _storescp(at: Path) -> Iterator[Destination]:
    with storescp(at) as archive:
        yield Destination(name="PACS", port=archive.port, ae_title=archive.ae_title)


@pytest.mark.parametrize(
    ("kind", "level"), [(_dicom, 3), (_stow, 3), (_dcmqrscp, 3), (_storescp, 0)]
)
def test_every_kind_of_archive_is_shown_to_have_it_to_the_level_asked(
    here: Station,
    known: Path,
    tmp_path: Path,
    kind: Callable[[Path], AbstractContextManager[Destination]],
    level: int,
) -> None:
    """Level 3: a sample came back with our pixels, by C-GET or WADO-RS."""
    with kind(folder(tmp_path)) as archive:
        settings = {"verify_level": level, "commitment": False}
        here.use(policy_for(archive.model_copy(update=settings)))
        here.register()
        intake = here.insert(known)
        here.work()
        proved = here.deliveries(intake)
    assert {(d.state, d.verify_level) for d in proved} == {(DeliveryState.COMMITTED, level)}


def test_other_pixels_under_our_uids_are_held_and_told_to_him(
    here: Station, known: Path, tmp_path: Path
) -> None:
    """The archive kept what somebody else sent under these UIDs, for the same patient."""
    with orthanc(folder(tmp_path)) as archive:
        here.use(policy_for(target(archive, commitment=False)))
        here.register()
        here.insert(known)
        here.work()
        other = with_other_pixels(tmp_path / "other.iso")
        here.use(policy_for(target(archive, verify_level=3, commitment=False)))
        intake = here.insert(other)
        here.work()
        held = here.deliveries(intake)
    assert {d.state for d in held} == {DeliveryState.HELD}
    assert all("other pixels than were sent" in d.problem for d in held)
    assert any("other pixels" in reason for reason in here.case(intake).reasons)


def with_other_pixels(image: Path) -> Path:
    """The known disc once more, one bit of each image's pixels turned round."""
    stated = discs.Stated(
        f"{ARCHIBALD.family}^{ARCHIBALD.given}", ARCHIBALD.birth_date, ARCHIBALD.sex
    )
    files = dict(discs.file_set_of(discs.ARCHIBALD, stated))
    for name, content in files.items():
        if name not in ("DICOMDIR", "README.TXT"):
            files[name] = content[:-200] + bytes((content[-200] ^ 1,)) + content[-199:]
    return discs.burn(files, image, "OTHER")


def test_an_archive_that_gives_nothing_back_is_held_at_level_2(
    here: Station, known: Path, tmp_path: Path
) -> None:
    """What is known is said, and no more: a query showed it, the images could not be compared."""
    with orthanc(folder(tmp_path)) as archive, web(lambda h: h.answer(404)) as wado:
        to = target(archive, verify_level=3, commitment=False, url=wado.url)
        here.use(policy_for(to))
        here.register()
        intake = here.insert(known)
        here.work()
        held = here.deliveries(intake)
    assert {(d.state, d.verify_level) for d in held} == {(DeliveryState.HELD, 2)}
    assert all("cannot be compared" in d.problem for d in held)


def test_an_archive_that_answers_no_query_is_held_with_what_its_level_would_need(
    here: Station, known: Path, tmp_path: Path
) -> None:
    with storescp(folder(tmp_path)) as archive:
        to = Destination(name="PACS", port=archive.port, ae_title="STORESCP", commitment=False)
        here.use(policy_for(to))
        here.register()
        intake = here.insert(known)
        here.work()
        held = here.deliveries(intake)
        assert {(d.state, d.verify_level) for d in held} == {(DeliveryState.HELD, 0)}
        assert all("set verify_level to 0 or 1" in d.problem for d in held)
        here.use(policy_for(to.model_copy(update={"verify_level": 0})))
        with here.rows.begin() as tx:
            for found in held:
                tx.deliveries.retry(found.id, "it")
        here.work()
    assert here.case(intake).state is CaseState.DONE


def test_what_was_refused_is_sent_once_more_when_a_person_asks(here: Station, known: Path) -> None:
    """The archive's configuration was wrong; IT mended it and asks again."""
    statuses = [0xA900]

    def answers(number: int, conversation: Conversation) -> None:
        conversation.answer(statuses[-1])

    with scripted(answers) as peer:
        here.use(policy_for(target(peer, commitment=False, verify_level=0)))
        here.register()
        intake = here.insert(known)
        here.work()
        held = here.deliveries(intake)
        assert {d.state for d in held} == {DeliveryState.HELD}
        statuses.append(0)
        with here.rows.begin() as tx:
            for found in held:
                tx.deliveries.retry(found.id, "it")
        here.work()
    assert here.case(intake).state is CaseState.DONE
    answered = {r.answer for d in here.deliveries(intake) for r in here.results(d)}
    assert answered == {Answer.ACCEPTED}


def test_what_changed_in_the_vault_is_a_finding_and_is_not_sent(here: Station, known: Path) -> None:
    with scripted() as peer:
        here.use(policy_for(target(peer, commitment=False, verify_level=0)))
        here.register()
        intake = here.insert(known)
        steps = (pipeline.READ, pipeline.CATALOG, pipeline.MATCH, pipeline.RELEASE)
        for step in steps:
            assert here.engine._take(step)
        with here.rows.read() as tx:
            ((first, _), *_) = tx.deliveries.results(here.deliveries(intake)[0].id)
            staged = here.vault.file(tx.intakes.get(intake).ticket, first.file)
        content = bytearray(staged.read_bytes())
        content[-1] ^= 1
        staged.write_bytes(content)
        here.work()
    results = {r.sop_instance_uid: r for d in here.deliveries(intake) for r in here.results(d)}
    assert results.pop(first.sop_instance_uid).answer is Answer.HELD
    assert {r.answer for r in results.values()} == {Answer.ACCEPTED}
    assert first.sop_instance_uid not in peer.received
    with here.rows.read() as tx:
        found = [f for f in tx.intakes.findings(intake) if f.code == "staged-file-changed"]
    assert [f.where for f in found] == [first.path]
