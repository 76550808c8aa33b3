"""Pulses of the laser and what comes back: density, noise, classes, flight strips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimkit.sample.layout import TURN, to_line, to_map
from cimkit.tables._columns import FloatArray, IntArray

DENSITY = 8.0
"""Points per m2 of one strip on roofs, crowns and cars."""

DENSITY_BESIDE = 7.0
"""Points per m2 that the neighbouring strip adds where the two overlap."""

RANGE_NOISE = 0.025
"""Standard deviation of the range, metres."""

UNCLASSIFIED, GROUND, SHRUB, TREE, BUILDING, LOW_NOISE, WATER, HIGH_NOISE = (
    1, 2, 3, 5, 6, 7, 9, 18,
)  # fmt: skip
"""LAS classes; walls and cars are left unclassified."""

STRIP_SPACING, STRIP_OVERLAP = 200.0, 50.0
"""Metres from flight line to flight line, and of ground that both neighbours see."""

FLIGHT_HEIGHT = 700.0
"""Metres above the city: what makes the pulses slant towards the edges of a strip."""

FIRST_STRIP = 101
"""Point source id of the strip over the southern edge of the city; others go on from here."""

FORWARD = 0.04
"""Metres that every pulse moves along the strip while it sinks by one metre."""


class Returns(NamedTuple):
    """Points of a scan, columns of one length."""

    xyz: FloatArray
    classification: NDArray[np.uint8]
    strip: NDArray[np.int64]
    """Number of the flight strip; 0 is the one over the southern edge."""
    return_number: NDArray[np.uint8]
    number_of_returns: NDArray[np.uint8]


def returns_of(
    xy: FloatArray, z: FloatArray, kind: int, strip: IntArray, number: int = 1, of: int = 1
) -> Returns:
    """Put points of one class together, all the number-th return of so many."""
    n = len(xy)
    return Returns(
        np.column_stack([xy, z]),
        np.full(n, kind, dtype=np.uint8),
        strip,
        np.full(n, number, dtype=np.uint8),
        np.full(n, of, dtype=np.uint8),
    )


def join(parts: Sequence[Returns]) -> Returns:
    """Put the returns of several surfaces together; at least one."""
    columns: Any = zip(*parts, strict=True)
    return Returns(*map(np.concatenate, columns))


def take(returns: Returns, which: NDArray[np.bool_] | IntArray) -> Returns:
    """Keep some of the returns, or all in another order."""
    columns: list[Any] = [column[which] for column in returns]
    return Returns(*columns)


def lattice(bounds: Sequence[float], density: float, rng: np.random.Generator) -> FloatArray:
    """Spread pulses evenly, each shaken within its cell; shape (n, 2)."""
    xmin, ymin, xmax, ymax = bounds
    step = 1.0 / np.sqrt(density)
    x, y = np.meshgrid(np.arange(xmin, xmax, step), np.arange(ymin, ymax, step))
    cells = np.stack([x.ravel(), y.ravel()], axis=1)
    return cells + rng.uniform(0.0, step, cells.shape)


def strips_over(xy: FloatArray) -> tuple[IntArray, IntArray]:
    """Strip that covers each place, and the one beside it that also sees it, or -1.

    Examples
    --------
    >>> from cimkit.sample.layout import to_map
    >>> own, beside = strips_over(to_map([0.0, 0.0, 0.0], [100.0, 190.0, 210.0]))
    >>> own.tolist(), beside.tolist()
    ([1, 1, 2], [-1, 2, 1])
    """
    _, across = to_line(xy[:, 0], xy[:, 1])
    share = across / STRIP_SPACING + 1.0  # The first strip lies over the river.
    own = np.floor(share).astype(np.int64)
    within, margin = share - own, STRIP_OVERLAP / 2.0 / STRIP_SPACING
    beside = np.where(within < margin, own - 1, np.where(within > 1.0 - margin, own + 1, -1))
    return own, beside.astype(np.int64)


def pulses(
    bounds: Sequence[float],
    rng: np.random.Generator,
    *,
    left: float = 1.0,
    on_grid: bool = False,
) -> tuple[FloatArray, IntArray]:
    """Pulses of all strips over a box: places, shape (n, 2), and the strip of each.

    Only the share `left` of them is made; with `on_grid` the box is one of grid coordinates.
    """
    first = lattice(bounds, DENSITY * left, rng)
    second = lattice(bounds, DENSITY_BESIDE * left, rng)
    if on_grid:
        first, second = to_map(*first.T), to_map(*second.T)
    own, _ = strips_over(first)
    _, beside = strips_over(second)
    seen = beside >= 0
    return np.concatenate([first, second[seen]]), np.concatenate([own, beside[seen]])


def slant(xy: FloatArray, strip: int) -> FloatArray:
    """East and north that a pulse of a strip moves at a place while it sinks by one metre."""
    _, across = to_line(xy[0], xy[1])
    sideways = (float(across) - (strip - 0.5) * STRIP_SPACING) / FLIGHT_HEIGHT
    c, s = np.cos(TURN), np.sin(TURN)
    return np.array([FORWARD * c - sideways * s, FORWARD * s + sideways * c])
