"""What is said of an event once it was applied."""

from __future__ import annotations

from kiosk.model.registration import Applied, Disposition, RegistrationEvent

DONE = Applied(Disposition.APPLIED)


def ignored(reason: str) -> Applied:
    return Applied(Disposition.IGNORED, reason=reason)


def odd(exception: str) -> Applied:
    return Applied(Disposition.APPLIED, exception=exception)


def whole(parts: list[Applied]) -> Applied:
    """What is to be said of a message in several parts: the worst of them."""
    return max(
        parts,
        key=lambda a: (
            a.disposition is Disposition.REJECTED,
            bool(a.exception),
            a.disposition is Disposition.APPLIED,
        ),
    )


def event_name(event: RegistrationEvent) -> str:
    return f"{event.trigger} {event.control_id}"
