"""`kiosk recall`: a case that went out wrong is taken back from every archive."""

from __future__ import annotations

from typing import Any

from kiosk.cli.context import Context, fail
from kiosk.cli.service import open_desk
from kiosk.desk import Refused, Role
from kiosk.model.work import CaseState

REFUSALS = {
    "KX-422": "Give a reason: --reason says in words why.",
    "KX-427": "There is no such case, or no such code of a reason.",
    "KX-438": "These scans did not go out, so there is nothing to recall.",
    "KX-436": "This site asks for two persons: somebody has to propose the recall first.",
    "KX-437": "You proposed this recall. Another person has to do it.",
    "KX-503": "The database is busy. Nothing was changed; try again.",
}


def recall(
    context: Context, case: int, reason: str, code: str, operator: str, propose: bool
) -> None:
    """Asks for it; the engine does it. Ends the program where it cannot be."""
    desk = open_desk(context, Role.HIM_LEAD, operator)
    try:
        if propose:
            desk.propose_recall(case, reason)
        else:
            desk.recall(case, reason, code)
    except Refused as refusal:
        fail(REFUSALS[refusal.message.id], 2 if refusal.message.id == "KX-422" else 1)


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
