"""Rasters of one roof: which cells lie in the footprint, and which plane each of them shows.

Time and memory O(cells).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cimkit.kernels._jit import helper

if TYPE_CHECKING:
    from cimkit.tables._columns import BoolArray, FloatArray, WholeArray


@helper
def inside_raster(
    ring_xy: FloatArray,
    ring_offsets: WholeArray,
    west: float,
    south: float,
    cell: float,
    rows: int,
    columns: int,
) -> BoolArray:
    """Cells whose centre lies in the footprint, by the parity of the edges west of it."""
    inside = np.zeros((rows, columns), np.bool_)
    for r in range(len(ring_offsets) - 1):
        first, last = ring_offsets[r], ring_offsets[r + 1]
        for i in range(first, last):
            j = i + 1 if i + 1 < last else first
            xa, ya, xb, yb = ring_xy[i, 0], ring_xy[i, 1], ring_xy[j, 0], ring_xy[j, 1]
            if ya > yb:
                xa, ya, xb, yb = xb, yb, xa, ya
            low = max(math.ceil((ya - south) / cell - 0.5), 0)
            high = min(math.ceil((yb - south) / cell - 0.5), rows)
            for row in range(low, high):
                t = (south + (row + 0.5) * cell - ya) / (yb - ya)
                column = math.ceil((xa + t * (xb - xa) - west) / cell - 0.5)
                if column < columns:
                    inside[row, max(column, 0)] ^= True
    for row in range(rows):
        state = False
        for column in range(columns):
            state ^= inside[row, column]
            inside[row, column] = state
    return inside


@helper
def label_raster(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    owner: WholeArray,
    west: float,
    south: float,
    cell: float,
    rows: int,
    columns: int,
) -> WholeArray:
    """Plane of the nearest labelled point of each cell, smoothed; -1 without any point.

    Of several points in a cell the highest counts: the roof is seen from above. Distances are
    propagated in two passes over eight neighbours, each keeping its source point.
    """
    source = np.full((rows + 2, columns + 2), -1, np.int32)
    for i in range(len(x)):
        if owner[i] < 0:
            continue
        row, column = int((y[i] - south) / cell) + 1, int((x[i] - west) / cell) + 1
        if not (0 < row <= rows and 0 < column <= columns):
            continue
        other = source[row, column]
        if other < 0 or z[i] > z[other]:
            source[row, column] = i
    for sweep in range(2):
        for r in range(rows):
            row = r + 1 if sweep == 0 else rows - r
            step = -1 if sweep == 0 else 1
            yc = south + (row - 0.5) * cell
            for c in range(columns):
                column = c + 1 if sweep == 0 else columns - c
                xc = west + (column - 0.5) * cell
                best = source[row, column]
                near = np.inf
                if best >= 0:
                    near = (x[best] - xc) ** 2 + (y[best] - yc) ** 2
                for neighbour in range(4):
                    if neighbour == 0:
                        other = source[row, column + step]
                    else:
                        other = source[row + step, column + neighbour - 2]
                    if other >= 0 and other != best:
                        d = (x[other] - xc) ** 2 + (y[other] - yc) ** 2
                        if d < near:
                            near, best = d, other
                source[row, column] = best
    label = np.full((rows, columns), -1, np.int32)
    for row in range(rows):
        for column in range(columns):
            i = source[row + 1, column + 1]
            label[row, column] = owner[i] if i >= 0 else -1
    return _smooth(_smooth(label))


@helper
def _smooth(label: WholeArray) -> WholeArray:
    """Most frequent label of the 3 x 3 cells around; of equally frequent ones its own."""
    rows, columns = label.shape
    out = label.copy()
    seen = np.empty(9, np.int32)
    for row in range(1, rows - 1):
        for column in range(1, columns - 1):
            own = label[row, column]
            same = 0
            for r in range(row - 1, row + 2):
                for c in range(column - 1, column + 2):
                    seen[(r - row + 1) * 3 + c - column + 1] = label[r, c]
                    same += label[r, c] == own
            if same >= 5:
                continue
            best, most = own, same
            for m in range(9):
                count = 0
                for other in seen:
                    count += other == seen[m]
                if count > most or (count == most and best != own and seen[m] < best):
                    best, most = seen[m], count
            out[row, column] = best
    return out
