"""Who is registered: HL7 v2 over MLLP, and files of it, as registration events.

Another register can be asked, too (`ask`: PDQ, PDQm).

Knows the wire and the message, nothing of rows: the caller applies the event and hands back what
came of it, and only then is the message acknowledged.
"""

from kiosk.adt.ack import ack
from kiosk.adt.batch import batch_answer, is_batch, members
from kiosk.adt.listen import Listener, listen
from kiosk.adt.mllp import messages
from kiosk.adt.parse import Rejected, parse
from kiosk.adt.query import SourceProblem, ask, reach

__all__ = [
    "Listener",
    "Rejected",
    "SourceProblem",
    "ack",
    "ask",
    "batch_answer",
    "is_batch",
    "listen",
    "members",
    "messages",
    "parse",
    "reach",
]
