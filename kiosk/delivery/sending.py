"""Sending instances to a destination, one after the other, each with its own answer.

The C-STORE SCU is here; `send` hands on to STOW-RS where the destination asks for it. An instance
is coerced when its turn comes and streamed: new header from memory, the rest from the original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from pydicom.uid import UID

from kiosk.delivery import dicomweb
from kiosk.delivery.body import NO_UID, Body, Buffers, is_uid, opened, unchanged
from kiosk.delivery.dimse import (
    Association,
    Command,
    Element,
    Message,
    PeerProblem,
    Proposed,
    associate,
    encode_command,
    where,
)
from kiosk.delivery.outcome import Run, Then, Turns, reaction, side_by_side
from kiosk.delivery.pacing import Pace
from kiosk.model.delivery import (
    Answer,
    Attempt,
    Coerced,
    CoercionRefused,
    InstanceResult,
    Outbound,
)
from kiosk.policy.sections import Destination

MAX_CONTEXTS = 128  # odd identifiers 1 to 255, PS3.8 9.3.2.2
IMPLICIT = "1.2.840.10008.1.2"  # every archive takes it (PS3.5 10.1)
EXPLICIT = "1.2.840.10008.1.2.1"
INSTEAD = (EXPLICIT, IMPLICIT)  # of what an archive does not take, the first that it does
_TOGETHER = 8  # of 128 KiB in one write: each write costs a change of who has the processor
LOST_IN_A_ROW = 5  # some peers abort for one instance that they cannot parse
_SLOWEST_FILING = 10_000_000  # bytes a second: a large instance is answered later than a small one

Pair = tuple[str, str]  # SOP class, transfer syntax


def send(
    destination: Destination,
    calling_ae_title: str,
    items: Iterable[Outbound],
    report: Callable[[InstanceResult], None],
    stopping: Callable[[], bool],
) -> Attempt:
    """One try to send `items` (a sequence that can be walked again) to `destination`.

    `report` gets each instance's result as soon as it is known, by one thread at a time. Once
    `stopping()` is true the association is released in order and the rest stays PENDING. Nothing
    is raised for what a peer does: see Attempt.problem, retry and pause. ACCEPTED is the peer's
    word only; `verify` proves it.
    """
    run = Run(report, Pace(destination.megabits, stopping))
    if destination.kind == "stow":
        dicomweb.store(destination, items, run, stopping)
    else:
        for item in items:
            if not _has_context(item):
                run.answered(item.sop_instance_uid, Answer.HELD, comment=NO_UID)
        for batch in batches(items):
            _Sender(destination, calling_ae_title, batch, items, run, stopping).send()
    return run.attempt(items)


def batches(items: Iterable[Outbound]) -> Iterator[Sequence[Pair]]:
    """The contexts that are needed, in order of appearance, as many as an association carries, each
    class with what its instances can be sent as where their own syntax is refused."""
    able = filter(_has_context, items)
    batch: dict[Pair, None] = {}
    for sop_class, *syntaxes in dict.fromkeys((i.sop_class_uid, *_syntaxes(i)) for i in able):
        wanted = dict.fromkeys((sop_class, syntax) for syntax in syntaxes)
        if len(batch | wanted) > MAX_CONTEXTS:
            yield tuple(batch)
            batch = {}
        batch |= wanted
    if batch:
        yield tuple(batch)


def _syntaxes(item: Outbound) -> tuple[str, ...]:
    """Its own, and those that no archive may refuse (PS3.5 10.1) or that it can be made into."""
    if item.transcode is None:
        return item.transfer_syntax_uid, IMPLICIT
    return item.transfer_syntax_uid, *INSTEAD


def _has_context(item: Outbound) -> bool:
    return is_uid(item.sop_class_uid) and is_uid(item.transfer_syntax_uid)


class _Sender:
    """Sends one batch over `destination.associations` associations, each again when it was lost."""

    def __init__(
        self,
        destination: Destination,
        calling_ae_title: str,
        batch: Sequence[Pair],
        items: Iterable[Outbound],
        run: Run,
        stopping: Callable[[], bool],
    ) -> None:
        self._destination = destination
        self._calling = calling_ae_title
        # One syntax to a context: an acceptor picks only one of those offered in it (PS3.8
        # 9.3.3.2), and the instances in the others could then not be sent.
        self._proposed = [Proposed(sop_class, (syntax,)) for sop_class, syntax in batch]
        wanted = frozenset(batch)
        mine = (
            i
            for i in items
            if (i.sop_class_uid, i.transfer_syntax_uid) in wanted
            and i.sop_instance_uid not in run.results  # its context was in an earlier batch too
        )
        self._turns = Turns(mine, lambda: run.stopped or stopping())
        self._run = run

    def send(self) -> None:
        """Peers limit how many associations they keep: one that cannot be had is the
        destination's failure only when it is the only one asked for, which is then tried."""
        if self._destination.associations > 1:
            side_by_side(self._destination.associations, self._work_beside)
        self._work()

    def _work_beside(self) -> None:
        try:
            self._send_what_is_left()
        except PeerProblem:
            return

    def _work(self) -> None:
        try:
            self._send_what_is_left()
        except PeerProblem as e:
            self._run.stop(str(e), retry=e.retry)

    def _send_what_is_left(self) -> None:
        """One association after another. Raises PeerProblem when one cannot be had."""
        lost = 0
        while (item := self._turns.take()) is not None:
            try:
                with associate(self._destination, self._calling, self._proposed) as association:
                    lost = 0 if self._send_while_open(association, item) else lost + 1
            except PeerProblem:
                self._turns.give_back(item)
                raise
            if lost >= LOST_IN_A_ROW:
                name = where(self._destination)
                self._run.stop(f"{name} keeps ending associations. Look in its log for the cause.")

    def _send_while_open(self, association: Association, item: Outbound | None) -> bool:
        """Whether any instance was answered or none was left to send."""
        buffer, buffers = memoryview(bytearray(association.chunk)), Buffers()
        ready = self._ready(association, item, buffers)
        answered = ready is None
        number = 0
        while ready is not None and not self._turns.over() and association.quiet():
            body, ready = ready, None
            number = number % 0xFFFF + 1
            try:
                self._request(association, body, number, buffer)
                # The next one is made ready while the peer files this one.
                ready = self._ready(association, self._turns.take(), buffers)
                message = association.response(Command.C_STORE_RSP, number, self._patience(body))
            except (PeerProblem, CoercionRefused) as e:
                association.abort()  # half a message cannot be ended otherwise
                self._lost(body, e)
                break
            finally:
                body.close()
            answered = True
            if self._judge(body, message) is Then.ANEW:
                break
        if ready is not None:
            self._turns.give_back(ready.item)
            ready.close()
        return answered

    def _ready(
        self, association: Association, item: Outbound | None, buffers: Buffers
    ) -> Body | None:
        """The first instance from `item` on that can be sent; those before it have their answer."""
        while item is not None:
            item = _as_accepted(association, item)
            uid = item.sop_instance_uid
            if association.accepted(item.sop_class_uid, item.transfer_syntax_uid) is None:
                self._run.answered(uid, Answer.REFUSED, comment=_refusal(association, item))
            else:
                try:
                    return opened(item, buffers)
                except CoercionRefused as e:
                    self._run.answered(uid, Answer.HELD, comment=str(e))
            item = self._turns.take()
        return None

    def _request(
        self, association: Association, body: Body, number: int, buffer: memoryview
    ) -> None:
        item = body.item
        context = association.accepted(item.sop_class_uid, item.transfer_syntax_uid)
        assert context is not None  # else it had not become ready
        request = encode_command(
            {
                Element.AFFECTED_SOP_CLASS_UID: body.coerced.sop_class_uid,
                Element.COMMAND_FIELD: Command.C_STORE_RQ,
                Element.MESSAGE_ID: number,
                Element.PRIORITY: 0,
                Element.DATA_SET_TYPE: 0x0001,
                Element.AFFECTED_SOP_INSTANCE_UID: body.coerced.sop_instance_uid,
            }
        )
        together = 1 if self._destination.megabits else _TOGETHER
        pieces = self._run.pace.over(body.chunks(buffer, together=together))
        association.send(context.context_id, request, pieces)

    def _patience(self, body: Body) -> float:
        return self._destination.answer_seconds + body.length / _SLOWEST_FILING

    def _lost(self, body: Body, problem: PeerProblem | CoercionRefused) -> None:
        """What became of the instance is unknown, or half of it is out and the rest unreadable:
        the association is over. A peer that fell silent costs a whole time-out for each instance,
        so it is left alone."""
        held = isinstance(problem, CoercionRefused)
        answer = Answer.HELD if held else Answer.RETRY
        self._run.answered(body.item.sop_instance_uid, answer, comment=str(problem))
        if isinstance(problem, PeerProblem):
            stop = self._run.stop if problem.timed_out else self._run.trouble
            stop(str(problem))

    def _judge(self, body: Body, message: Message) -> Then:
        self._run.sent(body.length)
        status = message.number(Element.STATUS)
        what = reaction(status)
        if what.then is Then.ANEW and self._turns.second_chance(body.item):
            return Then.ANEW
        comment = message.text(Element.ERROR_COMMENT)
        uid, changes = body.item.sop_instance_uid, body.coerced.changes
        self._run.answered(uid, what.answer, status, comment, changes)
        name = where(self._destination)
        if what.then is Then.BUSY:
            self._run.busy(f"{name} is out of resources ({status:04X}). Check its disk and log.")
        if what.then is Then.STOP:
            self._run.stop(
                f"{name} says that we are not authorised ({status:04X}). Allow our AE title there.",
                retry=False,
            )
        return Then.GO_ON if what.then is Then.ANEW else what.then


