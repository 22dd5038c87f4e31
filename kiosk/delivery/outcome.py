"""What a status means for one instance and for the rest, and the bookkeeping of one attempt: whose
turn it is, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Lock

from kiosk.delivery.pacing import Pace
from kiosk.model.delivery import Answer, Attempt, Change, InstanceResult, Outbound


class Then(Enum):
    """What the sender does after an instance's answer."""

    GO_ON = auto()
    BUSY = auto()  # go on, but a row of these stops the attempt and pauses the destination
    ANEW = auto()  # once more on a new association, then REFUSED
    STOP = auto()  # nothing more to this destination until IT has looked


@dataclass(frozen=True, slots=True)
class Reaction:
    answer: Answer
    then: Then = Then.GO_ON


_ACCEPTED = Reaction(Answer.ACCEPTED)
_REFUSED = Reaction(Answer.REFUSED)
_RETRY = Reaction(Answer.RETRY)
_BUSY = Reaction(Answer.RETRY, Then.BUSY)
_ANEW = Reaction(Answer.REFUSED, Then.ANEW)

_EXACT = {
    0x0000: _ACCEPTED,
    0x0001: _ACCEPTED,  # warnings of PS3.7 annex C: stored
    0x0107: _ACCEPTED,
    0x0116: _ACCEPTED,
    0x0110: _RETRY,  # processing failure: may pass, the caller counts the tries
    0x0111: _ACCEPTED,  # duplicate SOP instance: verification tells whether it is ours
    0x0117: _REFUSED,
    0x0122: _REFUSED,
    0x0124: Reaction(Answer.PENDING, Then.STOP),  # not authorised: not the instance's fault
    0x0213: _BUSY,
}


def reaction(status: int) -> Reaction:
    """To a C-STORE status or a STOW-RS failure reason, by range (PS3.4 B.2.3, PS3.7 annex C).
    Any number is answered: a peer may send what no table has."""
    if status in _EXACT:
        return _EXACT[status]
    if status & 0xF000 == 0xB000:
        return _ACCEPTED  # coerced, discarded or not matching, but stored
    if status & 0xFF00 == 0xA700:
        return _BUSY
    if status & 0xFF00 == 0xA900 or status & 0xF000 == 0xC000:
        return _REFUSED  # it would not be understood better again: there are no other bytes of it
    return _ANEW


BUSY_IN_A_ROW = 3  # some peers say "out of resources" for one odd instance: three say it of them


@dataclass(slots=True)
class Run:
    """One attempt while it lasts: results by instance, told to `report` as they come. Safe to
    use from several associations at once."""

    report: Callable[[InstanceResult], None]
    pace: Pace = field(default_factory=lambda: Pace(0.0))
    started: float = field(default_factory=time.monotonic)
    results: dict[str, InstanceResult] = field(default_factory=dict)
    bytes: int = 0
    problem: str = ""
    retry: bool = False
    pause: bool = False
    wait_seconds: float = 0.0
    stopped: bool = False
    _busy: int = 0
    _lock: Lock = field(default_factory=Lock)

    def answered(
        self,
        sop_instance_uid: str,
        answer: Answer,
        code: int = -1,
        comment: str = "",
        changes: tuple[Change, ...] = (),
    ) -> None:
        """An instance's answer is in; the last one counts."""
        result = InstanceResult(sop_instance_uid, answer, code, comment, changes)
        with self._lock:
            self.results[sop_instance_uid] = result
            self.retry = self.retry or answer is Answer.RETRY
            if answer is Answer.ACCEPTED:
                self._busy = 0
            self.report(result)

    def sent(self, count: int) -> None:
        """`count` bytes of a data set were sent and answered."""
        with self._lock:
            self.bytes += count

    def busy(self, sentence: str) -> None:
        """The peer said that it has no room; after a row of these nothing more is sent."""
        with self._lock:
            self._busy += 1
            row = self._busy >= BUSY_IN_A_ROW
        if row:
            self.stop(sentence)

    def trouble(self, sentence: str, *, retry: bool = True) -> None:
        """Something for IT to read; the attempt goes on. The first sentence is kept."""
        with self._lock:
            self.problem = self.problem or sentence
            self.retry = self.retry or retry

    def stop(self, sentence: str, *, retry: bool = True, wait_seconds: float = 0.0) -> None:
        """Nothing more is sent in this attempt, and the whole destination should wait."""
        with self._lock:
            self.problem = self.problem or sentence
            self.retry, self.pause, self.stopped = retry, True, True
            self.wait_seconds = max(self.wait_seconds, wait_seconds)

    def attempt(self, items: Iterable[Outbound]) -> Attempt:
        """The attempt's account: every item once, PENDING where its turn did not come."""
        uids = [item.sop_instance_uid for item in items]
        nothing_passed = all(r.answer is Answer.RETRY for r in self.results.values())
        return Attempt(
            tuple(self.results.get(u) or InstanceResult(u, Answer.PENDING) for u in uids),
            self.problem,
            self.retry,
            self.pause or bool(self._busy and nothing_passed),
            time.monotonic() - self.started,
            self.bytes,
            self.wait_seconds,
        )


@dataclass(slots=True)
class Turns:
    """Whose turn it is, for one or several associations. `again` are instances to try once more,
    `tried` those that had their second chance."""

    items: Iterator[Outbound]
    over: Callable[[], bool]
    again: list[Outbound] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def take(self) -> Outbound | None:
        with self._lock:
            if self.over():
                return None
            return self.again.pop() if self.again else next(self.items, None)

    def give_back(self, item: Outbound) -> None:
        with self._lock:
            self.again.append(item)

    def second_chance(self, item: Outbound) -> bool:
        with self._lock:
            first = item.sop_instance_uid not in self.tried
            self.tried.add(item.sop_instance_uid)
            if first:
                self.again.append(item)
            return first


def side_by_side(count: int, work: Callable[[], None]) -> None:
    """`work` here and on `count - 1` threads, until all have returned."""
    if count == 1:  # no thread where none is needed
        work()
        return
    with ThreadPoolExecutor(count - 1, "association") as pool:
        others = [pool.submit(work) for _ in range(count - 1)]
        work()
        for other in others:
            other.result()
