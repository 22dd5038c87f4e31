"""The roster: every patient that this hospital has registered, as its feed tells it.

`record` is one patient, `sheet` the few that a message speaks of, `rules` what it does to them,
`rows` their way in and out of the tables, `feed` a message's way in, `roster` the face.
"""

from kiosk.store.roster.feed import Refusal
from kiosk.store.roster.roster import Roster

__all__ = ["Refusal", "Roster"]
