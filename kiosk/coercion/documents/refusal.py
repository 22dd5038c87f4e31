"""Why a report stays where it is."""

from __future__ import annotations


class LeftOut(Exception):
    """The report is not put into a study; `why` is a code for the screens: `broken`, `locked`,
    `active`, `too-large`, `characters`, `not-baseline`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
