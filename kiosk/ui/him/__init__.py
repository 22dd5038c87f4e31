"""The HIM desk: D1, the worklist by due time, and D2, compare and decide."""

from kiosk.ui.him.compare import CompareScreen
from kiosk.ui.him.worklist import WorklistScreen

__all__ = ["CompareScreen", "WorklistScreen"]
