"""Where it goes: sending to archives by C-STORE and STOW-RS, and proving that it arrived.

One instance's refusal never fails the rest; whatever a peer does, nothing is raised and every wait
ends. What the peer says is ACCEPTED; only `verify` makes it more than the peer's word. A `worklist`
is asked over the same wire; it alone raises, `PeerProblem`.
"""

import pynetdicom._config

from kiosk.delivery.body import CHANGED
from kiosk.delivery.commitment import Asked, commit, read_report
from kiosk.delivery.dimse import PeerProblem
from kiosk.delivery.querying import echo, verify
from kiosk.delivery.retrieving import compare
from kiosk.delivery.scheduled import reach, worklist
from kiosk.delivery.sending import send
from kiosk.delivery.steps import report_step

# Identifiers carry patients' names; pynetdicom would write them to its log.
pynetdicom._config.LOG_REQUEST_IDENTIFIERS = False
pynetdicom._config.LOG_RESPONSE_IDENTIFIERS = False

__all__ = [
    "CHANGED",
    "Asked",
    "PeerProblem",
    "commit",
    "compare",
    "echo",
    "reach",
    "read_report",
    "report_step",
    "send",
    "verify",
    "worklist",
]
