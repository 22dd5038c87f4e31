"""Who is told of what happened here: the hospital's audit record repository."""

from kiosk.engine.telling.auditing import Auditor, started, stopped

__all__ = ["Auditor", "started", "stopped"]
