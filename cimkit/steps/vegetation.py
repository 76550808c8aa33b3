"""Trees over and beside roofs, told from roofs by their returns and their roughness."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimkit.kernels.point_neighbourhoods import describe_neighbourhoods
from cimkit.tables._columns import BoolArray, IntArray
from cimkit.tables.coerce import as_points

RADIUS = 1.5
"""Metres. At 1 m and the same loss of roof points 5 % fewer of the others are found."""

MULTIPLE_SHARE, ROUGHNESS = 0.7, 0.15
"""A pulse on a roof comes back once, but at its edges; in a crown it comes back several times,
from all depths. Both must hold: ridges are rough, and roofs under trees are hit by last echoes.
"""

ALONE, ALONE_ABOVE = 2, 10
"""A point with at most one other near it, where the cylinder around it holds ten: a bird, a
cable, an antenna above a roof."""


def is_vegetation(points: Any, wanted: IntArray | None = None) -> BoolArray:
    """Which points are of plants (植被), or float alone above a roof.

    Used for roofs only where the cloud states no buildings.

    Parameters
    ----------
    points : PointCloud or array, shape (n, 4)
        With all that stands near, but without ground: that under a crown is smooth, and one
        return of many.
    wanted : int64 array, shape (m,), optional
        Rows of the points to judge; by default all.

    Returns
    -------
    bool array, shape (m,)
        Without `number_of_returns` in the cloud only points that float alone are found.

    Notes
    -----
    Points of more than one return make up `MULTIPLE_SHARE` of those within `RADIUS`, and lie
    `ROUGHNESS` off their best plane. On 75,415 building points inside of the footprints of
    Delft 1 % are taken for plants, of 1,362 others more than 2 m high 71 %: what is left are
    facades and what stands on roofs.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> crown, roof = rng.uniform(0, 4, (600, 3)), rng.uniform(0, 4, (600, 3)) + [9, 0, 0]
    >>> roof[:, 2] = 5 + 0.3 * roof[:, 0]
    >>> x, y, z = np.concatenate([crown, roof]).T
    >>> from cimkit.tables import PointCloud
    >>> returns = np.repeat([3, 1], 600)
    >>> cloud = PointCloud(x, y, z, 0 * returns, number_of_returns=returns)
    >>> found = is_vegetation(cloud)
    >>> bool(found[:600].mean() > 0.99), int(found[600:].sum())
    (True, 0)
    """
    cloud = as_points(points)
    rows = np.arange(len(cloud)) if wanted is None else wanted
    multiple = np.zeros(len(cloud), dtype=np.bool_)
    if cloud.number_of_returns is not None:
        multiple = cloud.number_of_returns > 1
    count, column, n_multiple, rough = describe_neighbourhoods(
        cloud.x, cloud.y, cloud.z, multiple, rows, RADIUS
    )
    leafy = (n_multiple >= MULTIPLE_SHARE * count) & (rough >= ROUGHNESS)
    return np.asarray(leafy | ((count <= ALONE) & (column >= ALONE_ABOVE)))
