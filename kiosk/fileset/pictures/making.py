"""One picture of whatever an instance is."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.decoders import rle  # noqa: F401 - loaded before the lock, not by a frame

from kiosk.fileset.pictures import frames, recording, report, shading
from kiosk.fileset.pictures.frames import NotShown, Place
from kiosk.model.medium import staged_name
from kiosk.model.relevance.picture import Asked, Picture, PictureKind

HEADER = 64_000_000  # bytes
# What pydicom, numpy and the codecs raise on bytes that make no sense.
BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def make(folder: Path, asked: Asked) -> Picture:
    """The picture, or why there is none; never an exception for what the file holds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their texts quote values
            made = _make(folder / staged_name(asked.file), asked)
            return made if made.sound else _nothing(asked, "broken")
    except NotShown as e:
        return _nothing(asked, str(e))
    except MemoryError:
        return _nothing(asked, "too-large")
    except BROKEN:
        return _nothing(asked, "broken")


def _nothing(asked: Asked, problem: str) -> Picture:
    return Picture(PictureKind.NOTHING, asked.position, problem=problem)


def _make(path: Path, asked: Asked) -> Picture:
    with path.open("rb") as file:
        if asked.pixel_offset > HEADER:
            raise NotShown("too-large")
        dataset = _header(file.read(asked.pixel_offset))
        if "WaveformSequence" in dataset:
            return recording.plot(dataset, asked)
        if "EncapsulatedDocument" in dataset or "ContentSequence" in dataset:
            return report.text(dataset, asked)
        if "Rows" not in dataset:
            raise NotShown("no-picture")
        place = Place(file, asked.pixel_offset, asked.frame, asked.transfer_syntax_uid)
        return shading.picture(dataset, frames.read(dataset, place), asked)


def _header(head: bytes) -> Dataset:
    config.settings.reading_validation_mode = config.IGNORE
    return dcmread(io.BytesIO(head), force=True)
