"""Pixel data that were compressed without loss, as native ones (PS3.5 8.2, A.4): frame by frame, in
bounded memory. `plain` says what becomes of the header, `frames` decodes: hostile bytes, so only in
a child of its own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from kiosk.coercion.applying import EXPLICIT_LE, meta_group
from kiosk.coercion.encoding.elements import EXPLICIT, SEQUENCE_END, Header, Malformed, encode
from kiosk.coercion.tail import PADDING
from kiosk.coercion.transcoding.implicit import implicit
from kiosk.coercion.wording import change
from kiosk.model.delivery import Change, Coerced

RLE = "1.2.840.10008.1.2.5"
JPEG = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202")
LOSSLESS = frozenset((RLE, *JPEG, JPEG_LS, JPEG_2000, *HTJ2K))
"""What holds the pixels exactly. One that may hold them with loss stays as it is: made native it
would only be larger."""

LARGEST_FRAME = 268_435_456  # bytes
LARGEST_VALUE = 0xFFFFFFFE  # of an element (PS3.5 7.1.1)
CHUNK = 1 << 20

OFFSETS, OFFSET_LENGTHS, TOTAL_LENGTH = 0x7FE00001, 0x7FE00002, 0x7FE00003
PIXEL_DATA = 0x7FE00010
SAMPLES, PHOTOMETRIC, PLANAR, FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
ROWS, COLUMNS, ALLOCATED, STORED, SIGNED = (
    0x00280010,
    0x00280011,
    0x00280100,
    0x00280101,
    0x00280103,
)

_AS_THEY_ARE = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL")
_REVERSIBLE = "YBR_RCT"  # what JPEG 2000 decodes to RGB


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """Compressed frames in a file: where the pixel data's value lies, what it is held against, and
    what each frame has to be."""

    path: str
    at: int
    length: int
    sha256: str
    syntax: str
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    signed: bool
    frames: int
    offsets: tuple[str, str] = ("", "")  # Extended Offset Table and its lengths, hexadecimal

    @property
    def frame_bytes(self) -> int:
        return self.rows * self.columns * self.samples * self.allocated // 8

    @property
    def native_bytes(self) -> int:
        """Of the pixel data's value, without the byte that makes it even."""
        return self.frames * self.frame_bytes


def plain(coerced: Coerced) -> tuple[Coerced, Encapsulated]:
    """`coerced` in Explicit VR Little Endian, all but its tail, and what the tail is decoded from.
    Raises Malformed where that cannot be done without loss."""
    header = Header.of(coerced.header, EXPLICIT)
    implicit(coerced.header)  # raises where an icon is compressed as well
    _nothing_behind(coerced)
    pixels, photometric = _pixels(header, coerced), _text(header, PHOTOMETRIC)
    edits = dict.fromkeys((OFFSETS, OFFSET_LENGTHS, TOTAL_LENGTH), b"")
    said = [change(0x00020010, coerced.transfer_syntax_uid, EXPLICIT_LE)]
    if photometric == _REVERSIBLE:
        edits[PHOTOMETRIC] = encode(PHOTOMETRIC, b"CS", b"RGB", EXPLICIT)
        said.append(change(PHOTOMETRIC, photometric, "RGB"))
    if pixels.samples > 1 and header.raw(PLANAR) != bytes(2):
        edits[PLANAR] = encode(PLANAR, b"US", bytes(2), EXPLICIT)
        said.append(change(PLANAR, str(int.from_bytes(header.raw(PLANAR), "little")), "0"))
    new = replace(
        coerced,
        transfer_syntax_uid=EXPLICIT_LE,
        meta=meta_group(coerced.sop_class_uid, coerced.sop_instance_uid, EXPLICIT_LE),
        header=header.edited(edits),
        changes=tuple(_added(coerced.changes, said)),
    )
    return new, pixels


def _nothing_behind(coerced: Coerced) -> None:
    """Only padding may follow the pixel data: it is left off."""
    end = coerced.pixels_at + coerced.pixels_length
    with coerced.tail.open("rb") as file:
        behind = os.pread(file.fileno(), 12, coerced.tail_offset + end)
    mark, after = (int.from_bytes(behind[n : n + 2], "little") << 16 for n in (0, 8))
    mark |= int.from_bytes(behind[2:4], "little")
    after |= int.from_bytes(behind[10:12], "little")
    if mark != SEQUENCE_END:
        raise Malformed("its pixel data have no end")
    if end + 8 < coerced.tail_length and after != PADDING:
        raise Malformed("elements follow the pixel data")


def _added(changes: tuple[Change, ...], said: list[Change]) -> list[Change]:
    return sorted((*changes, *said), key=lambda each: each.tag)


def _pixels(header: Header, coerced: Coerced) -> Encapsulated:
    photometric = _text(header, PHOTOMETRIC)
    known: tuple[str, ...] = _AS_THEY_ARE
    if coerced.transfer_syntax_uid in (JPEG_2000, *HTJ2K):
        known = (*known, _REVERSIBLE)
    if photometric not in known:
        raise Malformed("its colours cannot be had without loss")
    pixels = Encapsulated(
        str(coerced.tail),
        coerced.tail_offset + coerced.pixels_at,
        coerced.pixels_length,
        coerced.pixels,
        coerced.transfer_syntax_uid,
        _number(header, ROWS),
        _number(header, COLUMNS),
        _number(header, SAMPLES),
        _number(header, ALLOCATED),
        _number(header, STORED),
        bool(_number(header, SIGNED)),
        max(1, int(_text(header, FRAMES) or "1")),
        (header.raw(OFFSETS).hex(), header.raw(OFFSET_LENGTHS).hex()),
    )
    whole = pixels.samples in (1, 3) and pixels.allocated in (8, 16, 32)
    if not whole or not 1 <= pixels.stored <= pixels.allocated:
        raise Malformed("its samples are of no common size")
    if not 0 < pixels.frame_bytes <= LARGEST_FRAME or pixels.native_bytes > LARGEST_VALUE:
        raise Malformed("it is too large to be sent without compression")
    return pixels


