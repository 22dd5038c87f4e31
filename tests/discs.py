"""Discs for tests: the demonstration's, and the ones that nobody should have to import."""

from __future__ import annotations

from pathlib import Path

from kiosk.cli.demonstration import discs

# As `registration.ARCHIBALD` is registered: a patient who can be recognised.
MARLOWE = discs.Stated("Marlowe^Archibald", "19480229", "M")

__all__ = ["archibald", "corrupt", "empty", "jan", "marlowe", "no_dicom", "peter", "two_people"]


def archibald(folder: Path) -> Path:
    """Doe^Archibald: 7 instances in 2 studies, 9 files."""
    return discs.burn(discs.file_set_of(discs.ARCHIBALD), folder / "archibald.iso", "SCANS_A")


def marlowe(folder: Path) -> Path:
    """The same instances, stating a whole identity: Marlowe^Archibald, 1948-02-29, M."""
    content = discs.file_set_of(discs.ARCHIBALD, MARLOWE)
    return discs.burn(content, folder / "marlowe.iso", "SCANS_M")


def peter(folder: Path) -> Path:
    """Doe^Peter: 24 instances in 4 studies, 26 files."""
    return discs.burn(discs.file_set_of(discs.PETER), folder / "peter.iso", "SCANS_P")


def jan(folder: Path) -> Path:
    """Citizen^Jan: 50 instances in 1 study, 52 files; none has pixel data."""
    return discs.burn(discs.file_set_of(discs.JAN), folder / "jan.iso", "SCANS_J")


def two_people(folder: Path) -> Path:
    """Doe^Archibald and Doe^Peter under their original File IDs: 31 instances, 32 files."""
    return discs.burn(discs.whole_file_set(), folder / "two.iso", "PYDICOM_TEST")


def empty(folder: Path) -> Path:
    """A volume without a file."""
    return discs.burn({}, folder / "empty.iso", "EMPTY")


def no_dicom(folder: Path) -> Path:
    """Somebody's text files."""
    return discs.burn({"README.TXT": b"Nothing medical here.\r\n"}, folder / "text.iso", "TEXTS")


def corrupt(folder: Path) -> Path:
    """The size of a disc image, and no volume descriptor: noise from a fixed seed."""
    image = folder / "corrupt.iso"
    image.write_bytes(bytes((n * 197 + (n >> 7)) & 0xFF for n in range(300 * 2048)))
    return image
