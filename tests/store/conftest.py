"""A real store on a real SQLite file, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk import store as rooms
from kiosk.model.content import Instance, Series, StatedPatient, Study
from kiosk.model.medium import Medium, MediumKind
from kiosk.model.patient import Identifier, PatientIdentity, PersonName


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[rooms.Store]:
    opened = rooms.open(
        f"sqlite:///{tmp_path / 'kiosk.db'}",
        keys_of=lambda _: frozenset(),
        name_keys_of=lambda _: frozenset(),
        now=clock,
    )
    yield opened
    opened.close()


MEDIUM = Medium(MediumKind.IMAGE, "/media/disc.iso", "DISC", "iso9660", fingerprint="sha256:1")


def patient(*uids: str) -> StatedPatient:
    """A patient with one study of one series; an instance for each UID."""
    instances = tuple(
        Instance(uid, "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", n, f"IM{n}", 100, uid)
        for n, uid in enumerate(uids)
    )
    study = Study("1.2.3", series=(Series("1.2.3.4", "CT", instances=instances),))
    stated = PatientIdentity((Identifier("A99"),), (PersonName("DOE", "JANE"),), "19620314", "F")
    return StatedPatient(stated, (study,))
