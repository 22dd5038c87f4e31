"""Samples as shades: what a stored value means, and the windows the sender chose (PS3.3 C.11)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from kiosk.fileset.pictures.frames import JPEG, NotShown, Samples
from kiosk.fileset.pictures.scaling import fitted
from kiosk.model.relevance.picture import (
    LONGEST,
    SMALL,
    Asked,
    Picture,
    PictureKind,
    Window,
    shades,
)

WINDOWS = 8
TABLE = 4096  # entries of a table that are kept


def picture(dataset: Dataset, found: Samples, asked: Asked) -> Picture:
    """Grey in the modality's units with its windows, or red, green, blue."""
    longest = SMALL if asked.small else LONGEST
    stated = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2")
    if found.ndim == 3 or stated == "PALETTE COLOR":
        return _colour(dataset, _coloured(dataset, found, stated, asked), asked, longest)
    grey = _grey(dataset, fitted(_values(dataset, found, asked.frame), longest), asked)
    grey = replace(grey, inverse=stated == "MONOCHROME1")
    return _shown(grey) if asked.small else grey


def _packed(found: NDArray[Any]) -> bytes:
    return zlib.compress(np.ascontiguousarray(found).tobytes(), 1)


# -- colour ------------------------------------------------------------------------------------


def _coloured(dataset: Dataset, found: Samples, stated: str, asked: Asked) -> Samples:
    """Eight bits of red, green, blue; of a JPEG its decoder made them so."""
    if stated == "PALETTE COLOR":
        return _by_palette(dataset, found)
    stored = int(dataset.get("BitsStored") or 8)
    eight: Samples = found >> max(0, stored - 8) if found.dtype.itemsize > 1 else found
    encoded = stated in ("YBR_FULL", "YBR_FULL_422")
    return eight if not encoded or asked.transfer_syntax_uid in JPEG else _from_ybr(eight)


def _from_ybr(found: Samples) -> Samples:
    """PS3.3 C.7.6.3.1.2."""
    y, b, r = (found[..., n].astype(np.float32) for n in range(3))
    b, r = b - 128, r - 128
    planes = (y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b)
    whole: Samples = np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255).astype(np.uint8)
    return whole


def _by_palette(dataset: Dataset, found: Samples) -> Samples:
    """PS3.3 C.7.6.3.1.5, .6; values outside of the table get its ends."""
    planes = []
    for colour in ("Red", "Green", "Blue"):
        entries, first, bits = dataset[f"{colour}PaletteColorLookupTableDescriptor"].value
        data = bytes(dataset[f"{colour}PaletteColorLookupTableData"].value)
        count = int(entries) or 65536
        wide = len(data) >= 2 * count
        table = np.frombuffer(data, "<u2" if wide else "u1", count)
        top = int(table.max(initial=0))
        table = (table >> 8 if wide and (bits > 8 and top > 255) else table).astype(np.uint8)
        at = np.clip(found.astype(np.int64) - int(first), 0, count - 1)
        planes.append(table[at])
    return np.stack(planes, axis=-1)


def _colour(dataset: Dataset, found: Samples, asked: Asked, longest: int) -> Picture:
    small = np.rint(fitted(found, longest)).astype(np.uint8)
    return Picture(
        PictureKind.COLOUR,
        asked.position,
        small.shape[1],
        small.shape[0],
        aspect=_aspect(dataset),
        data=_packed(small),
    )


# -- grey --------------------------------------------------------------------------------------


def _values(dataset: Dataset, found: Samples, frame: int) -> Samples:
    """The stored bits with their sign, through a table of the modality where there is one."""
    if found.dtype.kind == "f":
        real: Samples = np.nan_to_num(found.astype(np.float64), posinf=0.0, neginf=0.0)
        return real
    bits = int(dataset.get("BitsStored") or 8 * found.dtype.itemsize)
    high = int(dataset.get("HighBit") or bits - 1)
    shift = max(0, high - bits + 1)
    whole: Samples = (found.astype(np.int64) >> shift) & ((1 << bits) - 1)
    if int(dataset.get("PixelRepresentation") or 0) == 1:
        sign = 1 << (bits - 1)
        whole = (whole ^ sign) - sign
    if tables := dataset.get("ModalityLUTSequence"):
        table, first = _table_of(tables[0])
        whole = table[np.clip(whole - first, 0, len(table) - 1)].astype(np.int64)
    return whole


def _table_of(item: Dataset) -> tuple[NDArray[Any], int]:
    """A LUT's entries and the value that the first is for (PS3.3 C.11.1.1)."""
    entries, first, _ = item["LUTDescriptor"].value
    value = item["LUTData"].value
    if isinstance(value, bytes):
        table = np.frombuffer(value, "<u2" if len(value) >= 2 * (int(entries) or 65536) else "u1")
    else:
        table = np.asarray(value).reshape(-1)
    if not table.size:
        raise NotShown("broken")
    first = int(first)
    signed = first - 65536 if first > 32767 else first
    return table, signed


