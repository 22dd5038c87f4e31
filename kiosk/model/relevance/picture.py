"""Pictures for looking, never for diagnosis: frames of images, plots and text, decoded in a child.

A picture is data of a checked shape: whoever shows it reads no byte that came off a medium.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from enum import StrEnum

LONGEST = 512  # pixels of the long side of a frame
SMALL = 160  # and of a thumbnail
MOST_BYTES = LONGEST * LONGEST * 3
WHITE = 255
MOST_WINDOWS = 64
LARGEST = 1e12  # of any number: what is larger, or none at all, nobody draws by


class PictureKind(StrEnum):
    GREY = "grey"  # 16 bit little endian, to be windowed
    COLOUR = "colour"  # 8 bit red, green, blue
    SHOWN = "shown"  # 8 bit grey, windowed already: a thumbnail
    WAVE = "wave"  # 16 bit little endian with sign, channel after channel
    TEXT = "text"  # UTF-8
    NOTHING = "nothing"  # `problem` says why


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI transformation in the units of the modality (PS3.3 C.11.2). `function` is `LINEAR`,
    `LINEAR_EXACT` or `SIGMOID`; with a `table` that maps what lies from `first` on instead, its
    last entry standing for all above, `step` units an entry."""

    center: float
    width: float
    function: str = "LINEAR"
    name: str = ""
    table: tuple[int, ...] = ()
    first: float = 0.0
    step: float = 1.0


@dataclass(frozen=True, slots=True)
class Channel:
    """One lead of a recording: `unit` an amount of `scale` is."""

    name: str
    scale: float = 1.0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame of one instance of a series. `position` counts the series' frames from 0, instance
    after instance. A stored grey value times `slope` plus `intercept` is in the modality's units;
    `inverse` is MONOCHROME1: the lowest is white. `aspect` is the height of a pixel by its width.
    For a WAVE `width` is samples a channel and `rate` samples a second. `data` is deflated."""

    kind: PictureKind
    position: int = 0
    width: int = 0
    height: int = 0
    slope: float = 1.0
    intercept: float = 0.0
    inverse: bool = False
    windows: tuple[Window, ...] = ()
    aspect: float = 1.0
    rate: float = 0.0
    channels: tuple[Channel, ...] = ()
    problem: str = ""  # a stable code: damaged, unsupported, too-large, broken, crashed, stopped
    data: bytes = b""

    def bytes(self) -> bytes:
        """What `data` holds, of just the length that the shape says; b"" when it is another:
        nobody draws what does not fit."""
        wanted = self.length
        inflater = zlib.decompressobj()
        try:
            found = inflater.decompress(self.data, wanted + 1)
        except zlib.error:
            return b""
        fits = len(found) <= wanted if self.kind is PictureKind.TEXT else len(found) == wanted
        return found if fits else b""

    @property
    def sound(self) -> bool:
        """Whether every number in it can be drawn by: finite, and within what a table may hold."""
        numbers = [self.slope, self.intercept, self.aspect, self.rate]
        numbers += [channel.scale for channel in self.channels]
        for window in self.windows:
            numbers += [window.center, window.width, window.first, window.step]
            if window.step < 1 or not all(0 <= shade <= WHITE for shade in window.table):
                return False
        return len(self.windows) <= MOST_WINDOWS and all(abs(n) < LARGEST for n in numbers)

    @property
    def length(self) -> int:
        """Bytes of it; 0 for a shape that is none of ours."""
        if self.kind is PictureKind.TEXT:
            return MOST_BYTES
        rows = len(self.channels) if self.kind is PictureKind.WAVE else self.height
        size = self.width * rows * DEPTH.get(self.kind, 0)
        return size if min(self.width, rows) > 0 and size <= MOST_BYTES else 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A picture to be made: frame `frame`, from 0, of an instance as the catalog has it."""

    position: int
    file: int
    frame: int
    sop_class_uid: str
    transfer_syntax_uid: str
    pixel_offset: int
    small: bool = False


DEPTH = {PictureKind.GREY: 2, PictureKind.COLOUR: 3, PictureKind.SHOWN: 1, PictureKind.WAVE: 2}


def shades(picture: Picture, window: Window, count: int = 65536) -> bytes:
    """What shade, 0 black to 255 white, each stored value from 0 to `count - 1` gets."""
    found = _table(picture, window, count) if window.table else _curve(picture, window, count)
    return found.translate(_NEGATIVE) if picture.inverse else found


_NEGATIVE = bytes(WHITE - n for n in range(WHITE + 1))


def _curve(picture: Picture, window: Window, count: int) -> bytes:
    """PS3.3 C.11.2.1.2.1 (linear), C.11.2.1.3.1 (sigmoid), C.11.2.1.3.2 (linear exact)."""
    slope, start = picture.slope, picture.intercept
    if window.function == "SIGMOID":
        width = max(window.width, 1e-6)
        steep, at = -4 * slope / width, -4 * (start - window.center) / width
        return bytes(
            round(WHITE / (1 + math.exp(min(700.0, steep * n + at)))) for n in range(count)
        )
    exact = window.function == "LINEAR_EXACT"
    center, width = (
        (window.center, max(window.width, 1e-6))
        if exact
        else (window.center - 0.5, max(window.width - 1, 1e-6))
    )
    scale = WHITE / width
    zero = start - center + width / 2
    low, high = _ramp(slope, zero, width, count)
    middle = bytes(min(WHITE, max(0, round((slope * n + zero) * scale))) for n in range(low, high))
    below, above = (b"\0", b"\xff") if slope > 0 else (b"\xff", b"\0")
    return below * low + middle + above * (count - high)


def _ramp(slope: float, zero: float, width: float, count: int) -> tuple[int, int]:
    """Between which stored values the shade changes at all."""
    ends = sorted((-zero / slope, (width - zero) / slope)) if slope else (0.0, float(count))
    low = max(0, min(count, math.floor(max(-1.0, min(ends[0], 1e9)))))
    high = math.ceil(max(-1.0, min(ends[1], 1e9))) + 1
    return low, max(low, min(count, high))


def _table(picture: Picture, window: Window, count: int) -> bytes:
    """PS3.3 C.11.2.1.1: below the first value the first shade, above the last the last."""
    last = len(window.table) - 1
    slope, offset = picture.slope / window.step, (picture.intercept - window.first) / window.step
    return bytes(window.table[min(last, max(0, int(slope * n + offset)))] for n in range(count))
