"""Peers that refuse, stall, abort, lie and warn: each instance gets its right answer, the rest goes
on, and every wait ends (PS3.4 B.2.3, PS3.7 annex C, PS3.8 9.2)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock

import pytest

from kiosk.delivery import echo, send
from kiosk.model.delivery import Answer, Attempt, InstanceResult, Outbound
from tests.delivery.instances import CALLING, destination, outbound
from tests.peers import LOOPBACK, free_port
from tests.peers.scripted import Behaviour, Conversation, Scripted, scripted

A, P, R, X = Answer.ACCEPTED, Answer.PENDING, Answer.RETRY, Answer.REFUSED
ABORT, RELEASE_RQ, RELEASE_RP = 7, 5, 6
SHORT = 0.4  # seconds: for the tests in which a wait must run out


def nobody(result: InstanceResult) -> None:
    """A report that nobody reads."""


def never() -> bool:
    return False


def attempt_at(peer: Scripted, items: list[Outbound], **settings: object) -> Attempt:
    to = destination(peer, **settings)
    return send(to, CALLING, items, nobody, never)


def answers(attempt: Attempt) -> list[Answer]:
    return [result.answer for result in attempt.results]


def at(number: int, act: Callable[[Conversation], None]) -> Behaviour:
    """`act` for the numbered instance, 0000 for the others."""

    def behave(n: int, conversation: Conversation) -> None:
        if n == number:
            act(conversation)
        else:
            conversation.answer(0x0000)

    return behave


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (0x0000, A),
        (0x0001, A),
        (0x0107, A),
        (0x0110, R),
        (0x0111, A),
        (0x0116, A),
        (0x0117, X),
        (0x0122, Answer.REFUSED),
        (0x0213, R),
        (0xA700, R),
        (0xA7FF, R),
        (0xA900, X),
        (0xA9AB, X),
        (0xB000, A),
        (0xB006, A),
        (0xB007, A),
        (0xBFFF, A),
        (0xC000, X),
        (0xC123, X),
    ],
)
def test_a_status_is_one_instances_and_the_rest_goes_on(
    tmp_path: Path, status: int, answer: Answer
) -> None:
    items = [outbound(tmp_path) for _ in range(3)]
    with scripted(at(2, lambda c: c.answer(status, "what the peer says"))) as peer:
        attempt = attempt_at(peer, items)
    assert answers(attempt) == [A, answer, A]
    assert attempt.results[1].code == status
    assert attempt.results[1].comment == "what the peer says"
    assert attempt.problem == ""
    assert attempt.retry == (answer is R)
    assert not attempt.pause


@pytest.mark.parametrize("status", [0x0210, 0x0211, 0x0212, 0xFE00, 0xFFFF, 0x1234])
def test_a_status_that_makes_no_sense_is_tried_once_more_on_a_new_association(
    tmp_path: Path, status: int
) -> None:
    items = [outbound(tmp_path) for _ in range(3)]
    with scripted(at(2, lambda c: c.answer(status))) as peer:
        attempt = attempt_at(peer, items)
        assert answers(attempt) == [A, A, A]
        assert peer.associations == 2
    bad = items[1].sop_instance_uid.encode()

    def by_name(n: int, conversation: Conversation) -> None:
        conversation.answer(status if conversation.sop_instance.rstrip(b"\0") == bad else 0)

    with scripted(by_name) as peer:
        attempt = attempt_at(peer, items)
        assert answers(attempt) == [A, X, A]
        assert attempt.results[1].code == status


def test_a_peer_without_room_is_left_alone_after_three_instances(tmp_path: Path) -> None:
    items = [outbound(tmp_path) for _ in range(6)]
    with scripted(lambda n, c: c.answer(0xA700 if n > 1 else 0)) as peer:
        attempt = attempt_at(peer, items)
    assert answers(attempt) == [A, R, R, R, P, P]
    assert attempt.pause
    assert attempt.retry
    assert "out of resources" in attempt.problem


def test_a_peer_that_says_out_of_resources_to_one_odd_instance_is_not_paused(
    tmp_path: Path,
) -> None:
    items = [outbound(tmp_path) for _ in range(8)]
    with scripted(lambda n, c: c.answer(0xA700 if n % 2 else 0)) as peer:
        attempt = attempt_at(peer, items)
    assert answers(attempt) == [R, A] * 4
    assert not attempt.pause


def test_not_authorised_stops_the_destination_and_blames_no_instance(tmp_path: Path) -> None:
    items = [outbound(tmp_path) for _ in range(3)]
    with scripted(at(2, lambda c: c.answer(0x0124))) as peer:
        attempt = attempt_at(peer, items)
    assert answers(attempt) == [A, P, P]
    assert attempt.pause
    assert not attempt.retry
    assert "not authorised" in attempt.problem


def test_a_lying_peer_is_believed_for_acceptance_only(tmp_path: Path) -> None:
    """0000 and nothing stored: the answer is ACCEPTED, never VERIFIED."""
    items = [outbound(tmp_path)]
    with scripted() as peer:
        assert answers(attempt_at(peer, items)) == [A]


@pytest.mark.parametrize("act", ["abort", "close", "release"])
def test_a_peer_that_ends_the_association_costs_one_instance_and_not_the_rest(
    tmp_path: Path, act: str
) -> None:
    def close(conversation: Conversation) -> None:
        conversation.socket.shutdown(socket.SHUT_RDWR)

    acts = {"abort": Conversation.abort, "close": close, "release": Conversation.request_release}
    items = [outbound(tmp_path) for _ in range(4)]
    with scripted(at(2, acts[act])) as peer:
        attempt = attempt_at(peer, items)
        assert answers(attempt) == [A, R, A, A]
        assert peer.associations == 2
    assert act != "release" or RELEASE_RP in peer.said
    assert attempt.retry
    assert not attempt.pause
    assert attempt.problem


def test_a_peer_that_aborts_in_the_middle_of_an_instance_costs_only_that(tmp_path: Path) -> None:
    items = [outbound(tmp_path, pixels=n) for n in (100, 8_000_000, 100)]

    def midway(n: int, conversation: Conversation) -> None:
        if n == 2 and conversation.peer.associations == 1:
            conversation.abort()

    with scripted(midway=midway) as peer:
        attempt = attempt_at(peer, items, answer_seconds=10)
    assert answers(attempt) == [A, R, A]


def test_a_peer_that_ends_every_association_is_left_alone(tmp_path: Path) -> None:
    items = [outbound(tmp_path) for _ in range(9)]
    with scripted(lambda n, c: c.abort()) as peer:
        attempt = attempt_at(peer, items)
        assert peer.associations == 5
    assert answers(attempt) == [R] * 5 + [P] * 4
    assert attempt.pause


def test_a_peer_that_releases_between_instances_costs_nothing(tmp_path: Path) -> None:
    """It may: an idle archive closes. What was not sent yet is sent on the next association."""
    items = [outbound(tmp_path) for _ in range(3)]
    told: list[InstanceResult] = []
    released = Event()

    def answer_and_release(conversation: Conversation) -> None:
        conversation.answer(0)
        conversation.send_pdu(RELEASE_RQ, bytes(4))
        released.set()
        conversation.wait_for_close()

    def when_released() -> bool:
        """The third instance's turn comes after the peer has spoken."""
        return len(told) == 2 and not released.wait(10)

    with scripted(at(2, answer_and_release)) as peer:
        attempt = send(destination(peer), CALLING, items, told.append, when_released)
        assert answers(attempt) == [A, A, A]
        assert attempt.problem == ""
        assert peer.associations == 2
    assert RELEASE_RP in peer.said


