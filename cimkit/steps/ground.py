"""Terrain from ground points."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from cimkit.kernels.terrain_cells import empty_sums, fill_holes, sum_cells
from cimkit.limits import TERRAIN_CELLS_MAX
from cimkit.tables import Issue, PointCloud, Terrain
from cimkit.tables.coerce import as_points
from cimkit.tables.groundsums import GroundSums
from cimkit.tables.pointcloud import GROUND
from cimkit.tables.terrain import cells_over

Bounds = tuple[float, float, float, float]


def ground(
    points: Any, *, cell: float = 1.0, ground_classes: tuple[int, ...] = (GROUND,)
) -> tuple[Terrain | None, list[Issue]]:
    """Terrain grid (地面模型) of a classified cloud: mean of the ground points, holes filled.

    Parameters
    ----------
    points : PointCloud or array, shape (n, 4)
        x, y, z, class.
    cell : float, default 1.0
        Edge of a cell in metres.
    ground_classes : tuple of int, default (2,)
        LAS classes that count as ground.

    Returns
    -------
    terrain : Terrain or None
        None where the cloud holds no ground point.
    issues : list of Issue

    Notes
    -----
    Cells are aligned to whole multiples of `cell` from the origin of the CRS. Holes (buildings)
    are filled smoothly from their surroundings; `Terrain.measured` tells them apart.

    Examples
    --------
    >>> terrain, issues = ground([[0.5, 0.5, 2.0, 2], [2.5, 0.5, 4.0, 2]])
    >>> terrain.z, terrain.measured.tolist()
    (array([[2. , 2.5, 4. ]], dtype=float32), [[True, False, True]])
    """
    cloud = as_points(points)
    bounds = cloud.bounds
    if bounds is None:
        return None, [_no_ground()]
    cell, issues = fitting_cell(bounds, cell)
    sums = empty_ground(bounds, cell)
    add_ground(sums, cloud, ground_classes)
    terrain = fill_terrain([sums], bounds, cell, cloud.crs)
    return terrain, issues if terrain is not None else [*issues, _no_ground()]


def fitting_cell(bounds: Bounds, cell: float) -> tuple[float, list[Issue]]:
    """The cell size, doubled until the grid over `bounds` stays within its limit."""
    fitting = cell
    while (bounds[2] - bounds[0] + cell) * (bounds[3] - bounds[1] + cell) > (
        TERRAIN_CELLS_MAX * fitting**2
    ):
        fitting *= 2
    if fitting == cell:
        return cell, []
    message = f"terrain cells of {fitting:g} m instead of {cell:g} m: the city is too large"
    return fitting, [Issue("INFO", "TERRAIN_COARSENED", "city", "", message)]


def empty_ground(bounds: Bounds, cell: float) -> GroundSums:
    """Sums of no points, over the cells that meet `bounds`."""
    first_row, first_column, rows, columns = cells_over(bounds, cell)
    return GroundSums(first_row, first_column, cell, *empty_sums(rows, columns))


def cell_bounds(bounds: Bounds, cell: float) -> Bounds:
    """The box of all cells that meet `bounds`.

    Examples
    --------
    >>> cell_bounds((0.5, 1.0, 2.5, 3.5), 1.0)
    (0.0, 1.0, 3.0, 4.0)
    """
    row, column, rows, columns = cells_over(bounds, cell)
    return column * cell, row * cell, (column + columns) * cell, (row + rows) * cell


def add_ground(sums: GroundSums, cloud: PointCloud, ground_classes: tuple[int, ...]) -> int:
    """Add the ground points of a part of a cloud, in place; returns how many fell inside."""
    part = cloud.take(cloud.has_class(ground_classes))
    return sum_cells(
        part.x,
        part.y,
        part.z,
        sums.cell,
        sums.first_column,
        sums.first_row,
        sums.total,
        sums.points,
    )


def fill_terrain(
    parts: Iterable[GroundSums],
    bounds: Bounds,
    cell: float,
    crs: str,
    dem: Terrain | None = None,
) -> Terrain | None:
    """Add the parts up, divide, and fill the holes; None without any height.

    A cell with ground points has their mean, any other that of the elevation model `dem`, which
    has the same cells; where that has none either, it is filled from around.
    """
    first_row, first_column, cell, total, count = empty_ground(bounds, cell)
    rows, columns = total.shape
    for part in parts:
        row, column = part.first_row - first_row, part.first_column - first_column
        here = slice(max(row, 0), row + part.total.shape[0])
        across = slice(max(column, 0), column + part.total.shape[1])
        theirs = slice(max(-row, 0), rows - row), slice(max(-column, 0), columns - column)
        total[here, across] += part.total[theirs]
        count[here, across] += part.points[theirs]
    measured, z = count > 0, np.empty(count.shape, dtype=np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        for row in range(rows):  # not at once: three grids of float64 would be 0.8 GB at most
            z[row] = total[row] / (count[row] * 1000.0)
    del total, count
    from_dem = None
    if dem is not None:
        from_dem = ~measured & np.isfinite(dem.z)
        z[from_dem] = dem.z[from_dem]
    if np.isnan(z).all():
        return None
    fill_holes(z, first_row, first_column)
    return Terrain(z, measured, first_column * cell, first_row * cell, cell, crs, from_dem)


def dem_offset(dem: Terrain, terrain: Terrain) -> float:
    """Median of an elevation model minus ground points, in the cells with both; NaN without.

    Examples
    --------
    >>> dem = Terrain(np.array([[5.0, 7.0]]), np.zeros((1, 2), bool), 0, 0, 1)
    >>> dem_offset(dem, Terrain(np.array([[3.0, 4.0]]), np.array([[True, False]]), 0, 0, 1))
    2.0
    """
    both = terrain.measured & np.isfinite(dem.z)
    return float(np.median(dem.z[both] - terrain.z[both])) if both.any() else math.nan


def _no_ground() -> Issue:
    message = "the cloud holds no ground points: ground heights are not measured"
    return Issue("WARNING", "GROUND_NOT_MEASURED", "points", "", message)
