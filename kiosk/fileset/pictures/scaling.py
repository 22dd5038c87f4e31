"""A frame made smaller: every pixel is the mean of the area that it covers."""

from __future__ import annotations

import numpy as np

from kiosk.fileset.pictures.frames import Samples


def fitted(found: Samples, longest: int) -> Samples:
    """At most `longest` pixels on its long side, in proportion; smaller ones stay as they are."""
    rows, columns = found.shape[:2]
    scale = longest / max(rows, columns)
    if scale >= 1:
        return found
    tall, wide = max(1, round(rows * scale)), max(1, round(columns * scale))
    return _shrunk(_shrunk(found, tall, 0), wide, 1)


def _shrunk(found: Samples, length: int, axis: int) -> Samples:
    """The running sum at the new pixels' edges, between two of the old ones where they lie so."""
    old = found.shape[axis]
    edges = np.linspace(0, old, length + 1)
    summed = np.cumsum(found, axis=axis, dtype=np.float64)
    zero = np.zeros_like(np.take(summed, [0], axis=axis))
    summed = np.concatenate([zero, summed], axis=axis)
    below = np.minimum(edges.astype(int), old - 1)
    part = (edges - below).reshape([-1 if n == axis else 1 for n in range(found.ndim)])
    at = np.take(summed, below, axis=axis)
    at = at + part * (np.take(summed, below + 1, axis=axis) - at)
    mean: Samples = np.diff(at, axis=axis) * (length / old)
    return mean
