"""Pulses of the laser and what comes back: density, noise, classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimkit.tables._columns import FloatArray

DENSITY = 10.0
"""Points per m2 on roofs, crowns and cars."""

RANGE_NOISE = 0.025
"""Standard deviation of the range, metres."""

UNCLASSIFIED, GROUND, SHRUB, TREE, BUILDING, LOW_NOISE, HIGH_NOISE = 1, 2, 3, 5, 6, 7, 18
"""LAS classes; walls and cars are left unclassified."""


class Returns(NamedTuple):
    """Points of a scan: float64 (n, 3) and uint8 (n,)."""

    xyz: FloatArray
    classification: NDArray[np.uint8]


def returns_of(xy: FloatArray, z: FloatArray, kind: int) -> Returns:
    """Put points of one class together."""
    return Returns(np.column_stack([xy, z]), np.full(len(xy), kind, dtype=np.uint8))


def join(parts: Sequence[Returns]) -> Returns:
    """Put the returns of several surfaces together."""
    return Returns(
        np.concatenate([part.xyz for part in parts]),
        np.concatenate([part.classification for part in parts]),
    )


def lattice(bounds: Sequence[float], density: float, rng: np.random.Generator) -> FloatArray:
    """Spread pulses evenly, each shaken within its cell; shape (n, 2)."""
    xmin, ymin, xmax, ymax = bounds
    step = 1.0 / np.sqrt(density)
    x, y = np.meshgrid(np.arange(xmin, xmax, step), np.arange(ymin, ymax, step))
    cells = np.stack([x.ravel(), y.ravel()], axis=1)
    return cells + rng.uniform(0.0, step, cells.shape)
