"""A branch line's limit holds over all associations together."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from kiosk.delivery import send
from kiosk.delivery.outcome import Run
from kiosk.delivery.pacing import Pace
from kiosk.delivery.sending import _Sender, batches
from kiosk.model.delivery import Answer
from tests.delivery.instances import CALLING, destination, outbound
from tests.peers.scripted import Conversation, scripted


def test_turns_follow_each_other_at_the_lines_rate() -> None:
    """1 kbit/s carries 125 bytes a second; the first turn is at once."""
    pace = Pace(0.001)
    waits = [pace._turn(125_000) for _ in range(4)]
    assert waits[0] == 0
    assert waits == pytest.approx([0, 1000, 2000, 3000], abs=100)


@pytest.mark.parametrize("associations", [1, 3])
def test_no_more_is_sent_than_the_line_carries(tmp_path: Path, associations: int) -> None:
    """400 kB at 8 Mbit/s take 0.4 s at least, less the first piece; no upper bound is asked."""
    items = [outbound(tmp_path, pixels=100_000) for _ in range(4)]
    with scripted() as peer:
        started = monotonic()
        to = destination(peer, megabits=8.0, associations=associations)
        attempt = send(to, CALLING, items, lambda r: None, lambda: False)
        took = monotonic() - started
    assert {r.answer for r in attempt.results} == {Answer.ACCEPTED}
    assert took > 0.25


def test_without_a_limit_pieces_go_through_as_they_are() -> None:
    pieces = [(memoryview(b"a"), False), (memoryview(b"b"), True)]
    assert list(Pace(0.0).over(pieces)) == pieces


def test_a_stopped_engine_waits_for_one_large_image_only_so_long(tmp_path: Path) -> None:
    """A slow peer would hold up its end for hours: the image is aborted, and sent again later."""
    stopped: list[bool] = []
    item, more = outbound(tmp_path, pixels=30_000_000), outbound(tmp_path)

    def stop(_number: int, _conversation: Conversation) -> None:
        stopped.append(True)

    with scripted(midway=stop) as peer:
        pace = Pace(0.0, lambda: bool(stopped), drain_seconds=0.0)
        run = Run(lambda result: None, pace)
        pairs = next(batches([item, more]))
        sender = _Sender(
            destination(peer), CALLING, pairs, [item, more], run, lambda: bool(stopped)
        )
        sender.send()
        attempt = run.attempt([item, more])
    assert [r.answer for r in attempt.results] == [Answer.RETRY, Answer.PENDING]
    assert peer.received == []
