"""Other registers, asked for the cases that our own list of patients did not settle.

Optional and beside the pipeline: a case waits for a person meanwhile as it would without, and what
comes back only ever adds candidates. A source that fails is left alone for longer and longer.
"""

from kiosk.engine.consulting.asking import consult, named_for

__all__ = ["consult", "named_for"]