def test_a_peer_that_never_answers_costs_one_time_out_and_not_one_for_each(
    tmp_path: Path,
) -> None:
    items = [outbound(tmp_path) for _ in range(50)]
    with scripted(lambda n, c: c.hang()) as peer:
        attempt = attempt_at(peer, items, answer_seconds=SHORT)
        assert peer.associations == 1
    assert answers(attempt) == [R] + [P] * 49
    assert attempt.pause
    assert attempt.retry
    assert "did not answer in time" in attempt.problem


def test_a_peer_that_stops_reading_does_not_block_the_sender(tmp_path: Path) -> None:
    items = [outbound(tmp_path, pixels=30_000_000), outbound(tmp_path)]
    with scripted(midway=lambda n, c: c.hang()) as peer:
        attempt = attempt_at(peer, items, answer_seconds=SHORT)
    assert answers(attempt) == [R, P]
    assert "stopped taking data" in attempt.problem


def test_a_slow_peer_is_waited_for_as_long_as_bytes_move(tmp_path: Path) -> None:
    """Longer in all than one time-out, never a whole one without a byte."""
    pauses = 0

    def slowly(n: int, conversation: Conversation) -> None:
        nonlocal pauses
        if len(conversation.peer.said) % 50 == 0:
            pauses += 1
            conversation.peer.over.wait(0.05)  # the peer's slowness itself, not a wait of the test

    with scripted(midway=slowly) as peer:
        attempt = attempt_at(peer, [outbound(tmp_path, pixels=20_000_000)], answer_seconds=1.0)
    assert answers(attempt) == [A]
    assert pauses * 0.05 > 1.0


