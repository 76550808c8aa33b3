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
    x: float,
    y: float,
    reach: float,
    row: int,
    first: int,
    last: int,
    slab_edge_offsets: IntArray,
    slab_edge: IntArray,
    edges: FloatArray,
) -> float:
    """Distance of a shifted point to a footprint; any larger number if it is beyond `reach`.

    `row` is the slab in which the point lies, `first` to `last` are those in reach; where the
    footprint has no such slab, `row` is -1 or `first` above `last`.
    """
    if row >= 0 and covered_by(
        x, y, slab_edge_offsets[row], slab_edge_offsets[row + 1], slab_edge, edges
    ):
        return 0.0
    if first > last:
        return np.inf
    start, end = slab_edge_offsets[first], slab_edge_offsets[last + 1]
    return distance_to_edges(x, y, reach, start, end, slab_edge, edges)


@helper
def distance_to_edges(
    x: float,
    y: float,
    reach: float,
    start: int,
    end: int,
    slab_edge: IntArray,
    edges: FloatArray,
) -> float:
    """Distance to the nearest of the edges from `start` to `end` - 1 that is within reach."""
    least = np.inf
    for k in range(start, end):
        e = slab_edge[k]
        ax, bx = edges[e, 0] - x, edges[e, 2] - x
        if (ax > reach and bx > reach) or (ax < -reach and bx < -reach):
            continue
        ay = edges[e, 1] - y
        dx, dy = edges[e, 2] - edges[e, 0], edges[e, 3] - edges[e, 1]
        length = dx * dx + dy * dy
        if length > 0.0:
            t = min(max(-(ax * dx + ay * dy) / length, 0.0), 1.0)
            ax, ay = ax + t * dx, ay + t * dy
        least = min(least, ax * ax + ay * ay)
    return float(np.sqrt(least))


@helper
def slabs_in_reach(
    y: float,
    reach: float,
    y0: float,
    inverse: float,
    rows: int,
    base: int,
    bottom: int,
    top: int,
) -> tuple[int, int, int]:
    """Slab of a shifted height or -1, first and last slab in reach.

    `bottom` to `top` - 1 are the slabs of the footprint, `base` would be that of grid row 0.
    """
    row = cell_index(y, y0, inverse, rows)
    south, north = cell_range(y - reach, y + reach, y0, inverse, rows)
    slab = base + row if row >= 0 and bottom <= base + row < top else -1
    return slab, max(base + south, bottom), min(base + north, top - 1)


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
    slabs, lowest = grid.slab_offsets, grid.first_row
    bounds, slab_edge, edges = grid.slab_edge_offsets, grid.slab_edge, grid.edges
    reach += TOLERANCE * grid.cell
    for k in range(len(point)):
        f = footprint[k]
        px, py = x[point[k]] - grid.shift_x, y[point[k]] - grid.shift_y
        row, first, last = slabs_in_reach(
            py,
            reach,
            grid.y0,
            grid.inverse,
            grid.rows,
            slabs[f] - lowest[f],
            slabs[f],
            slabs[f + 1],
        )
        distance[k] = distance_within(px, py, reach, row, first, last, bounds, slab_edge, edges)
    return distance


@kernel
def _measure_depth(
    x: FloatArray, y: FloatArray, footprint: IntArray, grid: FootprintGrid
) -> FloatArray:
    """Distance to the boundary, searched in rows that double until it is found."""
    depth = np.empty(len(x))
    slabs, lowest = grid.slab_offsets, grid.first_row
    bounds, slab_edge, edges = grid.slab_edge_offsets, grid.slab_edge, grid.edges
    for i in range(len(x)):
        f = footprint[i]
        px, py = x[i] - grid.shift_x, y[i] - grid.shift_y
        reach = 0.5 * grid.cell
        depth[i] = np.inf
        while depth[i] > reach:
            reach *= 2.0
            wide = reach + TOLERANCE * grid.cell
            base = slabs[f] - lowest[f]
            _, first, last = slabs_in_reach(
                py, wide, grid.y0, grid.inverse, grid.rows, base, slabs[f], slabs[f + 1]
            )
            if first <= last:
                depth[i] = distance_to_edges(
                    px, py, wide, bounds[first], bounds[last + 1], slab_edge, edges
                )
    return depth
