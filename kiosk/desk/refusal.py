"""Why the desk does not do what was asked."""

from __future__ import annotations

from kiosk.desk.snapshots import Message


class Refused(Exception):
    """What was asked cannot be done; `message` says why and what to do."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.id)
        self.message = message
