"""What speaks for or against a candidate beside the roster: what people said before of the same
foreign identity, and whom other registers name."""

from kiosk.store.evidence.decisions import Decisions, remember
from kiosk.store.evidence.sources import Sources, SourceState

__all__ = ["Decisions", "SourceState", "Sources", "remember"]
