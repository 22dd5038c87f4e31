"""One frame's samples as numbers: native, run-length or JPEG (PS3.5 8.2, A.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder  # type: ignore[attr-defined]
from pydicom.uid import RLELossless

Samples = NDArray[Any]

LARGEST = 268_435_456  # bytes of one frame
NATIVE = {
    "": "<",
    "1.2.840.10008.1.2": "<",
    "1.2.840.10008.1.2.1": "<",
    "1.2.840.10008.1.2.2": ">",
}
JPEG = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70))
JPEG_LS = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (80, 81))
JPEG_2000 = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91))
_codecs: dict[str, Callable[..., Any]] = {}


def load(syntaxes: Iterable[str]) -> None:
    """Loads the decoders that these transfer syntaxes need, before any hostile byte is read: each
    is a library of its own. The package's other one for lossless JPEG ends the process on damaged
    files: never that."""
    wanted = set(syntaxes)
    if wanted & (JPEG | JPEG_LS | JPEG_2000):
        import imagecodecs

        _codecs.update(dict.fromkeys(JPEG, imagecodecs.jpeg8_decode))
        _codecs.update(dict.fromkeys(JPEG_LS, imagecodecs.jpegls_decode))
        _codecs.update(dict.fromkeys(JPEG_2000, imagecodecs.jpeg2k_decode))


class NotShown(Exception):
    """There is no picture of it; the text is the code of `Picture.problem`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the frame is: the file, where its pixel element starts, which frame, how encoded."""

    file: BinaryIO
    pixel_offset: int
    frame: int
    syntax: str


@dataclass(frozen=True, slots=True)
class Shape:
    rows: int
    columns: int
    samples: int
    bits: int  # allocated
    planar: bool

    @classmethod
    def of(cls, dataset: Dataset) -> Shape:
        samples = int(dataset.get("SamplesPerPixel") or 1)
        shape = cls(
            int(dataset.Rows),
            int(dataset.Columns),
            samples,
            int(dataset.get("BitsAllocated") or 8),
            samples > 1 and int(dataset.get("PlanarConfiguration") or 0) == 1,
        )
        if min(shape.rows, shape.columns) < 1 or samples not in (1, 3):
            raise NotShown("unsupported")
        if shape.rows * shape.columns * samples * max(8, shape.bits) > 8 * LARGEST:
            raise NotShown("too-large")
        return shape


def read(dataset: Dataset, place: Place) -> Samples:
    """Rows by columns, of colour by three; integers as they are stored, or floats."""
    shape = Shape.of(dataset)
    head = _element(place)
    if place.syntax in NATIVE:
        return _native(dataset, shape, place, head)
    place.file.seek(head[1])
    count = max(1, int(dataset.get("NumberOfFrames") or 1))
    data = get_frame(place.file, place.frame, number_of_frames=count)
    return _fitting(shape, _decoded(dataset, shape, place.syntax, data))


def _element(place: Place) -> tuple[int, int]:
    """The pixel element's tag and where its value starts (PS3.5 7.1)."""
    place.file.seek(place.pixel_offset)
    head = place.file.read(12)
    order = "big" if NATIVE.get(place.syntax) == ">" else "little"
    group = int.from_bytes(head[:2], order)  # type: ignore[arg-type]
    element = int.from_bytes(head[2:4], order)  # type: ignore[arg-type]
    if len(head) < 12 or group != 0x7FE0:
        raise NotShown("no-picture")
    explicit = place.syntax != "1.2.840.10008.1.2" and head[4:6] in (b"OB", b"OW", b"OF", b"OD")
    return element, place.pixel_offset + (12 if explicit else 8)


