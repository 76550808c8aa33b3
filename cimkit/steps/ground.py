"""Terrain from ground points."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimkit.kernels.terrain_cells import empty_sums, fill_holes, sum_cells
from cimkit.limits import TERRAIN_CELLS_MAX
from cimkit.steps.ground_doubt import FoundGround, filter_issues
from cimkit.steps.ground_filter import (
    Bounds,
    add_lowest,
    covered_cells,
    empty_lowest,
    find_ground,
    near_ground,
)
from cimkit.tables import Issue, PointCloud, Terrain
from cimkit.tables._columns import BoolArray
from cimkit.tables.coerce import as_footprints, as_points
from cimkit.tables.groundsums import GroundSums
from cimkit.tables.pointcloud import BUILDING, GROUND, HIGH_NOISE, LOW_NOISE, NEVER_GROUND
from cimkit.tables.terrain import cells_over


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


def classify_ground(
    points: Any,
    footprints: Any = None,
    *,
    cell: float = 1.0,
    window: float = 60.0,
) -> tuple[BoolArray, Terrain | None, list[Issue]]:
    """Find the ground points of a cloud that nobody has classified (地面点分类).

    Parameters
    ----------
    points : PointCloud or array, shape (n, 4)
        x, y, z, class. Plants, water, noise, wires, bridges and buildings stay what they are
        where the cloud states them; any other point may be ground.
    footprints : Footprints or GeoDataFrame, optional
        Below them no ground is looked for; without, `window` must exceed the largest roof.
    cell : float, default 1.0
        Edge of a cell in metres, whose lowest point counts.
    window : float, default 60.0
        Metres. What is wider and on no footprint is taken for ground.

    Returns
    -------
    is_ground : bool array, shape (n,)
    terrain : Terrain or None
        Through the ground points; None where no point can be ground.
    issues : list of Issue
        ``GROUND_FILTERED``; ``GROUND_DOUBTFUL`` where the points do not look like ground, as in
        a cloud of roofs alone; ``GROUND_WINDOW_SMALL`` where long walls stand in it.

    Notes
    -----
    See `cimkit.steps.ground_filter.find_ground`. Against classes put by hand precision, recall
    and F1 are 0.988, 0.998, 0.993 on 53,235 points of Delft (published classes of the AHN:
    1.000, 0.987, 0.993). O(points + cells); the same for any order of the points.

    Examples
    --------
    >>> x, y = (axis.ravel() + 0.5 for axis in np.mgrid[0:30, 0:30])
    >>> z = np.where((x > 10) & (x < 16) & (y > 8) & (y < 20), 6.0, 0.1 * x)
    >>> is_ground, terrain, issues = classify_ground(np.column_stack([x, y, z, 0 * x]))
    >>> int((~is_ground).sum()), int((z == 6).sum()), [issue.code for issue in issues]
    (72, 72, ['GROUND_FILTERED'])
    """
    cloud = as_points(points)
    never = (*NEVER_GROUND, BUILDING, LOW_NOISE, HIGH_NOISE)
    candidate = ~cloud.has_class(never)
    part = cloud.take(candidate)
    bounds = cloud.bounds
    if bounds is None or not len(part):
        return np.zeros(len(cloud), dtype=np.bool_), None, [_no_ground()]
    cell, issues = fitting_cell(bounds, cell)
    lowest = empty_lowest(bounds, cell)
    add_lowest(lowest, part)
    known = None if footprints is None else as_footprints(footprints)
    found = find_ground(lowest, covered=covered_cells(lowest, known), window=window)
    terrain = fill_terrain([], bounds, cell, cloud.crs, found=found)
    if terrain is None:
        return np.zeros(len(cloud), dtype=np.bool_), None, [*issues, _no_ground()]
    is_ground = candidate & near_ground(cloud, terrain)
    return is_ground, terrain, [*issues, *filter_issues(found, window, 1, 1)]


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
    found: FoundGround | None = None,
) -> Terrain | None:
    """Add the parts up, divide, and fill the holes; None without any height.

    A cell with ground points has their mean, any other the ground that was `found` there, or
    that of the elevation model `dem`, which have the same cells; where there is none either, it
    is filled from around.
    """
    first_row, first_column, z, measured = mean_ground(parts, bounds, cell)
    if found is not None:
        here = ~measured & np.isfinite(found.z)
        z[here] = found.z[here]
        measured |= here
    from_dem = None
    if dem is not None:
        from_dem = ~measured & np.isfinite(dem.z)
        z[from_dem] = dem.z[from_dem]
    if np.isnan(z).all():
        return None
    fill_holes(z, first_row, first_column)
    kind = None if found is None else found.kind
    x0, y0 = first_column * cell, first_row * cell
    return Terrain(z, measured, x0, y0, cell, crs, from_dem, kind)


def mean_ground(
    parts: Iterable[GroundSums], bounds: Bounds, cell: float
) -> tuple[int, int, NDArray[np.float32], BoolArray]:
    """First row and column, heights (NaN without points), and where they are known."""
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
    return first_row, first_column, z, measured


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
