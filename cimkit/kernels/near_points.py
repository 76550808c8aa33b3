"""Points of one shell that lie so close together that they are one point.

The points are taken in their order: each joins the first point kept before that is not farther
than the tolerance, else it is kept. Kept points lie more than the tolerance apart, so only a
few fit into a cell of a hash grid, and the whole is O(n) whatever the points. Distances are
compared with `ROUNDING` on top: two points one tolerance apart in their file are one, whatever
was added to their coordinates since.
"""

from __future__ import annotations

import numpy as np

from cimkit.errors import TableError
from cimkit.kernels._jit import helper, kernel
from cimkit.tables._columns import FloatArray, IntArray, floats, offsets

ROUNDING = 1e-8
"""Metres: coordinates of 4e7 m, zone-prefixed eastings, are exact to 4e-9 m."""

CELLS = 4.0
"""Width of a cell in tolerances: most points have to look into one cell only."""


def merge_near_points(xyz: FloatArray, borders: IntArray, tolerance: float) -> IntArray:
    """Row of the point that each point is taken for.

    Parameters
    ----------
    xyz : float64 array, shape (n, 3)
        Metres, group by group, near the origin.
    borders : int64 array, shape (n_groups + 1,)
        Borders of the groups; points of two groups are never one.
    tolerance : float
        Metres, above 0.

    Returns
    -------
    int64 array, shape (n,)
        Own row of a point that is kept, else the row of the kept point that it joins.

    Raises
    ------
    TableError
        If a coordinate is not finite, or the borders do not fit.

    Examples
    --------
    >>> xyz = np.array([[0.0, 0, 0], [5.0, 0, 0], [0.0005, 0, 0]])
    >>> merge_near_points(xyz, np.array([0, 3]), 0.001)
    array([0, 1, 0])
    """
    flat = floats("xyz", np.asarray(xyz, dtype=np.float64).ravel())
    points = flat.reshape(-1, 3)
    borders = offsets("borders", borders, len(points))
    if not tolerance > 0:
        raise TableError("tolerance: must be above 0")
    return _merge(points, borders, float(tolerance))


@helper
def _slot(x: int, y: int, z: int, mask: int) -> int:
    """Start of the chain of a cell."""
    mixed = x * 73856093 ^ y * 19349663 ^ z * 83492791
    return (mixed ^ (mixed >> 15)) & mask


@helper
def _cell(x: float, width: float) -> int:
    return int(np.floor(x / width))


@kernel
def _merge(points: FloatArray, borders: IntArray, tolerance: float) -> IntArray:
    kept = np.arange(len(points))
    reach = tolerance + ROUNDING
    width = CELLS * tolerance
    for group in range(len(borders) - 1):
        first, last = borders[group], borders[group + 1]
        size = 16
        while size < 2 * (last - first):
            size *= 2
        head = np.full(size, -1, dtype=np.int64)
        following = np.full(last - first, -1, dtype=np.int64)
        for row in range(first, last):
            x, y, z = points[row, 0], points[row, 1], points[row, 2]
            found = row
            for i in range(_cell(x - reach, width), _cell(x + reach, width) + 1):
                for j in range(_cell(y - reach, width), _cell(y + reach, width) + 1):
                    for k in range(_cell(z - reach, width), _cell(z + reach, width) + 1):
                        other = head[_slot(i, j, k, size - 1)]
                        while other >= 0:
                            dx = points[other, 0] - x
                            dy = points[other, 1] - y
                            dz = points[other, 2] - z
                            if dx * dx + dy * dy + dz * dz <= reach * reach and other < found:
                                found = other
                            other = following[other - first]
            kept[row] = found
            if found == row:
                slot = _slot(_cell(x, width), _cell(y, width), _cell(z, width), size - 1)
                following[row - first] = head[slot]
                head[slot] = row
    return kept