def _number(header: Header, tag: int) -> int:
    raw = header.raw(tag)
    if len(raw) != 2:
        raise Malformed("it does not say what its pixels are")
    return int.from_bytes(raw, "little")


def _text(header: Header, tag: int) -> str:
    text = header.raw(tag).decode("latin-1").strip(" \0")
    if tag == FRAMES and text and not text.isdecimal():
        raise Malformed("it does not say how many frames it has")
    return text


def pixel_head(pixels: Encapsulated) -> bytes:
    """The native pixel element up to its value."""
    vr = b"OB" if pixels.allocated == 8 else b"OW"
    length = pixels.native_bytes + pixels.native_bytes % 2
    return encode(PIXEL_DATA, vr, b"", EXPLICIT)[:8] + length.to_bytes(4, "little")


# -- the child's side ------------------------------------------------------------------------------


def load(syntax: str) -> None:
    """Loads what decodes it, before any hostile byte is read."""
    _decoder(syntax)


def frames(pixels: Encapsulated) -> Iterator[bytes]:
    """Each frame's native bytes, little endian, samples side by side. Raises Malformed where the
    file is not what it was, or a frame is not what the header says."""
    from pydicom.encaps import generate_frames

    decode, count = _decoder(pixels.syntax), 0
    first, lengths = map(bytes.fromhex, pixels.offsets)
    offsets = (first, lengths) if first and lengths else None
    with Path(pixels.path).open("rb") as file:
        _compare(file, pixels)
        file.seek(pixels.at)
        found = generate_frames(file, number_of_frames=pixels.frames, extended_offsets=offsets)
        for data in found:
            if count == pixels.frames:
                raise Malformed("it has more frames than it says")
            yield _native(pixels, decode(pixels, data))
            count += 1
    if count != pixels.frames:
        raise Malformed("it has fewer frames than it says")


def _compare(file: BinaryIO, pixels: Encapsulated) -> None:
    digest, left = hashlib.sha256(), pixels.length
    file.seek(pixels.at)
    while left and (piece := file.read(min(CHUNK, left))):
        digest.update(piece)
        left -= len(piece)
    if left or (pixels.sha256 and digest.hexdigest() != pixels.sha256):
        raise Malformed("the staged file is not any more what was read from the medium")


def _decoder(syntax: str) -> Any:
    """(pixels, frame) -> array. Lossless JPEG is decoded by libjpeg only: the package's other
    decoders of it end the process on damaged files. None of its colours is ever converted."""
    if syntax == RLE:
        return _run_lengths
    import imagecodecs

    if syntax in JPEG:
        return lambda pixels, data: imagecodecs.jpeg8_decode(data, **_SAME[pixels.samples])
    decode = {
        JPEG_LS: imagecodecs.jpegls_decode,
        JPEG_2000: imagecodecs.jpeg2k_decode,
        **dict.fromkeys(HTJ2K, imagecodecs.htj2k_decode),
    }[syntax]
    return lambda _pixels, data: decode(data)


_SAME: dict[int, dict[str, Any]] = {1: {}, 3: {"colorspace": "RGB", "outcolorspace": "RGB"}}


def _run_lengths(pixels: Encapsulated, data: bytes) -> Any:
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder  # type: ignore[attr-defined]
    from pydicom.uid import RLELossless

    options: dict[str, Any] = {
        "number_of_frames": 1,
        "rows": pixels.rows,
        "columns": pixels.columns,
        "samples_per_pixel": pixels.samples,
        "bits_allocated": pixels.allocated,
        "bits_stored": pixels.allocated,
        "pixel_representation": int(pixels.signed),
        "planar_configuration": 0,
        "pixel_keyword": "PixelData",
        "photometric_interpretation": "RGB" if pixels.samples == 3 else "MONOCHROME2",
    }
    found, _ = get_decoder(RLELossless).as_array(encapsulate([data]), raw=True, **options)
    return found


def _native(pixels: Encapsulated, found: Any) -> bytes:
    """The codes know less of numbers than DICOM: how many bytes, and whether they are signed."""
    shape = (pixels.rows, pixels.columns, 3)[: 2 if pixels.samples == 1 else 3]
    width = pixels.allocated // 8
    if found.dtype.kind not in "iu" or found.dtype.itemsize > width:
        raise Malformed("a frame has other samples than the header says")
    if found.shape not in (shape, (*shape, 1)):
        raise Malformed("a frame is of another size than the header says")
    if found.dtype.kind == "i" and not pixels.signed and found.min() < 0:
        raise Malformed("a frame has negative values, which the header excludes")
    signed = found.dtype.kind == "u" and pixels.signed
    wide = found.astype(f"<{'i' if pixels.signed else 'u'}{width}")
    if signed and pixels.syntax != RLE:
        if found.max() >> pixels.stored:
            raise Malformed("a frame has larger values than the header says")
        shift = pixels.allocated - pixels.stored
        wide = (wide << shift) >> shift
    return bytes(wide.tobytes())
