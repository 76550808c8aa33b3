"""Ground found among points that nobody has classified, on a grid of their lowest heights.

The grid covers the whole city, so that neither blocks nor the order of files or points play a
part.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cimkit.kernels.cell_neighbours import lift_to_middle
from cimkit.kernels.footprint_grid import build_grid
from cimkit.kernels.point_in_footprint import assign_points
from cimkit.kernels.progressive_morphology import (
    NO_HEIGHT,
    Heights,
    Millimetres,
    find_objects,
    find_pits,
    lowest_cells,
)
from cimkit.kernels.terrain_cells import fill_holes
from cimkit.steps.ground_doubt import FoundGround, judge_ground
from cimkit.tables import Footprints, PointCloud, Terrain
from cimkit.tables._columns import BoolArray
from cimkit.tables.groundsums import LowestCells
from cimkit.tables.terrain import cells_over

Bounds = tuple[float, float, float, float]

SLOPE, STEP, STEP_MAX = 0.25, 0.3, 2.5
"""What the filter takes for ground: dikes with sides up to 1 : 2, and steps of 0.3 m; nothing
that is 2.5 m high. With a slope of 0.15 or 0.5, or steps of 0.2 m, F1 on Delft changes by
0.0006."""

RECOVER = 0.3
"""Metres. Cells this near to the ground around them are ground, whatever the windows said."""

ABOVE, BELOW = 0.25, 0.5
"""Metres a ground point may lie above and below the ground of the grid. On Delft 0.15, 0.25 and
0.35 m above give recalls of 0.991, 0.998, 0.999 at precisions of 0.994, 0.988, 0.984."""

COARSER = 0.1
"""Metres more of tolerance for each metre that a cell is larger than one: ground bends."""


def empty_lowest(bounds: Bounds, cell: float) -> LowestCells:
    """No heights, in the cells that meet `bounds`."""
    first_row, first_column, rows, columns = cells_over(bounds, cell)
    low = np.full((rows, columns), NO_HEIGHT, dtype=np.int32)
    return LowestCells(first_row, first_column, cell, low)


def add_lowest(lowest: LowestCells, cloud: PointCloud) -> None:
    """Lower the heights to those of the points, in place."""
    lowest_cells(
        cloud.x,
        cloud.y,
        cloud.z,
        lowest.cell,
        lowest.first_column,
        lowest.first_row,
        lowest.low,
    )


def join_lowest(parts: Iterable[LowestCells], bounds: Bounds, cell: float) -> LowestCells:
    """The lowest of all parts, in the cells that meet `bounds`."""
    whole = empty_lowest(bounds, cell)
    rows, columns = whole.low.shape
    for part in parts:
        row, column = part.first_row - whole.first_row, part.first_column - whole.first_column
        here = slice(max(row, 0), max(row + part.low.shape[0], 0))
        across = slice(max(column, 0), max(column + part.low.shape[1], 0))
        down = slice(max(-row, 0), max(rows - row, 0))
        theirs = down, slice(max(-column, 0), max(columns - column, 0))
        np.minimum(whole.low[here, across], part.low[theirs], out=whole.low[here, across])
    return whole


def covered_cells(lowest: LowestCells, footprints: Footprints | None) -> BoolArray:
    """Cells whose middle lies on a footprint, and those that touch them: roofs stick out."""
    rows, columns = lowest.low.shape
    covered = np.zeros((rows, columns), dtype=np.bool_)
    if footprints is None or not len(footprints):
        return covered
    grid = build_grid(footprints)
    x = (lowest.first_column + np.arange(columns) + 0.5) * lowest.cell
    for row in range(rows):
        y = np.full(columns, (lowest.first_row + row + 0.5) * lowest.cell)
        covered[row] = assign_points(x, y, grid) >= 0
    for _ in range(2):  # rows, then columns
        inner = covered.copy()
        covered[1:] |= inner[:-1]
        covered[:-1] |= inner[1:]
        covered = covered.T
    return np.ascontiguousarray(covered)


def find_ground(
    lowest: LowestCells,
    *,
    covered: BoolArray | None = None,
    given: Heights | None = None,
    window: float = 60.0,
) -> FoundGround:
    """Ground among the lowest points of cells (地面滤波).

    Parameters
    ----------
    lowest : LowestCells
    covered : bool array, shape (rows, columns), optional
        Cells without a view of the ground, from `covered_cells`.
    given : float32 array, shape (rows, columns), optional
        Ground that is known, NaN elsewhere; it stays.
    window : float, default 60
        Metres. What is wider counts as ground, if it is not `covered`.

    Notes
    -----
    Cells without a view are filled from around first. What is left when stray low cells and
    objects are taken away (`cimkit.kernels.progressive_morphology`) is ground, and so is every
    cell near the surface through it.
    """
    z = _metres(lowest.low)
    if covered is not None:
        z[covered] = np.nan
    known = np.isfinite(z)
    z[find_pits(z)] = np.nan
    is_given = np.zeros(z.shape, dtype=np.bool_) if given is None else np.isfinite(given)
    if given is not None:
        z[is_given] = given[is_given]
    candidate, full = _lowest_ground(z, is_given, lowest, window)
    z[~candidate] = np.nan
    n_found, n_known = int((candidate & ~is_given).sum()), int(known.sum())
    doubt = judge_ground(z, is_given, known, covered, lowest.cell, n_found / max(n_known, 1))
    lifted = lift_to_middle(z, full)
    if given is not None:
        lifted[is_given] = z[is_given]
    return FoundGround(lifted, *doubt)


def _lowest_ground(
    z: Heights, is_given: BoolArray, lowest: LowestCells, window: float
) -> tuple[BoolArray, Heights]:
    """Cells whose lowest point is ground, and the surface through these."""
    candidate, more = np.isfinite(z), COARSER * cell_excess(lowest.cell)
    if not candidate.any():
        return candidate, z
    full = _surface(z, candidate, lowest)
    objects = find_objects(full, lowest.cell, window, SLOPE, STEP + more, STEP_MAX)
    candidate &= ~objects | is_given
    full = _surface(z, candidate, lowest)
    np.abs(np.subtract(z, full, out=full), out=full)
    candidate = (full <= RECOVER + more) | is_given
    return candidate, _surface(z, candidate, lowest)


def near_ground(cloud: PointCloud, terrain: Terrain) -> BoolArray:
    """Points that lie on the ground of a terrain, shape (n,)."""
    above, more = (
        cloud.z - terrain.sample(cloud.x, cloud.y),
        COARSER * cell_excess(terrain.cell),
    )
    near: BoolArray = (above <= ABOVE + more) & (above >= -BELOW - more)
    return near


def cell_excess(cell: float) -> float:
    """Metres by which a cell is larger than the metre that the tolerances are for."""
    return max(cell - 1.0, 0.0)


def _metres(low: Millimetres) -> Heights:
    """Heights in metres, NaN where there is no point."""
    z = np.multiply(low, np.float32(0.001), dtype=np.float32)
    z[low == NO_HEIGHT] = np.nan
    return z


def _surface(z: Heights, chosen: BoolArray, lowest: LowestCells) -> Heights:
    """The chosen cells, and between them a smooth surface."""
    full = np.where(chosen, z, np.float32(np.nan))
    fill_holes(full, lowest.first_row, lowest.first_column)
    return full