def _as_accepted(association: Association, item: Outbound) -> Outbound:
    """`item` as it is where the archive takes that, else in another syntax that it takes."""
    if association.accepted(item.sop_class_uid, item.transfer_syntax_uid) is not None:
        return item
    taken = (s for s in INSTEAD if association.accepted(item.sop_class_uid, s) is not None)
    other = next(taken, None)
    if item.transcode is None or other is None:
        return item
    coerce = partial(_transcoded, item, item.transcode, other)
    return replace(item, transfer_syntax_uid=other, coerce=coerce, transcode=None)


def _transcoded(
    item: Outbound, transcode: Callable[[Coerced, str], Coerced], syntax: str
) -> Coerced:
    coerced = item.coerce()
    made = transcode(coerced, syntax)
    if made.made is not None:
        try:
            unchanged(item, coerced.tail)
        except CoercionRefused:
            made.made.close()
            raise
    return made


def _refusal(association: Association, item: Outbound) -> str:
    """Why an instance has no context, for people (PS3.8 9.3.3.2)."""
    name, syntax = UID(item.sop_class_uid).name, UID(item.transfer_syntax_uid).name
    said = [c.result for c in association.contexts if c.abstract_syntax == item.sop_class_uid]
    if all(result == 3 for result in said):
        return f"the archive does not take {name}"
    return f"the archive does not take {name} encoded as {syntax}"
