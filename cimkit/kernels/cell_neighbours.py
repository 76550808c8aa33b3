"""What cells of a grid have around them: how many of a kind, whether they fit, how steep it is.

Sums over squares slide along columns and rows; O(cells).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cimkit.kernels._jit import kernel
from cimkit.tables._columns import BoolArray

Heights = NDArray[np.float32]

STEEPEST = 1.0
"""Slope of the ground; what is steeper between two cells is a wall."""


@kernel
def count_around(chosen: BoolArray, radius: int) -> NDArray[np.int16]:
    """Chosen cells in the square of 2 `radius` + 1 around each cell; `radius` up to 90."""
    rows, columns = chosen.shape
    out = np.empty(chosen.shape, dtype=np.int16)
    strip = np.zeros(columns, dtype=np.int64)  # of the rows around, column by column
    for row in range(min(radius, rows)):
        strip += chosen[row]
    for row in range(rows):
        if row + radius < rows:
            strip += chosen[row + radius]
        if row > radius:
            strip -= chosen[row - radius - 1]
        total = 0
        for column in range(min(radius, columns)):
            total += strip[column]
        for column in range(columns):
            if column + radius < columns:
                total += strip[column + radius]
            if column > radius:
                total -= strip[column - radius - 1]
            out[row, column] = total
    return out


@kernel
def lift_to_middle(low: Heights, z: Heights) -> Heights:
    """Heights of the middle of cells, from their lowest points and the surface `z` around.

    On a slope the lowest point lies half a cell from the middle.
    """
    rows, columns = low.shape
    out = low.copy()
    for row in range(rows):
        south, north = max(row - 1, 0), min(row + 1, rows - 1)
        for column in range(columns):
            west, east = max(column - 1, 0), min(column + 1, columns - 1)
            along = abs(z[row, east] - z[row, west]) / max(east - west, 1)
            across = abs(z[north, column] - z[south, column]) / max(north - south, 1)
            out[row, column] += 0.5 * (min(along, STEEPEST) + min(across, STEEPEST))
    return out


@kernel
def compare_neighbours(
    z: Heights, tolerance: float, jump: float
) -> tuple[NDArray[np.int8], int]:
    """Whether each known cell fits to those around it, and how many steep steps there are.

    A cell fits (2) within `tolerance` of the mean of the known cells of the 5 by 5 around it,
    or does not (1); with fewer than three of them it is not judged (0). A step is a jump
    between two known cells in a row or column with one between them.
    """
    rows, columns = z.shape
    fits, steps = np.zeros(z.shape, np.int8), 0
    for row in range(rows):
        for column in range(columns):
            here = z[row, column]
            if np.isnan(here):
                continue
            total, known = 0.0, 0
            for i in range(max(row - 2, 0), min(row + 3, rows)):
                for j in range(max(column - 2, 0), min(column + 3, columns)):
                    if not np.isnan(z[i, j]):
                        total += z[i, j] - here
                        known += 1
            if known > 3:
                fits[row, column] = 2 if abs(total / (known - 1)) <= tolerance else 1
            if row + 2 < rows and abs(z[row + 2, column] - here) > jump:
                steps += 1
            if column + 2 < columns and abs(z[row, column + 2] - here) > jump:
                steps += 1
    return fits, steps
