"""Who may do what: one test per cell of the table, in the desk itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
        "receipt": lambda d: d.receipt(NOWHERE),
        "print_receipt": lambda d: d.print_receipt(NOWHERE, b"%PDF-"),
        "finish": lambda d: d.finish(NOWHERE),
        "choose": lambda d: d.choose(NOWHERE, (1,)),
        "read_on": lambda d: d.read_on(NOWHERE),
        "to_him": lambda d: d.to_him(NOWHERE),
    },
    Doing.TRIAGE: {
        "triage": lambda d: d.triage(),
        "view": lambda d: d.view(NOWHERE),
        "frames": lambda d: d.frames(NOWHERE, NOWHERE, 0, 1),
        "accept": lambda d: d.accept(NOWHERE),
        "hold": lambda d: d.hold(NOWHERE, "ask them"),
        "discard": lambda d: d.discard(NOWHERE, "a holiday photo"),
        "want": lambda d: d.want(NOWHERE, "the surgeon asks"),
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
    Doing.SEE_REPORTS: {
        "reports": lambda d: d.reports("nothing"),
        "export_report": lambda d: d.export_report("nothing", 1),
    },
    Doing.PEOPLE: {
        "people": lambda d: d.people(),
        "add_person": lambda d: d.add_person("nora", Role.HIM, "", "new here"),
        "set_role": lambda d: d.set_role(NOWHERE, Role.HIM, "moved"),
        "set_standing": lambda d: d.set_standing(NOWHERE, "locked", "left"),
        "set_badge": lambda d: d.set_badge(NOWHERE, "04A1B2", "new badge"),
        "set_secret": lambda d: d.set_secret(NOWHERE, "pin", "908172", "forgotten"),
    },
}
# `pulse` says only that something changed; the others are how anybody comes in, and goes.
UNGUARDED = {"pulse", "entrance", "badge", "sign_in", "back", "sign_out", "lock", "emergency"}
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


Y, N = True, False
F, H, L, I, A = Role.FRONT_DESK, Role.HIM, Role.HIM_LEAD, Role.IT, Role.AUDITOR  # noqa: E741
# UX D-2, as far as the desk can do it: who may, in the order front desk, HIM, lead, IT, auditor.
TABLE: dict[Doing, tuple[bool, bool, bool, bool, bool]] = {
    Doing.BRING: (Y, Y, Y, N, N),  # read disc, tick, send on green
    Doing.CONFIRM: (N, Y, Y, N, N),  # "same person" on amber; front desk: the policy's word
    Doing.DECIDE: (N, Y, Y, N, N),  # decide red
    Doing.PROPOSE_RECALL: (N, Y, Y, N, N),
    Doing.RECALL: (N, N, Y, N, N),
    Doing.TRIAGE: (N, Y, Y, N, N),  # and a right of its own, for a nurse or a radiologist
    Doing.RETRY: (N, N, Y, Y, N),
    Doing.PAUSE: (N, N, Y, Y, N),
    Doing.SECOND: (N, N, Y, N, N),  # two-person items: the second person
    Doing.SEE_REPORTS: (N, Y, Y, Y, N),
    Doing.PEOPLE: (N, N, N, Y, N),
}


@pytest.mark.parametrize("role", [F, H, L, I, A])
@pytest.mark.parametrize("doing", TABLE)
def test_each_cell_is_as_the_house_decided_it(doing: Doing, role: Role) -> None:
    """The table in the program is the table that was reviewed."""
    assert may(role, doing) is TABLE[doing][[F, H, L, I, A].index(role)]


CALLABLE = sorted((doing, name) for doing, calls in CALLS.items() for name in calls)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    role=st.sampled_from([*Role, None]),
    calls=st.lists(st.sampled_from([*CALLABLE, ("", "lock"), ("", "sign_out")]), max_size=12),
)
def test_no_role_reaches_an_action_outside_of_the_table(
    role: Role | None, calls: list[tuple[str, str]], world: World
) -> None:
    """Whatever is called in whatever order, by somebody who signed in, or by nobody: what the
    table does not give is refused, and changes no row."""
    desk = world.signed_in(role)
    for doing, name in calls:
        if not doing:
            getattr(desk, name)()
            continue
        allowed = may(desk.operator.role, Doing(doing))
        before = len(world.lines(""))
        try:
            CALLS[Doing(doing)][name](desk)
            refused = ""
        except Refused as refusal:
            refused = refusal.message.id
        if name == "touch" and desk.operator.role is None:
            assert not refused  # K1, which names nobody
        else:
            assert (refused not in ("KX-409", "KX-410")) is allowed
        assert allowed or len(world.lines("")) == before


def test_the_policy_may_let_the_front_desk_confirm(world: World) -> None:
    """The one cell that is the policy's word."""
    world.set(front_desk_confirms=True)
    with pytest.raises(Refused) as refusal:
        world.desk().confirm(NOWHERE, "1")
    assert refusal.value.message.id == "KX-427"
    assert Doing.CONFIRM in world.desk().touch().header.may


def test_what_no_role_was_given_is_denied() -> None:
    """Deny by default: an auditor may do none of this."""
    assert not any(may(Role.AUDITOR, doing) for doing in Doing)
