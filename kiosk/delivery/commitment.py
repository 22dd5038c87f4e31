"""Storage commitment: the archive's word that it keeps what it took (PS3.4 annex J)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from kiosk.delivery.dimse import (
    NO_DATA_SET,
    UNDECODABLE,
    Association,
    Command,
    Element,
    Message,
    PeerProblem,
    Proposed,
    associate,
    encode_command,
)
from kiosk.model.delivery import CommitmentReport
from kiosk.policy.sections import Destination

COMMITMENT = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"  # well-known, PS3.4 J.3.5

_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a request: whether the archive took it on, its report if that came while the
    association was open, and whether it offers storage commitment at all."""

    accepted: bool
    report: CommitmentReport | None = None
    offered: bool = True


def commit(
    destination: Destination,
    calling_ae_title: str,
    references: Sequence[tuple[str, str]],
    transaction_uid: str,
    wait_seconds: float,
) -> Asked:
    """Asks the archive to commit itself to `references` (SOP class, SOP instance; each once) and
    keeps the association open for `wait_seconds` for its report (PS3.4 J.3). The report may also
    come on an association of the archive's own, hours later. `transaction_uid` is used once only.
    """
    try:
        proposed = [Proposed(COMMITMENT, (_EXPLICIT, _IMPLICIT))]
        with associate(destination, calling_ae_title, proposed) as association:
            context = association.accepted(COMMITMENT)
            if context is None:
                return Asked(False, offered=False)
            implicit = context.transfer_syntax == _IMPLICIT
            information = encode(_action(references, transaction_uid), implicit, True) or b""
            association.send_whole(context.context_id, _n_action(), information)
            return _await(association, transaction_uid, implicit, wait_seconds)
    except PeerProblem:
        return Asked(False)


def _n_action() -> bytes:
    return encode_command(
        {
            Element.REQUESTED_SOP_CLASS_UID: COMMITMENT,
            Element.COMMAND_FIELD: Command.N_ACTION_RQ,
            Element.MESSAGE_ID: 1,
            Element.DATA_SET_TYPE: 0x0001,
            Element.REQUESTED_SOP_INSTANCE_UID: COMMITMENT_INSTANCE,
            Element.ACTION_TYPE_ID: 1,
        }
    )


def _action(references: Sequence[tuple[str, str]], transaction_uid: str) -> Dataset:
    items = []
    for sop_class, sop_instance in dict.fromkeys(references):
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class
        item.ReferencedSOPInstanceUID = sop_instance
        items.append(item)
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = items
    return information


def _await(
    association: Association, transaction_uid: str, implicit: bool, wait_seconds: float
) -> Asked:
    """The report may come before the answer to N-ACTION, and one to an older request in between.
    An association that breaks after the answer takes nothing back."""
    accepted, report = False, None
    deadline: float | None = None
    try:
        while report is None or not accepted:
            if accepted and not association.readable(_left(deadline)):
                break
            message = association.receive()
            field = message.number(Element.COMMAND_FIELD)
            if field == Command.N_ACTION_RSP and message.number(Element.STATUS) == 0:
                accepted, deadline = True, time.monotonic() + wait_seconds
            elif field == Command.N_EVENT_REPORT_RQ:
                association.send(message.context_id, _event_answer(message))
                found = read_report(message.untrusted_data, implicit)
                if found is not None and found.transaction_uid == transaction_uid:
                    report = found
            else:
                return Asked(False)
    except PeerProblem:
        if not accepted:
            raise
    return Asked(True, report)


def _left(deadline: float | None) -> float:
    return max(0.0, deadline - time.monotonic()) if deadline else 0.0


def _event_answer(message: Message) -> bytes:
    return encode_command(
        {
            Element.AFFECTED_SOP_CLASS_UID: COMMITMENT,
            Element.COMMAND_FIELD: Command.N_EVENT_REPORT_RSP,
            Element.MESSAGE_ID_RESPONDED_TO: max(0, message.number(Element.MESSAGE_ID)),
            Element.DATA_SET_TYPE: NO_DATA_SET,
            Element.STATUS: 0,
            Element.AFFECTED_SOP_INSTANCE_UID: COMMITMENT_INSTANCE,
            Element.EVENT_TYPE_ID: max(0, message.number(Element.EVENT_TYPE_ID)),
        }
    )


def read_report(untrusted: bytes, implicit: bool) -> CommitmentReport | None:
    """The Event Information of an N-EVENT-REPORT (PS3.4 table J.3-2), None where it is none: one
    that names no instance says nothing."""
    try:
        found = _report(decode(BytesIO(untrusted), implicit, True))
    except UNDECODABLE:
        return None
    return found if found.committed or found.failed else None


def _report(information: Dataset) -> CommitmentReport:
    failed = information.get("FailedSOPSequence") or []
    committed = information.get("ReferencedSOPSequence") or []
    return CommitmentReport(
        str(information.TransactionUID),
        frozenset(str(item.ReferencedSOPInstanceUID) for item in committed),
        tuple((str(i.ReferencedSOPInstanceUID), int(i.FailureReason)) for i in failed),
    )
