"""Who is told of what happened here: the hospital's audit record repository, and those who must
know that outside scans are there."""

from kiosk.engine.telling.auditing import Auditor, started, stopped
from kiosk.engine.telling.notifying import Notifier

__all__ = ["Auditor", "Notifier", "started", "stopped"]
