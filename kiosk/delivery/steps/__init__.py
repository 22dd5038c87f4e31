"""Performed procedure steps, reported to their manager (IHE RAD-59, RAD-60)."""

from kiosk.delivery.steps.report import report_step

__all__ = ["report_step"]
