"""Sending instances to a destination, one after the other, each with its own answer.

The C-STORE SCU is here; `send` hands on to STOW-RS where the destination asks for it. An instance
is coerced when its turn comes and streamed: new header from memory, the rest from the original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from pydicom.uid import UID

from kiosk.delivery import dicomweb
from kiosk.delivery.body import NO_UID, Body, is_uid, opened
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
    run = Run(report)
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
    """The contexts that are needed, in order of appearance, as many as an association carries."""
    able = filter(_has_context, items)
    pairs = iter(dict.fromkeys((i.sop_class_uid, i.transfer_syntax_uid) for i in able))
    while batch := tuple(islice(pairs, MAX_CONTEXTS)):
        yield batch


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
        mine = (i for i in items if (i.sop_class_uid, i.transfer_syntax_uid) in wanted)
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
        """Whether any instance was answered before nothing was left or the association was over."""
        buffer = memoryview(bytearray(association.chunk))
        number, answered = 0, False
        while item is not None:
            if not association.quiet():
                self._turns.give_back(item)
                break
            number = number % 0xFFFF + 1
            then = self._send_one(association, item, number, buffer)
            answered = answered or then is not None
            if then is None or then is Then.ANEW:
                break
            item = self._turns.take()
        return answered

    def _send_one(
        self, association: Association, item: Outbound, number: int, buffer: memoryview
    ) -> Then | None:
        """Coerces, sends and judges one instance. None: the association is over, and what became
        of the instance is unknown."""
        context = association.accepted(item.sop_class_uid, item.transfer_syntax_uid)
        if context is None:
            self._run.answered(
                item.sop_instance_uid, Answer.REFUSED, comment=_refusal(association, item)
            )
            return Then.GO_ON
        try:
            with opened(item) as body:
                message = self._store(association, context.context_id, body, number, buffer)
        except CoercionRefused as e:
            self._run.answered(item.sop_instance_uid, Answer.HELD, comment=str(e))
            return Then.GO_ON
        except PeerProblem as e:
            self._run.answered(item.sop_instance_uid, Answer.RETRY, comment=str(e))
            self._lost(e)
            return None
        self._run.sent(body.length)
        return self._judge(item, body.coerced, message)

    def _store(
        self, association: Association, context_id: int, body: Body, number: int, buffer: memoryview
    ) -> Message:
        """The peer's answer to one C-STORE. Raises PeerProblem, and CoercionRefused when
        the original could not be read to its end."""
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
        try:
            association.send(context_id, request, body.chunks(buffer))
        except OSError:
            association.abort()  # half an instance is out: it cannot be ended otherwise
            raise
        seconds = self._destination.answer_seconds + body.length / _SLOWEST_FILING
        return association.response(Command.C_STORE_RSP, number, seconds)

    def _judge(self, item: Outbound, coerced: Coerced, message: Message) -> Then:
        status = message.number(Element.STATUS)
        what = reaction(status)
        if what.then is Then.ANEW and self._turns.second_chance(item):
            return Then.ANEW
        comment = message.text(Element.ERROR_COMMENT)
        self._run.answered(item.sop_instance_uid, what.answer, status, comment, coerced.changes)
        name = where(self._destination)
        if what.then is Then.BUSY:
            self._run.busy(
                f"{name} says that it is out of resources ({status:04X}). Check its disk."
            )
        if what.then is Then.STOP:
            self._run.stop(
                f"{name} says that we are not authorised ({status:04X}). Allow our AE title there.",
                retry=False,
            )
        return Then.GO_ON if what.then is Then.ANEW else what.then

    def _lost(self, problem: PeerProblem) -> None:
        """A peer that fell silent costs a whole time-out for each instance: it is left alone."""
        if problem.timed_out:
            self._run.stop(str(problem))
        else:
            self._run.trouble(str(problem))


def _refusal(association: Association, item: Outbound) -> str:
    """Why an instance has no context, for people (PS3.8 9.3.3.2)."""
    name, syntax = UID(item.sop_class_uid).name, UID(item.transfer_syntax_uid).name
    said = [c.result for c in association.contexts if c.abstract_syntax == item.sop_class_uid]
    if all(result == 3 for result in said):
        return f"the archive does not take {name}"
    return f"the archive does not take {name} encoded as {syntax}"