def _grey(dataset: Dataset, values: Samples, asked: Asked) -> Picture:
    """Stored as 16 bits from 0; slope and intercept lead back to the modality's units."""
    low, high = float(values.min()), float(values.max())
    step = (high - low) / 65535
    if step == 0 or (step < 1 and not (high - low < 4096 and _fine(values))):
        step = 1.0
    stored = np.rint((values - low) / step).astype("<u2")
    slope, intercept = _rescale(dataset, asked.frame)
    windows = tuple(_windows(dataset, asked.frame))[:WINDOWS]
    lowest, highest = sorted((slope * low + intercept, slope * high + intercept))
    full = Window((lowest + highest) / 2, max(highest - lowest, 1e-6), "LINEAR_EXACT", "full")
    return Picture(
        PictureKind.GREY,
        asked.position,
        stored.shape[1],
        stored.shape[0],
        slope=slope * step,
        intercept=slope * low + intercept,
        windows=(*windows, full),
        aspect=_aspect(dataset),
        data=_packed(stored),
    )


def _fine(values: Samples) -> bool:
    """Whether it has fractions: floats, or what became of integers when they were averaged."""
    return values.dtype.kind == "f" and bool(np.any(values != np.rint(values)))


def _shown(grey: Picture) -> Picture:
    stored = np.frombuffer(zlib.decompress(grey.data), "<u2")
    table = np.frombuffer(shades(grey, grey.windows[0]), np.uint8)
    data = _packed(table[stored])
    return replace(grey, kind=PictureKind.SHOWN, windows=(), inverse=False, data=data)


def _groups(dataset: Dataset, frame: int) -> Iterator[Dataset]:
    """Where an attribute of a frame may stand: its own groups, the shared ones, the top."""
    own = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    if frame < len(own):
        yield own[frame]
    yield from (dataset.get("SharedFunctionalGroupsSequence") or ())[:1]
    yield dataset


def _macro(dataset: Dataset, frame: int, sequence: str, keyword: str) -> Dataset:
    """The item of a functional group that has the attribute, else the data set itself."""
    items = (item for g in _groups(dataset, frame) for item in (g.get(sequence) or ())[:1])
    found: Dataset = next((item for item in items if keyword in item), dataset)
    return found


def _rescale(dataset: Dataset, frame: int) -> tuple[float, float]:
    item = _macro(dataset, frame, "PixelValueTransformationSequence", "RescaleSlope")
    if "ModalityLUTSequence" in dataset:
        return 1.0, 0.0
    slope = float(_first(item.get("RescaleSlope"), 1.0))
    intercept = float(_first(item.get("RescaleIntercept"), 0.0))
    usable = np.isfinite(slope) and np.isfinite(intercept) and slope != 0
    return (slope, intercept) if usable else (1.0, 0.0)


def _windows(dataset: Dataset, frame: int) -> Iterator[Window]:
    """What the sender chose: tables first (PS3.3 C.11.2.1: either may be used)."""
    item = _macro(dataset, frame, "FrameVOILUTSequence", "WindowCenter")
    function = str(item.get("VOILUTFunction") or "LINEAR")
    names = _several(item.get("WindowCenterWidthExplanation"))
    pairs = zip(_several(item.get("WindowCenter")), _several(item.get("WindowWidth")), strict=False)
    for number, (center, width) in enumerate(pairs):
        name = str(names[number])[:64] if number < len(names) else ""
        if np.isfinite(float(center)) and np.isfinite(float(width)):
            yield Window(float(center), float(width), function, name)
    for item in (dataset.get("VOILUTSequence") or ())[:WINDOWS]:
        yield _by_table(item)


def _by_table(item: Dataset) -> Window:
    """The table with at most so many entries, in 8 bits."""
    table, first = _table_of(item)
    step = max(1, -(-len(table) // TABLE))
    top = max(1, int(table.max()))
    eight = np.rint(table[::step].astype(np.float64) * 255 / top).clip(0, 255).astype(int)
    name = str(item.get("LUTExplanation") or "")[:64]
    length = float(len(table))
    return Window(
        first + length / 2, length, "TABLE", name, tuple(eight.tolist()), float(first), float(step)
    )


def _several(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if not isinstance(value, str) and hasattr(value, "__iter__") else [value]


def _first(value: Any, otherwise: float) -> Any:
    return next(iter(_several(value)), otherwise)


def _aspect(dataset: Dataset) -> float:
    """The height of a pixel by its width (PS3.3 C.7.6.3.1.7, 10.7.1.3)."""
    item = _macro(dataset, 0, "PixelMeasuresSequence", "PixelSpacing")
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        pair = _several(item.get(keyword))
        if len(pair) == 2 and float(pair[0]) > 0 and float(pair[1]) > 0:
            return float(np.clip(float(pair[0]) / float(pair[1]), 0.1, 10.0))
    return 1.0
