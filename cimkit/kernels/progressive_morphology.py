"""Ground among the lowest heights of cells, by morphological openings with growing windows.

Zhang et al. 2003, A progressive morphological filter for removing nonground measurements from
airborne LIDAR data (IEEE TGRS 41, 872-882), on a full grid. An opening takes away what is
narrower than its window and keeps every slope as it is. What falls by more than a step of the
terrain could from one window to the next was an object. Sliding extremes by van Herk 1992:
O(cells) for any window.

Cells far below all around, from echoes that took a longer way, would drag the openings down and
are found first: few cells near them are as low.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cimkit.kernels._jit import kernel
from cimkit.tables._columns import BoolArray, FloatArray

Heights = NDArray[np.float32]
Millimetres = NDArray[np.int32]

NO_HEIGHT = np.iinfo(np.int32).max
"""Of a cell without points."""

STRIP = 16
"""Columns walked down together: one line of the cache holds 16 heights."""

BAND = 512
"""Rows worked on at once: 12 MB of heights for each surface in a grid of 32 M cells."""

PIT_WINDOW, PIT_DEPTH = 2, 0.5
"""Cells to each side, metres: what is deeper than this between its neighbours is looked at. A
ditch of 5 cells or a cellar stair is too, and passes if it has company."""

PIT_COMPANY, PIT_RADIUS = 0.01, 10
"""Share of the cells within 10 cells that are as low, give or take `PIT_DEPTH`. A ditch one
cell wide has 0.05; a forest floor seen by one pulse in twenty too; four stray cells 0.007."""


@kernel
def lowest_cells(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    cell: float,
    first_column: int,
    first_row: int,
    low: Millimetres,
) -> None:
    """Lower `low` (millimetres) to the lowest point of each cell, in place.

    Cell (row, column) is the cell (first_row + row, first_column + column) of the grid that
    starts at the origin of the CRS. Heights beyond 2,000 km are left out.
    """
    rows, columns = low.shape
    for i in range(len(x)):
        column = int(np.floor(x[i] / cell)) - first_column
        row = int(np.floor(y[i] / cell)) - first_row
        if 0 <= row < rows and 0 <= column < columns and abs(z[i]) < 2e6:
            height = int(np.round(z[i] * 1000.0))
            if height < low[row, column]:
                low[row, column] = height


@kernel
def slide(values: Heights, radius: int, pad: int, lowest: bool) -> Heights:
    """Lowest or highest of each window of 2 `radius` + 1 rows, column by column.

    `pad` rows above and below count as empty; there are 2 `pad` - 2 `radius` more windows than
    rows.
    """
    n, columns = values.shape
    size, m = 2 * radius + 1, n + 2 * pad
    out = np.empty((m - 2 * radius, columns), dtype=np.float32)
    ahead = np.empty((m, STRIP), dtype=np.float32)
    back = np.empty((m, STRIP), dtype=np.float32)
    sign = np.float32(1.0 if lowest else -1.0)
    empty = np.float32(np.inf)
    for first in range(0, columns, STRIP):
        width = min(STRIP, columns - first)
        for i in range(m):
            inside = pad <= i < pad + n
            for k in range(width):
                value = sign * values[i - pad, first + k] if inside else empty
                ahead[i, k] = back[i, k] = value
        for i in range(1, m):  # from the first row of each block of `size` to this one
            if i % size:
                for k in range(width):
                    ahead[i, k] = min(ahead[i, k], ahead[i - 1, k])
        for i in range(m - 2, -1, -1):  # from this row to the last of its block
            if (i + 1) % size:
                for k in range(width):
                    back[i, k] = min(back[i, k], back[i + 1, k])
        for i in range(m - 2 * radius):
            for k in range(width):
                out[i, first + k] = sign * min(back[i, k], ahead[i + size - 1, k])
    return out


@kernel
def lonely(z: Heights, suspect: BoolArray, radius: int, tolerance: float, share: float) -> None:
    """Clear `suspect`, in place, where at least `share` of the cells around are as low."""
    rows, columns = z.shape
    for row in range(rows):
        for column in range(columns):
            if not suspect[row, column]:
                continue
            known, company = 0, 0
            for i in range(max(row - radius, 0), min(row + radius + 1, rows)):
                for j in range(max(column - radius, 0), min(column + radius + 1, columns)):
                    if not np.isnan(z[i, j]):
                        known += 1
                        if abs(z[i, j] - z[row, column]) <= tolerance:
                            company += 1
            suspect[row, column] = company - 1 < share * (known - 1)


def open_surface(z: Heights, radius: int) -> Heights:
    """Morphological opening with a square of 2 `radius` + 1 cells; +inf is empty.

    Windows reach over the edge, where all is empty: a slope is kept up to its last cell.

    Examples
    --------
    >>> open_surface(np.array([[1, 2, 9, 4, 5]], dtype=np.float32), 1)
    array([[1., 2., 4., 4., 5.]], dtype=float32)
    """
    eroded = slide(z, radius, 2 * radius, True)
    eroded = slide(np.ascontiguousarray(eroded.T), radius, 2 * radius, True)
    eroded[eroded == np.inf] = -np.inf
    opened = slide(eroded, radius, 0, False)
    return slide(np.ascontiguousarray(opened.T), radius, 0, False)


def find_pits(z: Heights) -> BoolArray:
    """Cells far below all around them, without company.

    Parameters
    ----------
    z : float32 array, shape (rows, columns)
        NaN where unknown.

    Examples
    --------
    >>> z = np.full((21, 21), 5, dtype=np.float32)
    >>> z[10, 10], z[3] = -20, 3
    >>> np.argwhere(find_pits(z)).tolist()
    [[10, 10]]
    """
    pits = np.zeros(z.shape, dtype=np.bool_)
    for outer, inner, rows in _bands(len(z), 2 * PIT_WINDOW):
        part = z[outer]
        closed = open_surface(np.where(np.isnan(part), np.float32(np.inf), -part), PIT_WINDOW)
        pits[rows] = (-closed - part > PIT_DEPTH)[inner]
    lonely(z, pits, PIT_RADIUS, PIT_DEPTH, PIT_COMPANY)
    return pits


def find_objects(
    z: Heights, cell: float, window: float, slope: float, step: float, step_max: float
) -> BoolArray:
    """Cells of what stands on the ground and is narrower than the window.

    Parameters
    ----------
    z : float32 array, shape (rows, columns)
        Known everywhere.
    cell, window : float
        Metres.
    slope : float
        Half of the steepest side of a dike whose crest is kept.
    step, step_max : float
        Metres. An object falls by more than `step` and `slope` times what the window has grown
        by, or by more than `step_max`.

    Examples
    --------
    >>> z = np.zeros((1, 50), dtype=np.float32)
    >>> z[0, 10:15] = 6
    >>> np.flatnonzero(find_objects(z, 1.0, 12.0, 0.5, 0.3, 2.5)).tolist()
    [10, 11, 12, 13, 14]
    """
    found = np.zeros(z.shape, dtype=np.bool_)
    radii = [0, 1]
    while (2 * radii[-1] + 1) * cell <= window:
        radii.append(radii[-1] + max(1, radii[-1] // 5))
    for outer, inner, rows in _bands(len(z), 2 * radii[-1]):
        part = last = z[outer]
        for before, radius in itertools.pairwise(radii):
            opened = open_surface(part, radius)  # as that of the last one, but sees less far
            rise = min(step + slope * 2 * (radius - before) * cell, step_max)
            found[rows] |= (last - opened > rise)[inner]
            last = opened
    return found


def _bands(n: int, halo: int) -> Iterator[tuple[slice, slice, slice]]:
    """Bands of rows, for memory: with what they depend on, their part of that, themselves."""
    height = max(BAND, 2 * halo)
    for first in range(0, n, height):
        last, start = min(first + height, n), max(first - halo, 0)
        yield (
            slice(start, min(last + halo, n)),
            slice(first - start, last - start),
            slice(first, last),
        )
