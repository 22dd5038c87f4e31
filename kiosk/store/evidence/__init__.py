"""What speaks for or against a candidate beside the roster: what people said before of the same
foreign identity."""

from kiosk.store.evidence.decisions import Decisions, remember

__all__ = ["Decisions", "remember"]
