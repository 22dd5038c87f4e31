"""Storage commitment as the engine asks for it: the report counts whenever and however it comes,
once, for what was asked; nobody waits for one that never comes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kiosk import delivery, inbound
from kiosk.engine import take_report
from kiosk.model.delivery import Answer, CommitmentReport
from kiosk.model.work import CaseState, Delivery, DeliveryState
from kiosk.policy.sections import Destination, Inbound, Limits
from tests.delivery.test_commitment import ACCEPT, REPORT, event
from tests.engine.conftest import Station, policy_for
from tests.peers import LOOPBACK, free_port
from tests.peers.orthanc import Orthanc, orthanc
from tests.peers.scripted import Conversation, Scripted, scripted
from tests.station import until

C_STORE, N_ACTION = 0x0001, 0x0130
COMMITMENT = "1.2.840.10008.1.20.1"


def at(peer: Scripted | Orthanc, **more: Any) -> Destination:
    settings = {"answer_seconds": 5.0, "commitment_wait_seconds": 0.2} | more
    return Destination(name="PACS", port=peer.port, ae_title="ORTHANC", **settings)


class Archive:
    """A peer that takes everything, answers no query, and knows what it was asked to keep."""

    def __init__(self, *, reports: bool = False, hangs: bool = False) -> None:
        self.kept: list[str] = []
        self.transactions: list[str] = []
        self._reports, self._hangs = reports, hangs

    def __call__(self, _count: int, conversation: Conversation) -> None:
        if conversation.command == C_STORE:
            self.kept.append(conversation.sop_instance.rstrip(b"\0").decode())
            conversation.answer(0x0000)
            return
        if conversation.command != N_ACTION:
            conversation.abort()
        conversation.send_command(ACCEPT)
        transaction = _transaction(conversation.data)
        if self._reports:
            conversation.send_command(REPORT, event(transaction, self.kept, {}))
        self.transactions.append(transaction)
        if self._hangs:
            conversation.hang()


def _transaction(information: bytes) -> str:
    """(0008,1195) in explicit VR little endian."""
    start = information.index(b"\x08\x00\x95\x11UI") + 8
    length = struct.unpack_from("<H", information, start - 2)[0]
    return information[start : start + length].rstrip(b"\0").decode()


def one(here: Station, intake: int) -> Delivery:
    return here.deliveries(intake)[0]


def tell(here: Station, report: CommitmentReport) -> bool:
    with here.rows.begin() as tx:
        return take_report(tx, report)


def report_for(here: Station, found: Delivery, *, transaction: str = "") -> CommitmentReport:
    with here.rows.read() as tx:
        uids = [i.sop_instance_uid for i, _ in tx.deliveries.results(found.id)]
    return CommitmentReport(transaction or found.transaction_uid, frozenset(uids))


@contextmanager
def sent(here: Station, known: Path, **settings: Any) -> Iterator[int]:
    """An intake whose studies an archive took and was asked to keep; it has not reported yet."""
    archive = Archive()
    with scripted(archive) as peer:
        here.use(policy_for(at(peer, **settings), inbound=Inbound(reports=True)))
        here.register()
        intake = here.insert(known)
        here.work()
        until(lambda: len(archive.transactions) == 2, "both studies asked for")
        assert {d.state for d in here.deliveries(intake)} == {DeliveryState.SENT}
        yield intake


def test_a_report_hours_later_and_after_a_restart_is_the_proof(here: Station, known: Path) -> None:
    with sent(here, known, verify_level=1, commitment_hours=24.0) as intake:
        here.pass_(hours=7)
        here.use(here.policy)  # another engine
        for found in here.deliveries(intake):
            assert tell(here, report_for(here, found))
        here.work()
        proved = here.deliveries(intake)
    assert {(d.state, d.verify_level) for d in proved} == {(DeliveryState.COMMITTED, 1)}
    assert {r.answer for d in proved for r in here.results(d)} == {Answer.VERIFIED}
    assert here.case(intake).state is CaseState.DONE


def test_reports_that_belong_to_nothing_do_not_count(here: Station, known: Path) -> None:
    """Fault 32: unknown, of images that were never sent, of nothing, and one that came before."""
    with sent(here, known, verify_level=1) as intake:
        found = one(here, intake)
        assert not tell(here, report_for(here, found, transaction="2.25.1"))
        lie = CommitmentReport(found.transaction_uid, frozenset({"1.2.3"}))
        assert not tell(here, lie)
        assert not tell(here, CommitmentReport(found.transaction_uid))
        assert not tell(here, CommitmentReport("", frozenset({"1.2.3"})))
        assert tell(here, report_for(here, found))
        assert not tell(here, report_for(here, found))
        here.work()
        states = {d.id: d.state for d in here.deliveries(intake)}
    assert states.pop(found.id) is DeliveryState.COMMITTED
    assert set(states.values()) == {DeliveryState.SENT}


def test_what_is_listed_as_kept_and_as_failed_has_failed_and_is_looked_for_again(
    here: Station, known: Path
) -> None:
    with sent(here, known, verify_level=1) as intake:
        found = one(here, intake)
        whole = report_for(here, found)
        bad = min(whole.committed)
        assert tell(here, CommitmentReport(found.transaction_uid, whole.committed, ((bad, 0x112),)))
        here.work()
        again = one(here, intake)
        assert again.state is DeliveryState.SENT
        assert "not in the archive" in again.problem
        assert again.transaction_uid == ""  # the next look asks anew


def test_a_late_failure_of_what_was_proved_is_a_persons_matter(
    here: Station, known: Path, tmp_path: Path
) -> None:
    """Level 2 does not wait for the report; one that takes the proof back is not passed over."""
    (tmp_path / "archive").mkdir()
    with orthanc(tmp_path / "archive", free_port()) as archive:
        here.use(policy_for(at(archive)))
        here.register()
        intake = here.insert(known)
        here.work()
        found = one(here, intake)
        assert found.state is DeliveryState.COMMITTED
    bad = min(report_for(here, found).committed)
    assert tell(here, CommitmentReport(found.transaction_uid, failed=((bad, 0x0112),)))
    assert any("does not keep 1 of these images" in r for r in here.case(intake).reasons)


def test_an_archive_that_never_reports_costs_no_waiting(here: Station, known: Path) -> None:
    """Both studies are asked for and queried although no report ever comes; the worker is free."""
    archive = Archive(hangs=True)
    with scripted(archive) as peer:
        here.use(policy_for(at(peer, commitment_wait_seconds=600.0)))
        here.register()
        intake = here.insert(known)
        here.work()  # would not return for as long as one report is waited for
        assert {d.state for d in here.deliveries(intake)} == {DeliveryState.SENT}


def test_a_report_that_never_comes_leaves_level_1_to_the_query(here: Station, known: Path) -> None:
    with sent(here, known, verify_level=1, commitment_hours=1.0) as intake:
        here.work()
        assert one(here, intake).problem == ""  # nothing is wrong yet
        here.pass_(hours=2)
        here.work()
        assert one(here, intake).problem  # it was asked, and this peer knows no query


def test_a_report_on_the_asking_association_is_enough(here: Station, known: Path) -> None:
    archive = Archive(reports=True)
    with scripted(archive) as peer:
        here.use(policy_for(at(peer, verify_level=1, commitment_wait_seconds=5.0)))
        here.register()
        intake = here.insert(known)

        def proved() -> bool:
            here.work()
            return {d.state for d in here.deliveries(intake)} == {DeliveryState.COMMITTED}

        until(proved, "the reports were taken")


@pytest.mark.parametrize("hours", [0, 3])
def test_orthanc_reports_at_our_own_door(
    here: Station, known: Path, tmp_path: Path, hours: int
) -> None:
    """On an association of its own, to the AE title that asked, through the receiver."""
    door = Inbound(reports=True, port=free_port(), quiet_seconds=0.1)

    def told(untrusted: bytes, implicit: bool) -> bool:
        report = delivery.read_report(untrusted, implicit)
        return report is not None and tell(here, report)

    (tmp_path / "archive").mkdir()
    with (
        orthanc(tmp_path / "archive", door.port) as archive,
        inbound.listen(door, "KIOSK", Limits(), tmp_path / "in", lambda m: True, told),
    ):
        settings = {"verify_level": 1, "commitment_hours": 24.0}
        here.use(policy_for(at(archive, **settings), inbound=door))
        here.register()
        intake = here.insert(known)
        here.work()
        here.pass_(hours=hours)

        def proved() -> bool:
            here.work()
            return {d.verify_level for d in here.deliveries(intake)} == {1}

        until(proved, "Orthanc's reports came")
    assert here.case(intake).state is CaseState.DONE


def test_the_door_takes_reports_only_where_it_may(tmp_path: Path) -> None:
    from pynetdicom import AE
    from pynetdicom.sop_class import CTImageStorage, StorageCommitmentPushModel

    for settings, accepted in (
        (Inbound(enabled=True), [CTImageStorage]),
        (Inbound(reports=True), [StorageCommitmentPushModel]),
    ):
        door = settings.model_copy(update={"port": 0})
        with inbound.listen(door, "KIOSK", Limits(), tmp_path, lambda m: True) as receiver:
            ae = AE("PACS")
            ae.add_requested_context(CTImageStorage)
            ae.add_requested_context(StorageCommitmentPushModel)
            association = ae.associate(LOOPBACK, receiver.port, ae_title="KIOSK")
            assert [c.abstract_syntax for c in association.accepted_contexts] == accepted
            association.release()


def test_an_archive_that_offers_no_commitment_is_asked_once(here: Station, known: Path) -> None:
    """The next study's proof opens no association for it."""

    def takes_images_only(conversation: Conversation) -> None:
        conversation.accept(lambda sop_class, _: 3 if sop_class.startswith(COMMITMENT) else 0)

    with scripted(on_associate=takes_images_only) as peer:
        here.use(policy_for(at(peer, verify_level=1)))
        here.register()
        intake = here.insert(known)
        until(lambda: here.work() or "PACS" in here.engine.site.unwilling, "it was asked")
        for found in here.deliveries(intake):
            with here.rows.begin() as tx:
                tx.commitments.drop(found.id)
        before = peer.associations
        here.pass_(minutes=10)
        here.work()
        assert all(d.transaction_uid == "" for d in here.deliveries(intake))
        assert peer.associations > before  # it was queried
