"""What people may do about a case that went out: propose its recall, do it, leave it as it is."""

from __future__ import annotations

from kiosk.desk.acting import Acting
from kiosk.desk.refusal import Refused
from kiosk.desk.roles import Doing
from kiosk.desk.snapshots import Message, say
from kiosk.desk.writing import renewed
from kiosk.model.delivery import REJECTED
from kiosk.model.matching import Action
from kiosk.model.plain import to_plain
from kiosk.model.work import Case, CaseState, DeliveryState, Withdrawal
from kiosk.store import Transaction

SENT = (CaseState.RELEASED, CaseState.DONE)
WRONG_PATIENT = "113037"


class Recalling(Acting):
    """Commands of the desk, each one transaction."""

    def propose_recall(self, case: int, reason: str) -> None:
        """Somebody who found it asks a lead to recall it."""
        self._allow(Doing.PROPOSE_RECALL)
        with self._writing() as tx:
            tx.recalls.propose(_sent(tx, case), self.operator.name, _given(reason))

    def recall(self, case: int, reason: str, code: str = WRONG_PATIENT) -> None:
        """Takes the case back from every archive, to be decided anew. Two persons where the policy
        says so: one proposed it, another one does it."""
        self._allow(Doing.RECALL)
        if code not in REJECTED:
            raise Refused(say("KX-427"))
        with self._writing() as tx:
            found = _sent(tx, case)
            proposed_by, why = tx.recalls.proposed_by(case)
            if (refusal := self._alone(proposed_by)) is not None:
                raise Refused(refusal)
            data: dict[str, object] = {"reason": _given(reason), "code": code}
            if proposed_by:
                data |= {"proposed_by": proposed_by, "proposed_why": why}
            decided = found.resolution
            linked = decided is not None and decided.action is Action.LINK
            if decided and linked and code == WRONG_PATIENT and found.stated.foreign:
                tx.decisions.refuse(found, decided.local_key, self.operator.name, _given(reason))
            tx.recall(found, code, self.operator.name, data)

    def _alone(self, proposed_by: str) -> Message | None:
        if not self._policy.recall.two_persons:
            return None
        if not proposed_by:
            return say("KX-436")
        return say("KX-437") if proposed_by == self.operator.name else None

    def keep_sent(self, case: int, reason: str) -> None:
        """What happened after sending was looked at: what was sent stays as it is. What is unsent,
        and was withheld, goes out as the registration is now."""
        self._allow(Doing.DECIDE)
        with self._writing() as tx:
            found = _sent(tx, case)
            key = found.resolution.local_key if found.resolution else ""
            seen = tx.roster.survivor(key) if key else None
            tx.recalls.keep(found, self.operator.name, _given(reason), seen)
            if not tx.withholding.withheld(case):
                return
            renewal = renewed(tx, found, self._policy, self._now())
            if renewal is None:
                raise Refused(say("KX-446"))
            for row, plan in renewal.plans:
                tx.cases.set_plan(row, to_plain(plan))
            tx.cases.renewed(case, renewal.resolution)
            tx.withholding.go_on(case, self.operator.name)

    def taken_out(self, withdrawal: int, reason: str) -> None:
        """An archive that takes no rejection notes: somebody took the images out by hand."""
        self._allow(Doing.RECALL)
        with self._writing() as tx:
            found = _held(tx, withdrawal)
            tx.recalls.by_hand(found.id, self.operator.name, _given(reason))
            tx.end_recall(found.case)

    def withdraw_again(self, withdrawal: int) -> None:
        """The archive is told once more."""
        self._allow(Doing.RETRY)
        with self._writing() as tx:
            tx.recalls.retry(_held(tx, withdrawal).id, self.operator.name)


def _given(reason: str) -> str:
    if not reason.strip():
        raise Refused(say("KX-422"))
    return reason.strip()


def _sent(tx: Transaction, case: int) -> Case:
    try:
        found = tx.cases.get(case)
    except KeyError:
        raise Refused(say("KX-427")) from None
    if found.state not in SENT:
        raise Refused(say("KX-438"))
    return found


def _held(tx: Transaction, withdrawal: int) -> Withdrawal:
    try:
        found = tx.recalls.get(withdrawal)
    except KeyError:
        raise Refused(say("KX-427")) from None
    if found.state not in (DeliveryState.HELD, DeliveryState.FAILED):
        raise Refused(say("KX-429"))
    return found
