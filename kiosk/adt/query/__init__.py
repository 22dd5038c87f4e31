"""Asking another register who a patient may be: PDQ (IHE ITI-21) and PDQm (ITI-78, ITI-119).

What comes back is untrusted: bounded in bytes and time, read by position or by type, and no more
than candidates. `ask` raises `SourceProblem` and nothing else for whatever the other side does.
"""

from kiosk.adt.query.asking import ask, reach
from kiosk.adt.query.exchange import SourceProblem

__all__ = ["SourceProblem", "ask", "reach"]
