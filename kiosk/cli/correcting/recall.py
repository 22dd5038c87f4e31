"""`kiosk recall`: a case that went out wrong is taken back from every archive."""

from __future__ import annotations

import os
import pwd
from typing import Any

from kiosk.cli.context import Context, fail
from kiosk.cli.service import open_desk
from kiosk.desk import Refused, Role
from kiosk.model.work import CaseState
from kiosk.store import Standing

NOBODY = (
    "People sign in here, and {user} of this machine has no account that may. Nothing was changed. "
    "IT adds one: kiosk people add {user} --role him-lead"
)
REFUSALS = {
    "KX-410": "Your role may not do this: a recall is a HIM lead's, its proposal HIM's.",
    "KX-422": "Give a reason: --reason says in words why.",
    "KX-427": "There is no such case, or no such code of a reason.",
    "KX-438": "These scans did not go out, so there is nothing to recall.",
    "KX-436": "This site asks for two persons: somebody has to propose the recall first.",
    "KX-437": "You proposed this recall. Another person has to do it.",
    "KX-503": "The database is busy. Nothing was changed; try again.",
}


def recall(context: Context, case: int, reason: str, code: str, propose: bool) -> None:
    """Asks for it; the engine does it. Ends the program where it cannot be."""
    desk = open_desk(context, *_operator(context))
    try:
        if propose:
            desk.propose_recall(case, reason)
        else:
            desk.recall(case, reason, code)
    except Refused as refusal:
        fail(REFUSALS[refusal.message.id], 2 if refusal.message.id == "KX-422" else 1)


def _operator(context: Context) -> tuple[Role, str]:
    """Whoever is signed in to the operating system, by the account of that name where people sign
    in; else all who may use this command are trusted with it, as with the desks."""
    own = os.getuid()
    user = pwd.getpwuid(own).pw_name  # what the surroundings say anybody can set
    user = os.environ.get("SUDO_USER", user) if own == 0 else user
    if not context.policy.sign_in.required:
        return Role.HIM_LEAD, user
    with context.store.read() as tx:
        person = tx.people.named(user)
    if person is None or person.state is not Standing.ACTIVE:
        fail(NOBODY.format(user=user))
    return Role(person.role), person.name


def report(context: Context, case: int) -> dict[str, Any]:
    """How far the recall is, archive by archive."""
    with context.store.read() as tx:
        found = tx.cases.get(case)
        withdrawals = tx.recalls.of_case(case)
    return {
        "case": str(case),
        "state": found.state.value,
        "withdrawals": [
            {"destination": w.destination, "state": w.state.value, "problem": w.problem}
            for w in withdrawals
        ],
    }


def words(document: dict[str, Any]) -> list[str]:
    lines = [f"Case {document['case']}: {document['state']}"]
    for each in document["withdrawals"]:
        lines.append(f"  {each['destination']}: {each['state']} {each['problem']}".rstrip())
    if document["state"] == CaseState.RECALLED:
        lines.append("  The engine tells the archives; then the case is on HIM's worklist.")
    return lines
