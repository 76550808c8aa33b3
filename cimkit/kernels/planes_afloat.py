"""Planes high above a roof that is seen through them: jibs of cranes, cables, crowns.

Time O(points), memory O(cells under a plane).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cimkit.kernels._jit import helper
from cimkit.kernels.plane_sums import sums_of

if TYPE_CHECKING:
    from cimkit.tables._columns import FloatArray, WholeArray

AFLOAT_HEIGHT, AFLOAT_AREA = 6.0, 40.0
"""Metres above other planes and largest area (m²) of a plane that may be a crane's jib."""

AFLOAT_SLIM, AFLOAT_SEEN = 3.0, 0.8
"""Least ratio of its length to its width, and of the points below it to its own. On 3,313 real
roofs 77 of 18,600 planes are so; without the first 193, mostly of glass."""

AFLOAT_CELL = 0.7
"""Metres of the cells in which points below a plane are looked for, at the least."""


@helper
def drop_planes_afloat(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    owner: WholeArray,
    planes: FloatArray,
    density: float,
) -> FloatArray:
    """Drop slim planes high above others that are seen through them: jibs, booms, cables.

    Below a roof no other roof is scanned, or only a strip at its edge. A plane is dropped if,
    in the cells where its points lie, nearly as many points lie on planes far below it.
    """
    n_planes = len(planes)
    sums = sums_of(x, y, z, owner, n_planes)
    lowest = np.full(n_planes, np.inf)
    for i in range(len(owner)):
        if owner[i] >= 0:
            lowest[owner[i]] = min(lowest[owner[i]], z[i])
    number = np.full(n_planes, -1, np.int32)
    left = 0
    for p in range(n_planes):
        n = sums[p, 0]
        if (
            lowest[p] > lowest.min() + AFLOAT_HEIGHT
            and 0.0 < n <= AFLOAT_AREA * density
            and _is_slim(sums[p])
            and _points_below(x, y, z, owner, planes, p, density) >= AFLOAT_SEEN * n
        ):
            continue
        number[p] = left
        left += 1
    if left == n_planes:
        return planes
    for i in range(len(owner)):
        if owner[i] >= 0:
            owner[i] = number[owner[i]]
    return planes[number >= 0]


@helper
def _is_slim(sums: FloatArray) -> bool:
    """Whether summed points lie in a strip of `AFLOAT_SLIM` times its width, by variances."""
    n = sums[0]
    mx, my = sums[1] / n, sums[2] / n
    xx, xy, yy = sums[4] / n - mx * mx, sums[5] / n - mx * my, sums[6] / n - my * my
    half = math.hypot(0.5 * (xx - yy), xy)
    return bool(0.5 * (xx + yy) + half >= AFLOAT_SLIM**2 * (0.5 * (xx + yy) - half))


@helper
def _points_below(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    owner: WholeArray,
    planes: FloatArray,
    p: int,
    density: float,
) -> int:
    """How many points of other planes lie far below a plane, in the cells of its points."""
    west = south = np.inf
    east = north = -np.inf
    for i in range(len(x)):
        if owner[i] == p:
            west, east = min(west, x[i]), max(east, x[i])
            south, north = min(south, y[i]), max(north, y[i])
    side = max(AFLOAT_CELL, math.sqrt(4.0 / density))
    columns, rows = int((east - west) / side) + 1, int((north - south) / side) + 1
    covered = np.zeros((rows, columns), np.bool_)
    for i in range(len(x)):
        if owner[i] == p:
            covered[int((y[i] - south) / side), int((x[i] - west) / side)] = True
    below = 0
    for i in range(len(x)):
        if (
            owner[i] < 0
            or owner[i] == p
            or not (west <= x[i] <= east and south <= y[i] <= north)
        ):
            continue
        level = planes[p, 0] * x[i] + planes[p, 1] * y[i] + planes[p, 2] - AFLOAT_HEIGHT
        if z[i] < level and covered[int((y[i] - south) / side), int((x[i] - west) / side)]:
            below += 1
    return below
