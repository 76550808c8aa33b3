"""Which building stands at a place, and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pyproj import CRS, Transformer

from cimkit.errors import ParameterError
from cimkit.kernels.footprint_grid import build_grid
from cimkit.kernels.nearest_footprint import nearest_footprints
from cimkit.kernels.point_in_footprint import assign_points

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cimkit.tables import Footprints
    from cimkit.tables._columns import FloatArray, IntArray

WITHIN_MAX = 1000.0
"""Metres: the farthest that a building is looked for."""


class LinkedAddress(NamedTuple):
    """An address of a building.

    Attributes
    ----------
    address_id, text : str
    rule : str
        By which it was linked, such as R1.
    confidence : float
    is_primary : bool
    """

    address_id: str
    text: str
    rule: str
    confidence: float
    is_primary: bool


class Place(NamedTuple):
    """The building at a place (以点查房).

    Attributes
    ----------
    building_id, code : str
    addresses : list of LinkedAddress
        The primary one first, then by falling confidence.
    distance_m : float
        From the footprint; 0 inside.
    why : str
        In a sentence.
    """

    building_id: str
    code: str
    addresses: list[LinkedAddress]
    distance_m: float
    why: str


class Lookup:
    """Footprints in an index that is made once.

    Parameters
    ----------
    footprints : Footprints

    Examples
    --------
    >>> import shapely
    >>> from cimkit.tables import Footprints
    >>> boxes = [shapely.box(0, 0, 4, 4), shapely.box(7, 0, 9, 4)]
    >>> index = Lookup(Footprints.from_polygons(["a", "b"], boxes))
    >>> index.find([[1.0, 1.0], [6.0, 1.0], [50.0, 1.0]], within=3.0)
    (array([ 0,  1, -1]), array([ 0.,  1., nan]))
    """

    def __init__(self, footprints: Footprints) -> None:
        self.footprints = footprints
        self._grid = build_grid(footprints)

    def find(self, xy: ArrayLike, *, within: float = 0.0) -> tuple[IntArray, FloatArray]:
        """Row of the building at each point, and its distance.

        Parameters
        ----------
        xy : float64 array, shape (n, 2)
            East, north in metres.
        within : float, default 0.0
            Metres: where no footprint covers a point the nearest one up to here is taken, of
            equally near ones the first.

        Returns
        -------
        rows : int64 array, shape (n,)
            -1 for none. Of several that cover a point the smallest: a tower on its podium.
        distance : float64 array, shape (n,)
            Metres; NaN for none.

        Raises
        ------
        ParameterError
            If `xy` has another shape, or `within` is not in [0, 1000].
        """
        points = np.asarray(xy, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ParameterError(f"xy: shape (n, 2) expected, not {points.shape}")
        if not 0.0 <= within <= WITHIN_MAX:
            raise ParameterError(f"within: metres, 0 to {WITHIN_MAX:g}, not {within}")
        x, y = np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
        rows = assign_points(x, y, self._grid)
        distance = np.where(rows >= 0, 0.0, np.nan)
        left = np.flatnonzero(rows < 0)
        if within > 0.0 and len(left):
            near, gaps, ends = nearest_footprints(x[left], y[left], self._grid, within)
            found = np.diff(ends) > 0
            rows[left[found]] = near[ends[:-1][found]]
            distance[left[found]] = gaps[ends[:-1][found]]
        return rows, distance


def to_metres(lon: float, lat: float, crs: str) -> tuple[float, float]:
    """East and north of a place in degrees of the datum of a CRS.

    Raises
    ------
    ParameterError
        If they are no degrees, or lie where the CRS has no place for them.
    """
    if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
        hint = "; latitude and longitude may be swapped" if abs(lon) <= 90.0 else ""
        raise ParameterError(f"lon, lat: degrees expected, not {lon}, {lat}{hint}")
    projected = CRS(crs).to_2d()
    transformer = Transformer.from_crs(projected.geodetic_crs, projected, always_xy=True)
    x, y = transformer.transform(lon, lat)
    if not np.isfinite([x, y]).all():
        raise ParameterError(f"lon, lat: {lon}, {lat} lie outside the area of {projected.name}")
    return float(x), float(y)
