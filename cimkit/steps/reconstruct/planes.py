"""Roof planes of one building, for a look at what the points say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely

from cimkit.errors import ParameterError
from cimkit.kernels.roof_planes import PlaneRules, find_roof_planes
from cimkit.tables._columns import FloatArray, IntArray, floats


class RoofPlanes(NamedTuple):
    """Planes of a roof (屋面平面).

    Attributes
    ----------
    xyz : float64 array, shape (n, 3)
        The points, sorted, metres from `origin`.
    plane_of_point : int32 array, shape (n,)
        Plane of each point; -1 for none: walls, chimneys, trees, single returns.
    planes : float64 array, shape (n_planes, 3)
        a, b, c of z = a x + b y + c, relative to `origin`.
    origin : tuple of float
        South-west corner of the footprint, and height 0.
    area : float
        Of the footprint, m².
    """

    xyz: FloatArray
    plane_of_point: IntArray
    planes: FloatArray
    origin: tuple[float, float, float]
    area: float

    @property
    def slope_deg(self) -> FloatArray:
        """Angle of each plane to the horizontal, degrees."""
        slope = np.hypot(self.planes[:, 0], self.planes[:, 1])
        return np.asarray(np.degrees(np.arctan(slope)))


def find_planes(xyz: FloatArray, polygon: shapely.Polygon) -> RoofPlanes:
    """Find the roof planes in the points of one building.

    Parameters
    ----------
    xyz : float64 array, shape (n, 3)
        Points on the building, metres.
    polygon : shapely Polygon
        Its footprint, in the same CRS.

    Returns
    -------
    RoofPlanes

    Raises
    ------
    ParameterError
        If `polygon` is empty or no polygon.

    Notes
    -----
    Region growing over local normals with polishing; see `cimkit.kernels.roof_planes`. The same
    kernel makes the planes in `cimkit.reconstruct`.

    Examples
    --------
    >>> x, y = (
    ...     axis.ravel() for axis in np.meshgrid(np.arange(0.2, 6, 0.4), np.arange(0.2, 4, 0.4))
    ... )
    >>> gable = np.column_stack([x, y, 5 - np.abs(y - 2)])
    >>> roof = find_planes(gable, shapely.box(0, 0, 6, 4))
    >>> len(roof.planes), roof.slope_deg.round(3).tolist()
    (2, [45.0, 45.0])
    """
    if not isinstance(polygon, shapely.Polygon) or polygon.is_empty:
        raise ParameterError(
            f"polygon: a shapely Polygon with area expected, not {polygon!r:.60}"
        )
    xyz = np.asarray(xyz, dtype=np.float64).reshape(-1, 3)
    floats("xyz", xyz.ravel())
    west, south = np.rint(np.array(polygon.bounds[:2]) * 1000.0).astype(np.int64)
    units = np.rint(xyz * 1000.0).astype(np.int64) - (west, south, 0)
    local = units[np.lexsort((units[:, 2], units[:, 0], units[:, 1]))] / 1000.0
    x, y, z = (np.ascontiguousarray(local[:, axis]) for axis in range(3))
    # From whole millimetres: the last bits of the area must not depend on the place.
    area = (
        shapely.transform(polygon, lambda xy: np.rint(xy * 1000.0) - (west, south)).area / 1e6
    )
    planes, owner = find_roof_planes(x, y, z, area, PlaneRules())
    origin = (float(west) / 1000.0, float(south) / 1000.0, 0.0)
    return RoofPlanes(local, owner, planes, origin, area)
