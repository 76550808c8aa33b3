"""The smallest rectangle around each outline of those that stand along one of its edges.

Such a rectangle is parallel to a wall. The smallest of all (Freeman and Shapira 1975) has a
side along the convex hull, and so may lie askew before a building in the shape of an L. Each
edge is tried at all corners: O(n**2) for n corners, 0.2 µs for 8. To make the outlines objects
of GEOS alone takes 6 µs each (2026-11).
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import kernel
from cimkit.tables._columns import FloatArray, IntArray

LESS = 1.0 - 1e-9
"""Part of the area of one found before that a rectangle may have: of equal ones the first
counts, whatever the last bits of the coordinates are."""


@kernel
def outline_rectangles(xy: FloatArray, offsets: IntArray) -> FloatArray:
    """Lay a rectangle around each outline.

    Parameters
    ----------
    xy : float64 array, shape (n_corners, 2)
        Corners of all outlines, in order around each, not closed; may lie far from the origin.
    offsets : int64 array, shape (n + 1,)
        Borders of the outlines in `xy`.

    Returns
    -------
    float64 array, shape (n, 4, 2)
        Corners, counter-clockwise; those of an outline without any edge all lie at its place.
    """
    result = np.empty((len(offsets) - 1, 4, 2))
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        x0, y0 = xy[start, 0], xy[start, 1]
        result[row, :, 0], result[row, :, 1] = x0, y0
        best = np.inf
        for i in range(start, end):
            j = i + 1 if i + 1 < end else start
            u, v = xy[j, 0] - xy[i, 0], xy[j, 1] - xy[i, 1]
            length = np.sqrt(u * u + v * v)
            if length == 0.0:
                continue
            u, v = u / length, v / length
            low_s = high_s = low_t = high_t = 0.0  # the first corner is the origin
            for k in range(start + 1, end):
                x, y = xy[k, 0] - x0, xy[k, 1] - y0
                s, t = x * u + y * v, y * u - x * v
                low_s, high_s = min(low_s, s), max(high_s, s)
                low_t, high_t = min(low_t, t), max(high_t, t)
            area = (high_s - low_s) * (high_t - low_t)
            if area < best * LESS:
                best = area
                for corner in range(4):
                    s = high_s if 1 <= corner <= 2 else low_s
                    t = high_t if corner >= 2 else low_t
                    result[row, corner, 0] = x0 + s * u - t * v
                    result[row, corner, 1] = y0 + s * v + t * u
    return result
