"""Ground heights summed into cells, and holes filled from coarser and coarser cells.

Sums are whole millimetres, so that no order of points or files can change a bit. Filling is the
push-pull method of Gortler et al., The Lumigraph (SIGGRAPH 1996), section 3.4: means of the
known cells two by two up to one cell, then down again, bilinear. O(cells).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cimkit.kernels._jit import kernel
from cimkit.tables._columns import FloatArray, IntArray

Heights = NDArray[np.float32]

ALIGNED_LEVELS = 10
"""Cells above 1,024 are not aligned: two beside the origin would never become one."""


@kernel
def sum_cells(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    cell: float,
    first_column: int,
    first_row: int,
    total: NDArray[np.int64],
    count: NDArray[np.int32],
) -> int:
    """Add the points into `total` (millimetres) and `count`; returns how many fell inside.

    Cell (row, column) of the arrays is the cell (first_row + row, first_column + column) of the
    grid that starts at the origin of the CRS.
    """
    rows, columns = total.shape
    used = 0
    for i in range(len(x)):
        column = int(np.floor(x[i] / cell)) - first_column
        row = int(np.floor(y[i] / cell)) - first_row
        if 0 <= row < rows and 0 <= column < columns:
            total[row, column] += int(np.round(z[i] * 1000.0))
            count[row, column] += 1
            used += 1
    return used


@kernel
def halve(z: Heights, odd_row: int, odd_column: int) -> Heights:
    """Mean of the known cells of each two by two; NaN where none is known.

    `odd_row` is 1 where the first row is the second of its pair, else 0; `odd_column` likewise.
    """
    rows, columns = z.shape
    shape = (rows + odd_row + 1) // 2, (columns + odd_column + 1) // 2
    coarse = np.empty(shape, dtype=np.float32)
    for i in range(shape[0]):
        south, north = max(2 * i - odd_row, 0), min(2 * i + 2 - odd_row, rows)
        for j in range(shape[1]):
            west, east = max(2 * j - odd_column, 0), min(2 * j + 2 - odd_column, columns)
            total, n = 0.0, 0
            for row in range(south, north):
                for column in range(west, east):
                    if not np.isnan(z[row, column]):
                        total += z[row, column]
                        n += 1
            coarse[i, j] = total / n if n else np.nan
    return coarse


@kernel
def fill_from(z: Heights, coarse: Heights, odd_row: int, odd_column: int) -> None:
    """Fill the unknown cells of `z` from the cells of `coarse`, twice as large, bilinearly."""
    rows, columns = z.shape
    for row in range(rows):
        v = (row + odd_row + 0.5) / 2 - 0.5
        south = int(np.floor(v))
        v -= south
        north = min(south + 1, coarse.shape[0] - 1)
        south = max(south, 0)
        for column in range(columns):
            if not np.isnan(z[row, column]):
                continue
            u = (column + odd_column + 0.5) / 2 - 0.5
            west = int(np.floor(u))
            u -= west
            east = min(west + 1, coarse.shape[1] - 1)
            west = max(west, 0)
            lower = coarse[south, west] * (1 - u) + coarse[south, east] * u
            upper = coarse[north, west] * (1 - u) + coarse[north, east] * u
            z[row, column] = lower * (1 - v) + upper * v


def fill_holes(z: Heights, first_row: int = 0, first_column: int = 0) -> None:
    """Fill all unknown cells of `z`, in place; with no known cell it stays unknown.

    Parameters
    ----------
    z : float32 array, shape (rows, columns)
        NaN where unknown.
    first_row, first_column : int
        Place of cell (0, 0) in the grid that starts at the origin of the CRS. Coarser cells are
        aligned to it, so that a city that grows at its edge keeps its heights elsewhere.

    Examples
    --------
    >>> z = np.array([[1.0, np.nan], [np.nan, 3.0]], dtype=np.float32)
    >>> fill_holes(z)
    >>> z
    array([[1., 2.],
           [2., 3.]], dtype=float32)
    """
    levels, odd = [z], [(0, 0)]
    while levels[-1].size > 1:
        if len(levels) > ALIGNED_LEVELS:
            first_row = first_column = 0
        odd.append((first_row & 1, first_column & 1))
        levels.append(halve(levels[-1], *odd[-1]))
        first_row, first_column = first_row >> 1, first_column >> 1
    for k in range(len(levels) - 1, 0, -1):
        fill_from(levels[k - 1], levels[k], *odd[k])


def empty_sums(rows: int, columns: int) -> tuple[IntArray, NDArray[np.int32]]:
    """Grids of zeros for `sum_cells`."""
    return np.zeros((rows, columns), np.int64), np.zeros((rows, columns), np.int32)
