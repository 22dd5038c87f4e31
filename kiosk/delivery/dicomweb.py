"""DICOMweb: STOW-RS to send, QIDO-RS to ask what arrived (PS3.18 10.5, 10.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kiosk.delivery.identity import Match
from kiosk.delivery.outcome import Run
from kiosk.model.delivery import Outbound
from kiosk.policy.sections import Destination


def store(
    destination: Destination, items: Iterable[Outbound], run: Run, stopping: Callable[[], bool]
) -> None:
    run.stop("STOW-RS is not there yet.", retry=False)


def find(
    destination: Destination, study: str, keywords: Sequence[str]
) -> tuple[list[Match], frozenset[str]]:
    raise NotImplementedError


def echo(destination: Destination) -> None:
    raise NotImplementedError
