"""Whose scans these are: pure functions that find, compare and decide, and say why.

`keys`/`keys_of` name the roster records worth comparing, `name_keys` the full names whose counts
the decision needs, `propose` decides, `recompute` proves a stored decision,
`under` says what other thresholds make of it, `resolve` makes the
link that needs no person, `agreement` says how people decided where it would have linked. Nothing
here reads a database or a clock.
"""

from kiosk.identity.blocking import keys, keys_of, name_keys, name_keys_of
from kiosk.identity.compare import compare
from kiosk.identity.decide import accepted, propose, recompute, resolve, under
from kiosk.identity.trust import ENOUGH, Agreement, agreement

__all__ = [
    "ENOUGH",
    "Agreement",
    "accepted",
    "agreement",
    "compare",
    "keys",
    "keys_of",
    "name_keys",
    "name_keys_of",
    "propose",
    "recompute",
    "resolve",
    "under",
]
