"""Distance of a point to one footprint, and its depth inside it.

Only the edges in the grid rows within reach of the point are measured. A point that the
footprint covers is at distance 0; other distances are right to rounding.

Time: O(edges in the rows within reach).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cimkit.errors import TableError
from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.footprint_grid import TOLERANCE, FootprintGrid, cell_index, cell_range
from cimkit.kernels.point_in_footprint import covered_by
from cimkit.tables._columns import FloatArray, IntArray, floats, integers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def distance_to_footprint(
    x: ArrayLike, y: ArrayLike, footprint: ArrayLike, grid: FootprintGrid
) -> FloatArray:
    """Distance of each point to the one footprint named for it, however far.

    Parameters
    ----------
    x, y : float64 array, shape (n,)
        East, north in metres. Finite.
    footprint : int64 array, shape (n,)
        Row of the footprint.
    grid : FootprintGrid

    Returns
    -------
    float64 array, shape (n,)
        Metres to the boundary; 0 where the footprint covers the point.

    Raises
    ------
    TableError
        If the columns differ in length, are not finite, or name a row that does not exist.

    Examples
    --------
    >>> import shapely
    >>> from cimkit.kernels.footprint_grid import build_grid
    >>> from cimkit.tables import Footprints
    >>> grid = build_grid(Footprints.from_polygons(["a"], [shapely.box(0, 0, 4, 4)]))
    >>> distance_to_footprint([1.0, 7.0], [1.0, 8.0], [0, 0], grid)
    array([0., 5.])
    """
    x, y, footprint = _pairs(x, y, footprint, grid)
    return measure_pairs(x, y, np.arange(len(x)), footprint, grid, np.inf)


def depth_in_footprint(
    x: ArrayLike, y: ArrayLike, footprint: ArrayLike, grid: FootprintGrid
) -> FloatArray:
    """Distance of each point to the boundary of the one footprint named for it.

    Parameters
    ----------
    x, y : float64 array, shape (n,)
        East, north in metres. Finite.
    footprint : int64 array, shape (n,)
        Row of the footprint.
    grid : FootprintGrid

    Returns
    -------
    float64 array, shape (n,)
        Metres to the nearest wall, of a courtyard as well, from either side of it.

    Raises
    ------
    TableError
        If the columns differ in length, are not finite, or name a row that does not exist.

    Examples
    --------
    >>> import shapely
    >>> from cimkit.kernels.footprint_grid import build_grid
    >>> from cimkit.tables import Footprints
    >>> grid = build_grid(Footprints.from_polygons(["a"], [shapely.box(0, 0, 4, 4)]))
    >>> depth_in_footprint([1.0, 2.0], [1.0, 2.0], [0, 0], grid)
    array([1., 2.])
    """
    return _measure_depth(*_pairs(x, y, footprint, grid), grid)


def _pairs(
    x: ArrayLike, y: ArrayLike, footprint: ArrayLike, grid: FootprintGrid
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Check the columns of points and the footprint of each."""
    x = floats("x", x)
    y = floats("y", y, len(x))
    footprint = integers("footprint", footprint, len(x))
    if len(x) and (footprint.min() < 0 or footprint.max() >= len(grid.first_row)):
        raise TableError("footprint: a row that does not exist")
    return x, y, footprint


@helper
def distance_within(
    x: float, y: float, footprint: int, reach: float, grid: FootprintGrid
) -> float:
    """Distance of a shifted point to a footprint; any larger number if it is beyond `reach`."""
    row = cell_index(y, grid.y0, grid.inverse, grid.rows) - grid.first_row[footprint]
    slab = grid.slab_offsets[footprint] + row
    if row >= 0 and slab < grid.slab_offsets[footprint + 1] and covered_by(x, y, slab, grid):
        return 0.0
    return _distance_to_boundary(x, y, footprint, reach, grid)


@helper
def _distance_to_boundary(
    x: float, y: float, footprint: int, reach: float, grid: FootprintGrid
) -> float:
    """Measure the same from the inside as well."""
    reach += TOLERANCE * grid.cell
    south, north = cell_range(y - reach, y + reach, grid.y0, grid.inverse, grid.rows)
    shift = grid.slab_offsets[footprint] - grid.first_row[footprint]
    first = max(south + shift, grid.slab_offsets[footprint])
    last = min(north + shift, grid.slab_offsets[footprint + 1] - 1)
    least = np.inf
    if first <= last:
        for k in range(grid.slab_edge_offsets[first], grid.slab_edge_offsets[last + 1]):
            e = grid.slab_edge[k]
            ax, bx = grid.edges[e, 0] - x, grid.edges[e, 2] - x
            if (ax > reach and bx > reach) or (ax < -reach and bx < -reach):
                continue
            ay = grid.edges[e, 1] - y
            dx, dy = grid.edges[e, 2] - grid.edges[e, 0], grid.edges[e, 3] - grid.edges[e, 1]
            length = dx * dx + dy * dy
            if length > 0.0:
                t = min(max(-(ax * dx + ay * dy) / length, 0.0), 1.0)
                ax, ay = ax + t * dx, ay + t * dy
            least = min(least, ax * ax + ay * ay)
    return float(np.sqrt(least))


@kernel
def measure_pairs(
    x: FloatArray,
    y: FloatArray,
    point: IntArray,
    footprint: IntArray,
    grid: FootprintGrid,
    reach: float,
) -> FloatArray:
    """Distance of each pair of point and footprint."""
    distance = np.empty(len(point))
    for k in range(len(point)):
        px, py = x[point[k]] - grid.shift_x, y[point[k]] - grid.shift_y
        distance[k] = distance_within(px, py, footprint[k], reach, grid)
    return distance


@kernel
def _measure_depth(
    x: FloatArray, y: FloatArray, footprint: IntArray, grid: FootprintGrid
) -> FloatArray:
    """Distance to the boundary, searched in rows that double until it is found."""
    depth = np.empty(len(x))
    for i in range(len(x)):
        px, py = x[i] - grid.shift_x, y[i] - grid.shift_y
        reach = grid.cell
        depth[i] = _distance_to_boundary(px, py, footprint[i], reach, grid)
        while depth[i] > reach:
            reach *= 2.0
            depth[i] = _distance_to_boundary(px, py, footprint[i], reach, grid)
    return depth
