"""Storage commitment: the archive's word that it keeps what it took (PS3.4 annex J)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
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

VERIFICATION = "1.2.840.10008.1.1"
COMMITMENT = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"  # well-known, PS3.4 J.3.5

_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"


def commit(
    destination: Destination,
    calling_ae_title: str,
    references: Sequence[tuple[str, str]],
    transaction_uid: str,
) -> CommitmentReport | None:
    """Asks the archive to commit itself to `references` (SOP class, SOP instance; each once) and
    waits `commitment_wait_seconds` for its report on the same association (PS3.4 J.3).

    None when it does not offer commitment or did not report in time: the report may still come on
    an association of its own, and a query proves more. `transaction_uid` is used once only.
    """
    try:
        proposed = [Proposed(COMMITMENT, (_EXPLICIT, _IMPLICIT))]
        with associate(destination, calling_ae_title, proposed) as association:
            context = association.accepted(COMMITMENT)
            if context is None:
                return None
            implicit = context.transfer_syntax == _IMPLICIT
            information = encode(_action(references, transaction_uid), implicit, True) or b""
            association.send_whole(context.context_id, _n_action(), information)
            deadline = time.monotonic() + destination.commitment_wait_seconds
            return _await_report(association, transaction_uid, implicit, deadline)
    except PeerProblem:
        return None


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


def _await_report(
    association: Association, transaction_uid: str, implicit: bool, deadline: float
) -> CommitmentReport | None:
    """The report may come before the answer to N-ACTION, and one to an older request in between."""
    while association.readable(max(0.0, deadline - time.monotonic())):
        message = association.receive()
        field = message.number(Element.COMMAND_FIELD)
        if field == Command.N_ACTION_RSP and message.number(Element.STATUS) == 0:
            continue
        if field != Command.N_EVENT_REPORT_RQ:
            return None
        association.send(message.context_id, _event_answer(message))
        report = _read_event(message, implicit)
        if report.transaction_uid == transaction_uid:
            return report
    return None


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


def _read_event(message: Message, implicit: bool) -> CommitmentReport:
    try:
        return _report(decode(BytesIO(message.untrusted_data), implicit, True))
    except UNDECODABLE as e:
        raise PeerProblem("The archive's commitment report cannot be read.") from e


def _report(information: Dataset) -> CommitmentReport:
    failed = information.get("FailedSOPSequence") or []
    committed = information.get("ReferencedSOPSequence") or []
    return CommitmentReport(
        str(information.TransactionUID),
        frozenset(str(item.ReferencedSOPInstanceUID) for item in committed),
        tuple((str(i.ReferencedSOPInstanceUID), int(i.FailureReason)) for i in failed),
    )


@contextmanager
def commitment_listener(
    address: tuple[str, int], ae_title: str, on_report: Callable[[CommitmentReport], None]
) -> Iterator[tuple[str, int]]:
    """Listens for commitment reports that archives send on associations of their own, while the
    `with` block lasts; gives the address that it listens on (port 0: one is chosen).

    `on_report` is called on another thread. What is no report is answered 0110 and forgotten."""

    def received(event: evt.Event) -> tuple[int, None]:
        try:
            report = _report(event.event_information)
        except UNDECODABLE:
            return 0x0110, None
        on_report(report)
        return 0x0000, None

    ae = AE(ae_title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 30
    ae.require_called_aet = True
    ae.add_supported_context(COMMITMENT, scu_role=False, scp_role=True)
    ae.add_supported_context(VERIFICATION)
    server = ae.start_server(
        address, block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, received)]
    )
    assert server is not None  # None only where it blocks
    try:
        yield (address[0], int(server.server_address[1]))
    finally:
        server.shutdown()
