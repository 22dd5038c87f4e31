"""The pipeline, as a table: the program on one screen.

| step    | unit     | from       | to                         | runs on          |
|---------|----------|------------|----------------------------|------------------|
| read    | Intake   | RECEIVED   | READ, FAILED               | a reader         |
| catalog | Intake   | READ       | CATALOGED, REJECTED        | cpu              |
| match   | Case     | OPEN       | RESOLVED, AWAITING         | cpu              |
| people  | Case     | AWAITING   | RESOLVED, REJECTED         | the desk         |
| release | Case     | RESOLVED   | RELEASED, AWAITING         | cpu              |
| late    | study    | CHOSEN     | (it is queued, too)        | cpu              |
| picture | wish     |            | (its pictures are made)    | pictures         |
| send    | Delivery | QUEUED     | SENT, HELD                 | its destination  |
| prove   | Delivery | SENT       | COMMITTED, QUEUED, HELD    | its destination  |
| purge   | Intake   | CLOSED     | (its bytes are gone)       | cpu              |
| recall  | Case     | RELEASED,  | RECALLED, then OPEN        | the desk         |
|         |          | DONE       |                            |                  |
| reject  | Withdra- | QUEUED     | SENT, COMMITTED, HELD      | its destination  |
| prove   | wal      | SENT       | COMMITTED, HELD            | its destination  |

The transaction that ends a Case's last Delivery ends the Case, and with its last Case the Intake
(`Transaction.end_case`). A step is a plain blocking function of (site, unit) that answers with
what is to be written; it runs outside any transaction, may be killed at any moment, and is safe to
run twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kiosk.engine import casework, choosing, delivering, reading
from kiosk.engine.parts import Settlement, Site
from kiosk.model.work import CaseState, DeliveryState, IntakeState
from kiosk.store import Lease, Transaction

LEASE_SECONDS = 60.0

Claim = Callable[[Transaction, str], tuple[Any, Lease] | None]
Stopping = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the table: how a row is claimed for it, kept, worked on, and given up."""

    name: str
    claim: Claim
    run: Callable[[Site, Any, Stopping], Settlement]
    extend: Callable[[Transaction, Lease], None]
    fail: Callable[[Transaction, Lease, str], None]


def _intake(name: str, state: IntakeState, run: Callable[[Site, Any], Settlement]) -> Step:
    return Step(
        name,
        lambda tx, owner: tx.intakes.claim(state, owner, LEASE_SECONDS),
        lambda site, unit, _stopping: run(site, unit),
        lambda tx, held: tx.intakes.extend(held, LEASE_SECONDS),
        lambda tx, held, code: tx.intakes.broke(held, code),
    )


def _case(name: str, state: CaseState, run: Callable[[Site, Any], Settlement]) -> Step:
    return Step(
        name,
        lambda tx, owner: tx.cases.claim(state, owner, LEASE_SECONDS),
        lambda site, unit, _stopping: run(site, unit),
        lambda tx, held: tx.cases.extend(held, LEASE_SECONDS),
        lambda tx, held, code: tx.cases.fail(held, code),
    )


READ = _intake("read", IntakeState.RECEIVED, reading.read)
CATALOG = _intake("catalog", IntakeState.READ, reading.catalog)
MATCH = _case("match", CaseState.OPEN, casework.match)
RELEASE = _case("release", CaseState.RESOLVED, casework.release)
LATE = Step(
    "late",
    lambda tx, owner: tx.choices.claim(owner, LEASE_SECONDS),
    lambda site, unit, _stopping: casework.release_late(site, unit),
    lambda tx, held: tx.choices.extend(held, LEASE_SECONDS),
    lambda tx, held, code: tx.choices.fail(held, code),
)
PICTURE = Step(
    "picture",
    lambda tx, owner: tx.pictures.claim(owner, LEASE_SECONDS),
    choosing.make_pictures,
    lambda tx, held: tx.pictures.extend(held, LEASE_SECONDS),
    lambda tx, held, _code: tx.pictures.granted(held),
)
TELL = Step(
    "tell",
    lambda tx, owner: tx.steps.claim(owner, LEASE_SECONDS),
    lambda site, unit, _stopping: delivering.tell(site, unit),
    lambda tx, held: tx.steps.extend(held, LEASE_SECONDS),
    lambda tx, held, code: tx.steps.told(held, "REFUSED", code),
)
PURGE = _intake("purge", IntakeState.CLOSED, reading.purge)


def _withdrawal(
    name: str,
    state: DeliveryState,
    destination: str,
    run: Callable[[Site, Any, Stopping], Settlement],
) -> Step:
    return Step(
        name,
        lambda tx, owner: tx.recalls.claim(state, destination, owner, LEASE_SECONDS),
        run,
        lambda tx, held: tx.recalls.extend(held, LEASE_SECONDS),
        lambda tx, held, code: tx.recalls.fail(held, code),
    )


def deliver(destination: str) -> tuple[Step, ...]:
    """The steps that one destination's worker takes, one after the other: a note that takes images
    back never overtakes a sender."""
    return (
        _withdrawal(
            "prove rejected",
            DeliveryState.SENT,
            destination,
            lambda site, unit, _stopping: delivering.prove_rejected(site, unit),
        ),
        _withdrawal("reject", DeliveryState.QUEUED, destination, delivering.reject),
        Step(
            "prove",
            lambda tx, owner: tx.deliveries.claim(
                DeliveryState.SENT, destination, owner, LEASE_SECONDS
            ),
            lambda site, unit, _stopping: delivering.prove(site, unit),
            lambda tx, held: tx.deliveries.extend(held, LEASE_SECONDS),
            lambda tx, held, code: tx.deliveries.fail(held, code),
        ),
        Step(
            "send",
            lambda tx, owner: tx.deliveries.claim(
                DeliveryState.QUEUED, destination, owner, LEASE_SECONDS
            ),
            delivering.send,
            lambda tx, held: tx.deliveries.extend(held, LEASE_SECONDS),
            lambda tx, held, code: tx.deliveries.fail(held, code),
        ),
    )
