"""How often a closed surface winds round a point: 1 inside, 0 outside.

The sum of the signed solid angles of the triangles over 4 pi (Van Oosterom & Strackee 1983). It
is off 0 and 1 by rounding only, also where triangles meet, so that a half is a safe border.
O(points x triangles).
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import kernel
from cimkit.tables._columns import FloatArray


@kernel
def winding_numbers(points: FloatArray, triangles: FloatArray) -> FloatArray:
    """Winding number of a surface round each point.

    Parameters
    ----------
    points : float64 array, shape (n, 3)
        Metres, near the origin; not on the surface.
    triangles : float64 array, shape (m, 3, 3)
        Corners, counter-clockwise seen from outside.

    Returns
    -------
    float64 array, shape (n,)

    Examples
    --------
    >>> corner = np.vstack([np.zeros(3), np.eye(3)])
    >>> sides = corner[np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])]
    >>> winding_numbers(np.array([[0.1, 0.1, 0.1], [1.0, 1.0, 1.0]]), sides).round(9) + 0.0
    array([1., 0.])
    """
    result = np.zeros(len(points))
    for i in range(len(points)):
        total = 0.0
        for t in range(len(triangles)):
            ax = triangles[t, 0, 0] - points[i, 0]
            ay = triangles[t, 0, 1] - points[i, 1]
            az = triangles[t, 0, 2] - points[i, 2]
            bx = triangles[t, 1, 0] - points[i, 0]
            by = triangles[t, 1, 1] - points[i, 1]
            bz = triangles[t, 1, 2] - points[i, 2]
            cx = triangles[t, 2, 0] - points[i, 0]
            cy = triangles[t, 2, 1] - points[i, 1]
            cz = triangles[t, 2, 2] - points[i, 2]
            a = np.sqrt(ax * ax + ay * ay + az * az)
            b = np.sqrt(bx * bx + by * by + bz * bz)
            c = np.sqrt(cx * cx + cy * cy + cz * cz)
            volume = (
                ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
            )
            rest = a * b * c + (ax * bx + ay * by + az * bz) * c
            rest += (bx * cx + by * cy + bz * cz) * a + (cx * ax + cy * ay + cz * az) * b
            total += 2.0 * np.arctan2(volume, rest)
        result[i] = total / (4.0 * np.pi)
    return result
