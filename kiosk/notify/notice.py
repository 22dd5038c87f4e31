"""What is told, whatever the receiver speaks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kiosk.model.patient import PatientIdentity


class Topic(StrEnum):
    AVAILABLE = "available"  # every archive shows every image of it
    HELD = "held"  # a person must look before the rest of it arrives
    RECALLED = "recalled"  # it was imported wrongly and is being taken back


@dataclass(frozen=True, slots=True)
class Notice:
    """One study. `id` is the same however often it is told. `images` of `expected` are in
    `archives`; `patient` is the local one."""

    id: str
    topic: Topic
    at: str  # ISO 8601 with a time zone
    ticket: str
    patient: PatientIdentity
    study_instance_uid: str
    study_date: str = ""  # DICOM DA
    description: str = ""
    accession_number: str = ""
    modalities: tuple[str, ...] = ()
    series: int = 0
    images: int = 0
    expected: int = 0
    institution: str = ""  # where the scans were made
    archives: tuple[str, ...] = ()
    problem: str = ""  # a code of ours, of what is held or was recalled
    site: str = ""
    station: str = ""

    @property
    def sentence(self) -> str:
        """Without a patient's data."""
        made = f" from {self.institution}" if self.institution else " from outside"
        images = f"{self.images} of {self.expected} images"
        if self.topic is Topic.RECALLED:
            return f"Scans{made} were filed wrongly and are being taken back. Do not use them."
        if self.topic is Topic.HELD:
            return f"Scans{made} are here in part ({images}): a person is looking into the rest."
        missing = "" if self.images == self.expected else f" ({images} could be read)"
        return f"Scans{made} are in the archive{missing}."


@dataclass(frozen=True, slots=True)
class Alert:
    """Somebody used emergency access at a screen. The reason stays in the journal: it may name a
    patient."""

    id: str
    at: str  # ISO 8601 with a time zone
    site: str
    station: str
    topic: str = "emergency"


class Away(RuntimeError):
    """It did not answer, or asks for another try. The text names no patient."""


class Refused(RuntimeError):
    """It will not take this notice, however often. The text names no patient."""


def secret(path: Path | None) -> str:
    """A password or key from its file, "" without one. Raises Away: the file may come back."""
    try:
        return path.read_text(encoding="utf-8").strip() if path else ""
    except OSError as e:
        raise Away(f"its secret cannot be read ({e.strerror})") from e
