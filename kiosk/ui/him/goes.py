"""Where the scans go after the decision in the making, and by which rule of the policy."""

from __future__ import annotations

from kiosk.desk.snapshots import CompareSnapshot, Goes
from kiosk.model.matching import Action
from kiosk.ui.parts.cells import Card, Line, Look
from kiosk.ui.parts.text import safe


def goes_of(snapshot: CompareSnapshot, chosen: str) -> tuple[Goes, ...]:
    """Empty as long as nothing is chosen that sends anything."""
    if chosen == Action.IMPORT_ONLY:
        key = ""
    elif chosen.isdigit() and int(chosen) <= len(snapshot.candidates):
        key = snapshot.candidates[int(chosen) - 1].local.key
    else:
        return ()
    return dict(snapshot.goes).get(key, ())


class GoesCard(Card):
    def __init__(self, look: Look, goes: tuple[Goes, ...]) -> None:
        super().__init__(look)
        for each in goes:
            self.add(Line.wrapped(_said(look, each)))


def _said(look: Look, each: Goes) -> str:
    why, place = safe(each.because, 120), each.destination
    if each.images == each.of:
        return look.words("label.goes", place=place, why=why)
    return look.words("label.goes-part", n=each.images, m=each.of, place=place, why=why)