def answer_of(message_id: int, field: int = 0x8001, status: bytes = b"\0\0") -> Callable[..., None]:
    def act(conversation: Conversation) -> None:
        elements = {
            0x0100: struct.pack("<H", field),
            0x0120: struct.pack("<H", message_id),
            0x0800: struct.pack("<H", 0x0101),
            0x0900: status,
        }
        conversation.send_command(elements)
        conversation.wait_for_close()

    return act


NONSENSE: dict[str, Callable[[Conversation], None]] = {
    "another message's answer": answer_of(999),
    "another service's answer": answer_of(1, 0x8030),
    "no status": answer_of(1, status=b""),
    "a PDU of 4 GiB": lambda c: (
        c.socket.sendall(struct.pack(">BxI", 4, 0xFFFFFFFF) + b"x" * 100),
        c.wait_for_close(),
    )[0],
    "a PDU longer than ours may be": lambda c: (
        c.socket.sendall(struct.pack(">BxI", 4, 2_000_000)),
        c.wait_for_close(),
    )[0],
    "an unknown PDU": lambda c: (c.send_pdu(0x42, b"abcd"), c.wait_for_close())[0],
    "an A-ASSOCIATE-AC": lambda c: (c.send_pdu(2, b"abcd"), c.wait_for_close())[0],
    "an A-RELEASE-RP": lambda c: (c.send_pdu(6, bytes(4)), c.wait_for_close())[0],
    "a P-DATA without a fragment": lambda c: (c.send_pdu(4, b""), c.wait_for_close())[0],
    "a fragment longer than its PDU": lambda c: (
        c.send_pdu(4, struct.pack(">IBB", 500, 1, 3) + b"abc"),
        c.wait_for_close(),
    )[0],
    "a command that is no command": lambda c: (
        c.send_pdu(4, struct.pack(">IBB", 12, 1, 3) + b"\xff" * 10),
        c.wait_for_close(),
    )[0],
    "a data set without a command": lambda c: (
        c.send_pdu(4, struct.pack(">IBB", 12, 1, 2) + b"\0" * 10),
        c.wait_for_close(),
    )[0],
    "HTTP": lambda c: (c.socket.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"), c.wait_for_close())[0],
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_ends_the_association_with_an_abort_and_costs_one_instance(
    tmp_path: Path, what: str
) -> None:
    items = [outbound(tmp_path) for _ in range(2)]
    with scripted(at(1, NONSENSE[what])) as peer:
        attempt = attempt_at(peer, items, answer_seconds=2.0)
        assert answers(attempt)[0] is R
        assert answers(attempt)[1] in (A, P)
    assert ABORT in peer.said
    assert attempt.problem


@pytest.mark.parametrize(
    ("result", "source", "reason", "retry", "says"),
    [
        (1, 1, 3, False, "does not know our AE title"),
        (1, 1, 7, False, "does not answer to the AE title"),
        (2, 3, 2, True, "too many associations"),
        (1, 1, 1, False, "no usable reason"),
    ],
)
def test_a_rejected_association_pauses_the_destination_and_says_why(
    tmp_path: Path, result: int, source: int, reason: int, retry: bool, says: str
) -> None:
    items = [outbound(tmp_path), outbound(tmp_path)]
    with scripted(on_associate=lambda c: c.reject(result, source, reason)) as peer:
        attempt = attempt_at(peer, items)
        assert says in echo(destination(peer), CALLING)
    assert answers(attempt) == [P, P]
    assert (attempt.pause, attempt.retry) == (True, retry)
    assert says in attempt.problem


def no_acceptance(conversation: Conversation) -> None:
    conversation.send_pdu(2, bytes(range(256)))
    conversation.wait_for_close()


@pytest.mark.parametrize("act", [no_acceptance, Conversation.hang, Conversation.abort])
def test_an_association_that_cannot_be_had_leaves_everything_pending(
    tmp_path: Path, act: Callable[[Conversation], None], expected_logs: Callable[..., None]
) -> None:
    expected_logs("ERROR pynetdicom.utils: 'ascii' codec can't decode")
    with scripted(on_associate=act) as peer:
        attempt = attempt_at(peer, [outbound(tmp_path)], answer_seconds=SHORT)
        assert echo(destination(peer, answer_seconds=SHORT), CALLING)
    assert answers(attempt) == [P]
    assert attempt.pause
    assert attempt.problem


def test_an_accepted_syntax_that_was_not_proposed_is_no_acceptance(tmp_path: Path) -> None:
    def accept_another(conversation: Conversation) -> None:
        wrong = conversation.peer.request.replace(b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.2")
        conversation.peer.request = wrong
        conversation.accept()

    with scripted(on_associate=accept_another) as peer:
        attempt = attempt_at(peer, [outbound(tmp_path)])
        assert answers(attempt) == [Answer.REFUSED]
        assert peer.stores == 0


def test_a_closed_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    with scripted() as peer:
        pass
    attempt = attempt_at(peer, [outbound(tmp_path)])
    assert answers(attempt) == [P]
    assert attempt.problem.startswith(f"pacs ({LOOPBACK}:{peer.port}) cannot be reached")
    assert attempt.pause
    assert attempt.retry


def test_a_listener_that_never_accepts_is_given_up(tmp_path: Path) -> None:
    """TCP is accepted by the kernel, and nobody ever reads."""
    with socket.create_server((LOOPBACK, free_port())) as listener:
        silent = Scripted(listener.getsockname()[1], at(0, Conversation.hang), print, None, 0)
        attempt = attempt_at(silent, [outbound(tmp_path)], answer_seconds=SHORT)
    assert answers(attempt) == [P]
    assert "did not answer in time" in attempt.problem


def test_an_error_comment_is_clipped_and_has_no_control_characters(tmp_path: Path) -> None:
    comment = "no\x1b[31mroom\r\n" + "x" * 500
    with scripted(lambda n, c: c.answer(0xC000, comment)) as peer:
        attempt = attempt_at(peer, [outbound(tmp_path)])
    assert len(attempt.results[0].comment) == 64
    assert attempt.results[0].comment.startswith("no[31mroomxxx")


def test_a_peer_that_allows_one_association_gets_everything_over_that(tmp_path: Path) -> None:
    items = [outbound(tmp_path) for _ in range(12)]
    one_at_a_time = Lock()

    def one_only(conversation: Conversation) -> None:
        with one_at_a_time:
            full = bool(conversation.peer.talking)
            if not full:
                conversation.accept()
        if full:
            conversation.reject(2, 3, 2)

    with scripted(on_associate=one_only) as peer:
        attempt = attempt_at(peer, items, associations=3)
    assert sorted(peer.received) == sorted(item.sop_instance_uid for item in items)
    assert answers(attempt) == [A] * 12
    assert attempt.problem == ""
