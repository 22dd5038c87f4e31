"""Deciding a case: whose scans these are, and what is remembered of it."""

from __future__ import annotations

from kiosk.desk import seconding
from kiosk.desk.acting import Acting
from kiosk.desk.refusal import Refused
from kiosk.desk.roles import Doing
from kiosk.desk.snapshots import say
from kiosk.desk.views import him, memory
from kiosk.model.matching import Action, Resolution
from kiosk.model.patient import LocalPatient, PatientIdentity, PatientStatus
from kiosk.model.work import Case, IllegalMove
from kiosk.store import Transaction


class Deciding(Acting):
    """Commands of the desk, each one transaction."""

    def resolve(
        self,
        case: int,
        action: Action,
        local_key: str,
        reason: str,
        shown: PatientIdentity | None = None,
    ) -> None:
        """Decides a case that waits: same person as a candidate, import-only, or not ours. `shown`
        is the candidate as the screen had it: about another one nobody has decided."""
        self._allow(Doing.DECIDE)
        if not reason.strip():
            raise Refused(say("KX-422"))
        self._settle(case, action, local_key, reason.strip(), shown)

    def refuse(
        self, case: int, local_key: str, reason: str, shown: PatientIdentity | None = None
    ) -> None:
        """This candidate is another person: remembered for the same foreign identity. The case
        goes on waiting."""
        self._allow(Doing.DECIDE)
        if not reason.strip():
            raise Refused(say("KX-422"))
        with self._writing() as tx:
            found = case_of(tx, case)
            if (refusal := him.blocked(found, self.operator.name)) is not None:
                raise Refused(refusal)
            if not found.stated.foreign:
                raise Refused(say("KX-432"))
            local = _candidate(tx, found, local_key, shown)
            tx.decisions.refuse(found, local.key, self.operator.name, reason.strip())
            memory.look_again(tx, found, self.operator.name, "decided before", itself=False)

    def revoke(self, case: int, remembered: int, reason: str) -> None:
        """Takes back an earlier judgement that this case shows; what is open with the same foreign
        identity is matched again. What was decided by it stays decided."""
        self._allow(Doing.REVOKE)
        if not reason.strip():
            raise Refused(say("KX-422"))
        with self._writing() as tx:
            found = case_of(tx, case)
            known = {m.id: m for m in tx.decisions.about(found.stated)}
            if remembered not in known:
                raise Refused(say("KX-427"))
            if not memory.may_revoke(known[remembered], self.operator):
                raise Refused(say("KX-431", owner=known[remembered].by))
            tx.decisions.revoke(remembered, self.operator.name, reason.strip())
            memory.look_again(tx, found, self.operator.name, "decision revoked", itself=True)

    def _settle(
        self,
        case: int,
        action: Action,
        local_key: str,
        reason: str,
        shown: PatientIdentity | None = None,
    ) -> None:
        with self._writing() as tx:
            found = case_of(tx, case)
            if (refusal := him.blocked(found, self.operator.name)) is not None:
                raise Refused(refusal)
            local = _candidate(tx, found, local_key, shown) if action is Action.LINK else None
            with_whom = (self.operator, self._policy, self._now())
            first = seconding.seconded(tx, found, local, reason, *with_whom)
            if first is None:
                return  # until a second person says the same
            if local is not None and local.source:
                local = _entered(tx, local)
            resolution = Resolution(
                action,
                self.operator.name,
                self._now().isoformat(timespec="seconds"),
                reason,
                local.identity if local else None,
                local.key if local else "",
                found.picked,
                second=first,
                policy_hash=self._policy.hash,
            )
            try:
                tx.cases.resolve(case, resolution, tx.decisions.about(found.stated))
            except IllegalMove:
                raise Refused(say("KX-421")) from None
            memory.look_again(tx, found, self.operator.name, "decided before", itself=False)
            tx.end_case(case)


def case_of(tx: Transaction, case: int) -> Case:
    try:
        return tx.cases.get(case)
    except KeyError:
        raise Refused(say("KX-427")) from None


def _candidate(
    tx: Transaction, case: Case, local_key: str, shown: PatientIdentity | None
) -> LocalPatient:
    """The roster's record as it is now: a merge, a hold or another name since the list was made or
    the screen was drawn is refused, for nobody has seen it."""
    listed = {c.local.key: c.local for c in case.proposal.candidates} if case.proposal else {}
    local = tx.roster.get(local_key) if local_key in listed else None
    if local_key in listed and listed[local_key].source:
        local = listed[local_key]  # whom only another register knows is as it named him
    if local is None or local.status is not PatientStatus.ACTIVE or local.merged_into:
        raise Refused(say("KX-423"))
    if local.identity != listed[local_key].identity or shown not in (None, local.identity):
        raise Refused(say("KX-423"))
    return local


def _entered(tx: Transaction, named: LocalPatient) -> LocalPatient:
    """Whom another register named becomes a record of ours by being chosen; the feed's messages
    are about it from now on. One of whom the feed told meanwhile is to be looked at first."""
    local = tx.roster.enter(named)
    if local is None:
        raise Refused(say("KX-423"))
    return local
