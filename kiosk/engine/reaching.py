"""How a step gets at the bytes of a medium: straight where it lies, or below a read-only mount
where its file system is none that we read. The child that reads can mount nothing, so the mount is
made before it starts and released when it has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from kiosk import media
from kiosk.model.content import Finding
from kiosk.model.medium import Medium, MediumKind
from kiosk.sandbox import JobFailed

log = logging.getLogger("kiosk.reaching")

UNSUPPORTED = "medium-unsupported"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the child reads `medium`."""

    path: Path
    medium: Medium
    mount: media.Mount | None = None

    def named(self, found: Medium) -> Medium:
        """What was found below a mount, said of what was mounted."""
        if self.mount is None:
            return found
        return replace(
            found,
            kind=self.medium.kind,
            location=self.medium.location,
            label=self.mount.label,
            filesystem=self.mount.filesystem,
        )


def reach(mounts: media.Mounts, medium: Medium, act: Callable[[Place], T]) -> T:
    """What `act` comes to; it is tried again below a mount where it failed as `UNSUPPORTED`, and a
    stick is always mounted. Raises JobFailed."""
    place = Place(Path(medium.location), medium)
    if medium.kind is MediumKind.USB:
        return _mounted(mounts, place, act, None)
    try:
        if medium.kind is MediumKind.OPTICAL:
            media.refuse_blank(place.path)
        return act(place)
    except media.MediaError as e:
        raise JobFailed(e.finding) from e
    except JobFailed as e:
        if e.finding.code != UNSUPPORTED:
            raise
        return _mounted(mounts, place, act, e.finding)


def _mounted(
    mounts: media.Mounts, place: Place, act: Callable[[Place], T], refusal: Finding | None
) -> T:
    try:
        with mounts.at(place.path) as mount:
            return act(replace(place, path=mount.folder, mount=mount))
    except media.MediaError as e:
        log.info("not mounted: %s", e.finding.detail)
        raise JobFailed(refusal or e.finding) from e
