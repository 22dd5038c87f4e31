"""The places of HIM's and IT's desks: what each shows, to whom, and in which order."""

from __future__ import annotations

from typing import Any

from kiosk.desk import Refused
from kiosk.desk.roles import Doing
from kiosk.ui.threads import Query

QUERIES: dict[str, Query] = {
    "worklist": lambda d: d.worklist(),
    "triage": lambda d: d.triage(),
    "deliveries": lambda d: d.deliveries(),
    "health": lambda d: d.health(),
    "people": lambda d: d.people(),
    "reports": lambda d: d.reports(),
}
RAIL_ICONS = {
    "triage": "image",
    "worklist": "list",
    "deliveries": "send",
    "health": "health",
    "people": "people",
    "reports": "file",
}
RAILS = {
    "him": ("worklist", "triage", "deliveries", "reports"),
    "it": ("health", "deliveries", "people", "reports"),
}
NEEDS = {
    "worklist": Doing.SEE_WORKLIST,
    "triage": Doing.TRIAGE,
    "deliveries": Doing.SEE_HEALTH,
    "health": Doing.SEE_HEALTH,
    "people": Doing.PEOPLE,
    "reports": Doing.SEE_REPORTS,
}


def home_of(places: tuple[str, ...]) -> Query:
    """The first of the places that whoever is signed in may see; before that K2."""

    def ask(desk: Any) -> object:
        if desk.operator.role is None:
            return desk.entrance()
        for place in places[:-1]:
            try:
                return QUERIES[place](desk)
            except Refused as refusal:
                if refusal.message.id != "KX-410":
                    raise
        return QUERIES[places[-1]](desk)

    return ask
