"""D3: what waits for somebody's eyes, and the viewer by which people tell."""

from kiosk.ui.triage.looking import Looking
from kiosk.ui.triage.queue import QueueScreen
from kiosk.ui.triage.view import ViewScreen

__all__ = ["Looking", "QueueScreen", "ViewScreen"]
