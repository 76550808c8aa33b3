"""How many roof points lie at which distance across the edges of footprints.

Roofs end where walls stand. Across a free edge of a footprint the number of roof points falls
from many to none; where it falls tells how far cloud and footprint are apart along the edge's
normal. Counts are kept for each direction of the normal, so edges of all buildings can be added
up, as whole numbers, in any order.

Time O(points + edges x points near them), memory O(points + directions x distances).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cimkit.kernels._jit import kernel

if TYPE_CHECKING:
    from cimkit.tables._columns import FloatArray, IntArray

DIRECTIONS = 72
"""Bins of 5 degrees: at a shift of 2 m the wrong direction costs at most 9 cm in one edge."""

REACH, BIN = 4.0, 0.1
"""Metres across an edge on either side, and of one bin."""

DISTANCES = 80
"""Bins across an edge: 2 REACH / BIN."""

CELL = 2.0
"""Metres of the cells in which points are looked for."""


@kernel
def count_across_edges(
    x: FloatArray, y: FloatArray, edges: FloatArray, group: IntArray, n_groups: int
) -> IntArray:
    """Count points across edges.

    Parameters
    ----------
    x, y : float64 array, shape (n,)
        Roof points, metres.
    edges : float64 array, shape (n_edges, 4)
        x, y of both ends; the footprint lies at the left.
    group : int64 array, shape (n_edges,)
        Where the counts of each edge go, below `n_groups`.
    n_groups : int

    Returns
    -------
    int64 array, shape (n_groups, DIRECTIONS, DISTANCES)
        Number of points by direction of the outward normal (counter-clockwise from east) and by
        distance across the edge, from -REACH (inside) to REACH.
    """
    counts = np.zeros((n_groups, DIRECTIONS, DISTANCES), np.int64)
    if len(x) == 0 or len(edges) == 0:
        return counts
    west, south = x.min(), y.min()
    columns, rows = int((x.max() - west) / CELL) + 1, int((y.max() - south) / CELL) + 1
    start = np.zeros(columns * rows + 1, np.int64)
    for i in range(len(x)):
        start[int((y[i] - south) / CELL) * columns + int((x[i] - west) / CELL) + 1] += 1
    for c in range(columns * rows):
        start[c + 1] += start[c]
    place, member = start[:-1].copy(), np.empty(len(x), np.int64)
    for i in range(len(x)):
        c = int((y[i] - south) / CELL) * columns + int((x[i] - west) / CELL)
        member[place[c]] = i
        place[c] += 1
    for e in range(len(edges)):
        ax, ay = edges[e, 0], edges[e, 1]
        length = math.hypot(edges[e, 2] - ax, edges[e, 3] - ay)
        ux, uy = (edges[e, 2] - ax) / length, (edges[e, 3] - ay) / length
        turn = math.atan2(-ux, uy) / (2.0 * math.pi) % 1.0  # of the outward normal (uy, -ux)
        direction = int(turn * DIRECTIONS + 0.5) % DIRECTIONS
        low_x, high_x = min(ax, edges[e, 2]) - REACH, max(ax, edges[e, 2]) + REACH
        low_y, high_y = min(ay, edges[e, 3]) - REACH, max(ay, edges[e, 3]) + REACH
        first_column = max(math.floor((low_x - west) / CELL), 0)
        last_column = min(math.floor((high_x - west) / CELL), columns - 1)
        first_row = max(math.floor((low_y - south) / CELL), 0)
        last_row = min(math.floor((high_y - south) / CELL), rows - 1)
        if first_column > last_column:  # east or west of all points
            continue
        for row in range(first_row, last_row + 1):
            for m in range(
                start[row * columns + first_column],
                start[row * columns + last_column + 1],
            ):
                i = member[m]
                along = ux * (x[i] - ax) + uy * (y[i] - ay)
                across = uy * (x[i] - ax) - ux * (y[i] - ay)
                if 0.0 <= along <= length and -REACH <= across < REACH:
                    counts[group[e], direction, int((across + REACH) / BIN)] += 1
    return counts
