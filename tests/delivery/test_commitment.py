"""Storage commitment, on the same association and on the archive's own (PS3.4 annex J)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, generate_uid
from pynetdicom.dsutils import encode

from kiosk.delivery import Asked, commit, read_report
from kiosk.model.delivery import CommitmentReport
from tests.delivery.instances import CALLING, destination
from tests.peers.scripted import Conversation, scripted
from tests.peers.storescp import storescp

REFERENCES = [(CTImageStorage, "1.2.3.1"), (CTImageStorage, "1.2.3.2")]


def event(transaction_uid: str, committed: list[str], failed: dict[str, int]) -> bytes:
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = [_reference(uid) for uid in committed]
    if failed:
        information.FailedSOPSequence = [_reference(uid) for uid in failed]
        for item, reason in zip(information.FailedSOPSequence, failed.values(), strict=True):
            item.FailureReason = reason
    return encode(information, False, True) or b""


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = CTImageStorage
    item.ReferencedSOPInstanceUID = uid
    return item


def command(field: int, status: int = 0, data: bool = False) -> dict[int, bytes]:
    return {
        0x0002: b"1.2.840.10008.1.20.1",
        0x0100: struct.pack("<H", field),
        0x0110: struct.pack("<H", 7),
        0x0120: struct.pack("<H", 1),
        0x0800: struct.pack("<H", 0x0001 if data else 0x0101),
        0x0900: struct.pack("<H", status),
        0x1000: b"1.2.840.10008.1.20.1.1",
        0x1002: struct.pack("<H", 1),
    }


ACCEPT = command(0x8130)
REPORT = command(0x0100, data=True)


@pytest.mark.parametrize("report_first", [False, True])
def test_a_report_on_the_same_association_is_taken_in_either_order(report_first: bool) -> None:
    transaction = generate_uid()
    report = event(transaction, ["1.2.3.1"], {"1.2.3.2": 0x0112})

    def behave(n: int, conversation: Conversation) -> None:
        if n > 1:
            return
        parts = [(ACCEPT, b""), (REPORT, report)]
        for part in reversed(parts) if report_first else parts:
            conversation.send_command(*part)

    with scripted(behave) as peer:
        found = commit(destination(peer), CALLING, REFERENCES, transaction, 10.0)
    said = CommitmentReport(transaction, frozenset({"1.2.3.1"}), (("1.2.3.2", 0x0112),))
    assert found == Asked(True, said)


def test_a_report_of_another_transaction_is_answered_and_passed_over() -> None:
    transaction = generate_uid()

    def behave(n: int, conversation: Conversation) -> None:
        conversation.send_command(ACCEPT)
        conversation.send_command(REPORT, event(generate_uid(), ["1.2.3.9"], {}))
        conversation.send_command(REPORT, event(transaction, ["1.2.3.1"], {}))

    with scripted(behave) as peer:
        found = commit(destination(peer), CALLING, REFERENCES, transaction, 10.0)
    assert found.report is not None
    assert found.report.committed == frozenset({"1.2.3.1"})


def refuses(conversation: Conversation) -> None:
    conversation.send_command(command(0x8130, status=0x0110))


def never_reports(conversation: Conversation) -> None:
    conversation.send_command(ACCEPT)
    conversation.wait_for_close()


def aborts_afterwards(conversation: Conversation) -> None:
    conversation.send_command(ACCEPT)
    conversation.abort()


def cannot_be_read(conversation: Conversation) -> None:
    conversation.send_command(ACCEPT)
    conversation.send_command(REPORT, b"\x08\x00\x95\x11UI\xff\xff12")
    conversation.wait_for_close()


@pytest.mark.parametrize("act", [never_reports, aborts_afterwards, cannot_be_read])
def test_a_request_that_was_taken_on_may_be_answered_later(
    act: Callable[[Conversation], None],
) -> None:
    with scripted(lambda n, c: act(c)) as peer:
        asked = commit(destination(peer), CALLING, REFERENCES, generate_uid(), 0.3)
    assert asked == Asked(True)


@pytest.mark.parametrize("act", [refuses, Conversation.abort, Conversation.hang])
def test_who_did_not_take_the_request_on_is_not_waited_for(
    act: Callable[[Conversation], None],
) -> None:
    with scripted(lambda n, c: act(c)) as peer:
        to = destination(peer, answer_seconds=0.5)
        assert commit(to, CALLING, REFERENCES, generate_uid(), 60.0) == Asked(False)


def test_a_peer_that_offers_no_commitment_is_none(tmp_path: Path) -> None:
    with storescp(tmp_path) as peer:
        assert commit(destination(peer), CALLING, REFERENCES, generate_uid(), 60.0) == Asked(
            False, offered=False
        )


@pytest.mark.parametrize(
    "untrusted", [b"", b"\x08", event("1.2", [], {})[:-7], b"\x08\x00\x95\x11UI\xff\xff12"]
)
def test_what_is_no_report_is_none(untrusted: bytes) -> None:
    assert read_report(untrusted, False) is None
