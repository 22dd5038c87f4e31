"""An ECG or another recording: its channels as numbers to be drawn (PS3.3 C.10.9)."""

from __future__ import annotations

import zlib

import numpy as np
from pydicom.dataset import Dataset

from kiosk.fileset.pictures.frames import NotShown
from kiosk.model.relevance.picture import MOST_BYTES, Asked, Channel, Picture, PictureKind

CHANNELS = 16
LARGEST = 64_000_000
TYPES = {"SS": "<i2", "US": "<u2", "SB": "i1", "UB": "u1"}


def plot(dataset: Dataset, asked: Asked) -> Picture:
    """The first multiplex group; of a long one every so manyeth sample."""
    group = dataset.WaveformSequence[0]
    count = int(group.NumberOfWaveformChannels)
    length = int(group.NumberOfWaveformSamples)
    kind = TYPES.get(str(group.WaveformSampleInterpretation))
    if kind is None or count < 1 or length < 1:
        raise NotShown("unsupported")
    if count * length * 2 > LARGEST:
        raise NotShown("too-large")
    samples = np.frombuffer(group.WaveformData, np.dtype(kind), count * length)
    shown = min(count, CHANNELS)
    every = max(1, -(-length * shown * 2 // MOST_BYTES))
    lines = samples.reshape(length, count)[::every, :shown].T.astype(np.int32)
    lines = np.clip(lines, -32768, 32767).astype("<i2")
    items = group.get("ChannelDefinitionSequence") or ()
    channels = tuple(_channel(items[n] if n < len(items) else Dataset()) for n in range(shown))
    return Picture(
        PictureKind.WAVE,
        asked.position,
        width=lines.shape[1],
        rate=float(group.SamplingFrequency) / every,
        channels=channels,
        data=zlib.compress(np.ascontiguousarray(lines).tobytes(), 1),
    )


def _channel(item: Dataset) -> Channel:
    source = (item.get("ChannelSourceSequence") or (Dataset(),))[0]
    name = str(item.get("ChannelLabel") or source.get("CodeMeaning") or "")
    units = (item.get("ChannelSensitivityUnitsSequence") or (Dataset(),))[0]
    scale = float(item.get("ChannelSensitivity") or 1.0)
    scale *= float(item.get("ChannelSensitivityCorrectionFactor") or 1.0)
    usable = bool(np.isfinite(scale)) and scale != 0
    return Channel(
        name.removeprefix("Lead ")[:24], scale if usable else 1.0, str(units.get("CodeValue") or "")
    )
