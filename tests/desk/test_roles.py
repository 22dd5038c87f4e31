"""Who may do what: one test per cell of the table, in the desk itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from kiosk.desk import ALLOWED, Desk, Doing, Refused, Role, may
from kiosk.model.matching import Action
from kiosk.model.patient import Identifier
from tests.desk.conftest import World

NOWHERE = 4711  # no such row: whoever may act is refused for that, not for the role

CALLS: dict[Doing, dict[str, Callable[[Desk], object]]] = {
    Doing.BRING: {
        "touch": lambda d: d.touch(),
        "bring": lambda d: d.bring(__import__("pathlib").Path("/nowhere")),
        "pick": lambda d: d.pick(NOWHERE, Identifier("1", "HOSP")),
        "find": lambda d: d.find(NOWHERE, "DOE"),
        "eject": lambda d: d.eject("/dev/sr0"),
        "finish": lambda d: d.finish(NOWHERE),
        "read_on": lambda d: d.read_on(NOWHERE),
        "to_him": lambda d: d.to_him(NOWHERE),
    },
    Doing.CONFIRM: {"confirm": lambda d: d.confirm(NOWHERE, "1")},
    Doing.PROPOSE_RECALL: {"propose_recall": lambda d: d.propose_recall(NOWHERE, "wrong man")},
    Doing.RECALL: {
        "recall": lambda d: d.recall(NOWHERE, "wrong man"),
        "taken_out": lambda d: d.taken_out(NOWHERE, "deleted there"),
    },
    Doing.DECIDE: {
        "keep_sent": lambda d: d.keep_sent(NOWHERE, "it is right"),
        "resolve": lambda d: d.resolve(NOWHERE, Action.NOT_OURS, "", "wrong disc"),
        "refuse": lambda d: d.refuse(NOWHERE, "1", "two persons"),
    },
    Doing.REVOKE: {"revoke": lambda d: d.revoke(NOWHERE, 1, "wrong")},
    Doing.ASSIGN: {
        "assign": lambda d: d.assign(NOWHERE),
        "unassign": lambda d: d.unassign(NOWHERE),
    },
    Doing.RETRY: {
        "retry": lambda d: d.retry(NOWHERE),
        "withdraw_again": lambda d: d.withdraw_again(NOWHERE),
    },
    Doing.PAUSE: {
        "pause": lambda d: d.pause("PACS"),
        "resume": lambda d: d.resume("PACS"),
    },
    Doing.SEE_WORKLIST: {
        "worklist": lambda d: d.worklist(),
        "compare": lambda d: d.compare(NOWHERE),
    },
    Doing.SEE_HEALTH: {
        "health": lambda d: d.health(),
        "deliveries": lambda d: d.deliveries(),
        "check": lambda d: d.check(),
    },
}
UNGUARDED = {"pulse"}  # says only that something changed
CELLS = [(role, doing, name) for doing, calls in CALLS.items() for name in calls for role in Role]


@pytest.mark.parametrize(("role", "doing", "name"), CELLS)
def test_the_desk_itself_refuses_what_a_role_may_not_do(
    role: Role, doing: Doing, name: str, world: World
) -> None:
    """Hiding a button is not enough: every query and command asks the table."""
    desk = world.desk(role)
    refused = ""
    try:
        CALLS[doing][name](desk)
    except Refused as refusal:
        refused = refusal.message.id
    assert (refused == "KX-410") is not (role in ALLOWED[doing])


def test_every_public_call_of_the_desk_is_in_the_table() -> None:
    """A new query or command without a row in the table fails here."""
    public = {n for n, f in inspect.getmembers(Desk, inspect.isfunction) if n[0] != "_"}
    assert public - UNGUARDED == {name for calls in CALLS.values() for name in calls}


def test_what_no_role_was_given_is_denied() -> None:
    """Deny by default: an auditor may do none of this."""
    assert not any(may(Role.AUDITOR, doing) for doing in Doing)
