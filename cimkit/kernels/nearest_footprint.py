"""Footprints near points, and points near footprints.

Footprints near a point come from the grid cells within the radius. For the other way round the
points are sorted into cells; for each footprint the cells of its widened box are visited, the
distance of a cell's centre takes or drops most cells whole, and only the points of cells that
the limit runs through are measured one by one.

Time: O(cells within the radius + edges of the candidates near the point) for each point, or
O(points + cells of all widened boxes + points along the limits x edges near them) in all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cimkit.errors import ParameterError
from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.footprint_distance import distance_within, measure_pairs, slabs_in_reach
from cimkit.kernels.footprint_grid import (
    TOLERANCE,
    FootprintGrid,
    build_grid,
    cell_range,
    with_zero,
)
from cimkit.kernels.point_in_footprint import cell_of
from cimkit.tables._columns import FloatArray, IntArray, floats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cimkit.tables import Footprints

CELLS_IN_RADIUS = 4
"""Smaller cells are decided whole more often, larger ones are fewer."""


def nearest_footprints(
    x: ArrayLike, y: ArrayLike, grid: FootprintGrid, radius: float
) -> tuple[IntArray, FloatArray, IntArray]:
    """All footprints within a radius of each point, the nearest first.

    Parameters
    ----------
    x, y : float64 array, shape (n,)
        East, north in metres. Finite.
    grid : FootprintGrid
        Best with cells of about half the radius.
    radius : float
        Metres.

    Returns
    -------
    footprints : int64 array
        Rows of the footprints, for each point by rising distance, then row.
    distance : float64 array
        Metres to the boundary; 0 where the footprint covers the point.
    offsets : int64 array, shape (n + 1,)
        Borders of the points in the other two.

    Raises
    ------
    TableError
        If x and y differ in length or are not finite.
    ParameterError
        If the radius is negative or not finite.

    Examples
    --------
    >>> import shapely
    >>> from cimkit.kernels.footprint_grid import build_grid
    >>> from cimkit.tables import Footprints
    >>> boxes = [shapely.box(0, 0, 4, 4), shapely.box(7, 0, 9, 4)]
    >>> grid = build_grid(Footprints.from_polygons(["a", "b"], boxes))
    >>> nearest_footprints([6.0, 50.0], [1.0, 1.0], grid, 3.0)
    (array([1, 0]), array([1., 2.]), array([0, 2, 2]))
    """
    _check_radius(radius)
    x = floats("x", x)
    y = floats("y", y, len(x))
    footprint, offsets = _list_candidates(x, y, grid, radius)
    point = np.repeat(np.arange(len(x)), np.diff(offsets))
    distance = measure_pairs(x, y, point, footprint, grid, radius)
    order = np.lexsort((footprint, distance, point))
    order = order[distance[order] <= radius]
    counts = np.bincount(point[order], minlength=len(x))
    return footprint[order], distance[order], np.append(0, np.cumsum(counts))


def values_near_footprints(
    x: ArrayLike, y: ArrayLike, footprints: Footprints, radius: float
) -> tuple[IntArray, IntArray]:
    """Points in each footprint or at most a radius away from it.

    Parameters
    ----------
    x, y : float64 array, shape (n,)
        East, north in metres. Finite.
    footprints : Footprints
    radius : float
        Metres.

    Returns
    -------
    rows : int64 array
        Rows of the points, for each footprint by grid cell, then row. A point may occur at
        several footprints.
    offsets : int64 array, shape (n_footprints + 1,)
        Borders of the footprints in `rows`.

    Raises
    ------
    TableError
        If x and y differ in length or are not finite.
    ParameterError
        If the radius is negative or not finite.

    Examples
    --------
    >>> import shapely
    >>> from cimkit.tables import Footprints
    >>> one = Footprints.from_polygons(["a"], [shapely.box(0, 0, 4, 4)])
    >>> values_near_footprints([1.0, 9.0, 5.0], [1.0, 1.0, 1.0], one, 2.0)
    (array([0, 2]), array([0, 2]))
    """
    _check_radius(radius)
    x = floats("x", x)
    y = floats("y", y, len(x))
    cell = max(1.0, radius / CELLS_IN_RADIUS)
    grid = build_grid(footprints, cell=cell, margin=radius + cell)
    boxes = footprints.bounds - (grid.shift_x, grid.shift_y, grid.shift_x, grid.shift_y)
    return _list_near(x, y, boxes, grid, float(radius))


def _check_radius(radius: float) -> None:
    """Refuse a radius that is no length."""
    if not 0.0 <= radius < np.inf:
        raise ParameterError(f"radius: a finite number of metres from 0, not {radius}")


@kernel
def _list_candidates(
    x: FloatArray, y: FloatArray, grid: FootprintGrid, radius: float
) -> tuple[IntArray, IntArray]:
    """Footprints in the cells within the radius of each point, each one once."""
    reach = radius + TOLERANCE * grid.cell
    ends = np.zeros(len(x), np.int64)
    found = np.empty(0, np.int64)
    seen_by = np.full(len(grid.first_row), -1, np.int64)
    for filling in (False, True):
        if filling:
            found = np.empty(ends[-1] if len(x) else 0, np.int64)
            seen_by[:] = -1
        n = 0
        for i in range(len(x)):
            px, py = x[i] - grid.shift_x, y[i] - grid.shift_y
            west, east = cell_range(px - reach, px + reach, grid.x0, grid.inverse, grid.columns)
            south, north = cell_range(py - reach, py + reach, grid.y0, grid.inverse, grid.rows)
            for row in range(south, north + 1):
                for c in range(row * grid.columns + west, row * grid.columns + east + 1):
                    for k in range(grid.cell_offsets[c], grid.cell_offsets[c + 1]):
                        f = grid.entry_footprint[k]
                        if seen_by[f] != i:
                            seen_by[f] = i
                            if filling:
                                found[n] = f
                            n += 1
            ends[i] = n
    return found, with_zero(ends)


@kernel
def _sort_points_into_cells(
    x: FloatArray, y: FloatArray, grid: FootprintGrid
) -> tuple[IntArray, IntArray]:
    """Borders of the cells, and the points in them in their own order (counting sort)."""
    cell = np.empty(len(x), np.int64)
    place = np.zeros(grid.columns * grid.rows, np.int64)
    for i in range(len(x)):
        cell[i] = cell_of(x[i] - grid.shift_x, y[i] - grid.shift_y, grid)
        if cell[i] >= 0:
            place[cell[i]] += 1
    points = np.empty(place.sum(), np.int64)
    place = np.cumsum(place) - place
    for i in range(len(x)):
        if cell[i] >= 0:
            points[place[cell[i]]] = i
            place[cell[i]] += 1
    return with_zero(place), points


@helper
def _window(box: FloatArray, reach: float, grid: FootprintGrid) -> tuple[int, int, int, int]:
    """First and last column, first and last row of the cells in reach of a box."""
    west, east = cell_range(box[0] - reach, box[2] + reach, grid.x0, grid.inverse, grid.columns)
    south, north = cell_range(box[1] - reach, box[3] + reach, grid.y0, grid.inverse, grid.rows)
    return west, east, south, north


@kernel
def _list_near(
    x: FloatArray, y: FloatArray, boxes: FloatArray, grid: FootprintGrid, radius: float
) -> tuple[IntArray, IntArray]:
    """Points of the cells in reach of each footprint; single points only where cells differ."""
    cell_offsets, points = _sort_points_into_cells(x, y, grid)
    reach = radius + TOLERANCE * grid.cell
    half = grid.cell * (np.sqrt(0.5) + TOLERANCE)
    n = 0
    for f in range(len(boxes)):  # an upper bound costs less than measuring all distances twice
        west, east, south, north = _window(boxes[f], reach, grid)
        for row in range(south, north + 1):
            base = row * grid.columns
            n += cell_offsets[base + east + 1] - cell_offsets[base + west]
    found = np.empty(n, np.int64)
    ends = np.zeros(len(boxes), np.int64)
    slabs, lowest = grid.slab_offsets, grid.first_row
    bounds, slab_edge, edges = grid.slab_edge_offsets, grid.slab_edge, grid.edges
    wide = reach + half
    n = 0
    for f in range(len(boxes)):
        west, east, south, north = _window(boxes[f], reach, grid)
        for row in range(south, north + 1):
            center_y = grid.y0 + (row + 0.5) * grid.cell
            own, first, last = slabs_in_reach(  # of the centres, so of all points in the row
                center_y,
                wide,
                grid.y0,
                grid.inverse,
                grid.rows,
                slabs[f] - lowest[f],
                slabs[f],
                slabs[f + 1],
            )
            for column in range(west, east + 1):
                c = row * grid.columns + column
                if cell_offsets[c] == cell_offsets[c + 1]:
                    continue
                center_x = grid.x0 + (column + 0.5) * grid.cell
                gap = distance_within(
                    center_x, center_y, wide, own, first, last, bounds, slab_edge, edges
                )
                if gap > radius + half:
                    continue
                for k in range(cell_offsets[c], cell_offsets[c + 1]):
                    i = points[k]
                    px, py = x[i] - grid.shift_x, y[i] - grid.shift_y
                    if (
                        gap + half <= radius
                        or distance_within(
                            px, py, reach, own, first, last, bounds, slab_edge, edges
                        )
                        <= radius
                    ):
                        found[n] = i
                        n += 1
        ends[f] = n
    return found[:n].copy(), with_zero(ends)