def _native(dataset: Dataset, shape: Shape, place: Place, head: tuple[int, int]) -> Samples:
    element, start = head
    samples = shape.rows * shape.columns * shape.samples
    if _halved(dataset):
        samples = shape.rows * shape.columns * 2
    bits = {0x0008: 32, 0x0009: 64}.get(element, shape.bits)
    length = samples * bits
    first = place.frame * length
    place.file.seek(start + first // 8)
    data = place.file.read((first % 8 + length + 7) // 8)
    if len(data) * 8 < first % 8 + length:
        raise NotShown("damaged")
    if bits == 1:
        one = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return one[first % 8 : first % 8 + length].reshape(shape.rows, shape.columns)
    kind = {8: "u1", 16: "u2", 32: "f4" if element == 0x0008 else "u4", 64: "f8"}.get(bits)
    if kind is None:
        raise NotShown("unsupported")
    found = np.frombuffer(data, np.dtype(NATIVE[place.syntax] + kind), samples)
    if _halved(dataset):
        return _widened(found, shape)
    return _arranged(found, shape)


def _halved(dataset: Dataset) -> bool:
    """Two luminances share their colours (PS3.3 C.7.6.3.1.2, YBR_FULL_422)."""
    return str(dataset.get("PhotometricInterpretation") or "") == "YBR_FULL_422"


def _widened(found: Samples, shape: Shape) -> Samples:
    groups = found.reshape(-1, 4)
    wide = np.repeat(groups[:, None, 2:], 2, axis=1)
    light = groups[:, :2, None]
    return np.concatenate([light, wide], axis=2).reshape(shape.rows, shape.columns, 3)


def _arranged(found: Samples, shape: Shape) -> Samples:
    if shape.samples == 1:
        return found.reshape(shape.rows, shape.columns)
    if shape.planar:
        return found.reshape(3, shape.rows, shape.columns).transpose(1, 2, 0)
    return found.reshape(shape.rows, shape.columns, 3)


def _decoded(dataset: Dataset, shape: Shape, syntax: str, data: bytes) -> Samples:
    if syntax == RLELossless:
        return _run_lengths(dataset, shape, data)
    if syntax not in _codecs:
        raise NotShown("unsupported")
    spaces = _spaces(dataset, data) if syntax in JPEG else {}
    return np.asarray(_codecs[syntax](data, **spaces))


def _spaces(dataset: Dataset, data: bytes) -> dict[str, str]:
    """Colours as red, green, blue. Without a marker of its own a JPEG does not say what its three
    components are: the header does."""
    stated = str(dataset.get("PhotometricInterpretation") or "")
    marked = b"JFIF" in data[:64] or b"Adobe" in data[:256]
    if int(dataset.get("SamplesPerPixel") or 1) == 1 or marked:
        return {}
    return {"colorspace": "RGB" if stated == "RGB" else "YCBCR", "outcolorspace": "RGB"}


def _run_lengths(dataset: Dataset, shape: Shape, data: bytes) -> Samples:
    options: dict[str, Any] = {
        "number_of_frames": 1,
        "rows": shape.rows,
        "columns": shape.columns,
        "samples_per_pixel": shape.samples,
        "bits_allocated": shape.bits,
        "bits_stored": int(dataset.get("BitsStored") or shape.bits),
        "pixel_representation": 0,
        "planar_configuration": 0,
        "pixel_keyword": "PixelData",
        "photometric_interpretation": str(dataset.get("PhotometricInterpretation") or ""),
    }
    found, _ = get_decoder(RLELossless).as_array(encapsulate([data]), raw=True, **options)
    return np.asarray(found)


def _fitting(shape: Shape, found: Samples) -> Samples:
    """A frame is drawn as large as it is, whatever the header says."""
    found = np.squeeze(found) if found.ndim > 3 else found
    if found.ndim == 3 and found.shape[2] == 1:
        found = found[:, :, 0]
    if found.ndim not in (2, 3) or (found.ndim == 3 and found.shape[2] != 3):
        raise NotShown("unsupported")
    if found.nbytes > LARGEST:
        raise NotShown("too-large")
    return found
