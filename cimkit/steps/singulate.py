"""Give every point of the cloud to the building that it lies on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cimkit.kernels.footprint_grid import build_grid
from cimkit.kernels.point_in_footprint import assign_points
from cimkit.tables.coerce import as_footprints, as_points

if TYPE_CHECKING:
    from cimkit.tables._columns import IntArray


def singulate(points: Any, footprints: Any) -> IntArray:
    """Find the building of each point (单体化), from above.

    Parameters
    ----------
    points : PointCloud, or array of shape (n, 4)
        x, y, z, class; height and class play no part.
    footprints : Footprints, or GeoDataFrame of valid polygons with a column `building_id`
        In the CRS of the points.

    Returns
    -------
    int64 array, shape (n,)
        Row of the footprint that covers the point, its outline included, its courtyards not;
        -1 for none. Where several cover it (shared walls, overlaps): the one of least area,
        then of least row.

    Raises
    ------
    ParameterError
        If the inputs are neither tables of cimkit nor of the kinds named above.

    Notes
    -----
    The same as `shapely.covers`, decided exactly; see `cimkit.kernels.point_in_footprint`.

    Examples
    --------
    >>> import numpy as np
    >>> import shapely
    >>> from cimkit.tables import Footprints
    >>> footprints = Footprints.from_polygons(["a"], [shapely.box(0, 0, 4, 4)])
    >>> singulate(np.array([[1.0, 1.0, 7.0, 6.0], [9.0, 1.0, 0.0, 2.0]]), footprints)
    array([ 0, -1])
    """
    cloud = as_points(points)
    return assign_points(cloud.x, cloud.y, build_grid(as_footprints(footprints)))
