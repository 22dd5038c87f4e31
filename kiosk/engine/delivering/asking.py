"""Asking an archive for its commitment, without waiting for the answer: the report finds its
delivery by the Transaction UID, on whatever association and whenever it comes."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence

from kiosk import delivery
from kiosk.engine.parts import Site
from kiosk.model.content import Instance
from kiosk.model.delivery import CommitmentReport
from kiosk.model.work import CaseState, Delivery
from kiosk.policy.sections import Destination
from kiosk.store import DatabaseBusy, Transaction

NOT_KEPT = "The archive {name} says that it does not keep {n} of these images."


def may_ask(site: Site, target: Destination, work: Delivery) -> bool:
    """Whether a request is worth its association: once for what was sent, of a DICOM archive that
    takes requests."""
    able = target.kind == "dicom" and target.name not in site.unwilling
    return target.commitment and able and not work.transaction_uid


def ask(site: Site, target: Destination, work: Delivery, sent: Sequence[Instance]) -> None:
    """Asks on a thread of its own: neither the proof nor the next study waits for the report."""
    transaction_uid = f"2.25.{uuid.uuid4().int}"
    with site.store.begin() as tx:
        tx.commitments.ask(work.id, transaction_uid)
    references = [(i.sop_class_uid, i.sop_instance_uid) for i in sent]
    threading.Thread(
        target=_converse,
        args=(site, target, references, transaction_uid),
        name=f"commitment:{target.name}",
        daemon=True,
    ).start()


def _converse(
    site: Site, target: Destination, references: Sequence[tuple[str, str]], transaction_uid: str
) -> None:
    """An archive that has let one association wait in vain is believed to report on its own ones:
    the next request's is released at once, until it does report on one."""
    wait = 0.0 if target.name in site.silent else target.commitment_wait_seconds
    site.silent.add(target.name)  # one association waits there at a time
    asked = delivery.commit(
        target, calling(site, target), references, transaction_uid, wait_seconds=wait
    )
    if not asked.offered:
        site.unwilling.add(target.name)
    if asked.report is not None:
        site.silent.discard(target.name)
    elif asked.accepted:
        return
    try:
        with site.store.begin() as tx:
            if asked.report is not None:
                take_report(tx, asked.report)
            else:
                tx.commitments.refused(transaction_uid)
    except DatabaseBusy:
        return  # the query proves it, or the archive is asked again


def take_report(tx: Transaction, untrusted: CommitmentReport) -> bool:
    """Keeps a report; whether it counted. Images that the archive does not keep although they were
    proved before are a person's matter: their case is flagged."""
    id = tx.commitments.reported(untrusted)
    if id is None:
        return False
    found = tx.deliveries.get(id)
    kept = tx.commitments.report(id)
    if kept is not None and kept.failed and tx.cases.get(found.case).state is CaseState.DONE:
        tx.cases.flag(found.case, NOT_KEPT.format(name=found.destination, n=len(kept.failed)))
    return True


def calling(site: Site, target: Destination) -> str:
    """The AE title that we show there."""
    return target.calling_ae_title or site.policy.site.ae_title
