"""Ground found among points that nobody has classified, on a grid of their lowest heights.

The grid covers the whole city, so that neither blocks nor the order of files or points play a
part.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimkit.kernels.footprint_grid import build_grid
from cimkit.kernels.point_in_footprint import assign_points
from cimkit.kernels.progressive_morphology import (
    NO_HEIGHT,
    Heights,
    Millimetres,
    compare_neighbours,
    find_objects,
    find_pits,
    lift_to_middle,
    lowest_cells,
)
from cimkit.kernels.terrain_cells import fill_holes
from cimkit.tables import Footprints, Issue, PointCloud, Terrain
from cimkit.tables._columns import BoolArray, ByteArray
from cimkit.tables.groundsums import LowestCells
from cimkit.tables.terrain import DOUBTFUL, FOUND, GIVEN, cells_over

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

FIT = 0.1
"""Metres between a cell and the mean of its neighbours, on ground: 0.88 of the cells in Delft,
0.75 with one point a m2, 0.88 in a marsh with trees. Hedges, cars and lower branches: 0.3. Times
the root of the cell: 0.77 and 0.53 at 4 m."""

FIT_SHARE, FOUND_SHARE = 0.6, 0.3
"""Least share of found cells that fit, and of cells with points that are ground, in a city
whose ground is believed. A cloud of roofs alone has 0.52 and 0.23, Delft without its ground
0.3 and 0.4."""

NEAR, SEEN_SHARE = 8, 0.2
"""Of the cells within 8 of a footprint, at least so many hold points where the ground was
scanned: 0.94 in Delft, 0.55 and 0.35 of it with 1 and 0.5 points a m2, 0.09 of its roofs alone,
0.00 in clouds of single buildings."""

LOCAL_RADIUS, LOCAL_SHARE, LOCAL_CELLS = 32, 0.5, 100
"""Cells to each side, share of them that fit, and fewest cells to judge one place by."""

CLIFF = 2.0
"""Metres. Two ground cells beside each other that differ by more have a wall between them."""


class FoundGround(NamedTuple):
    """Ground of a grid.

    Attributes
    ----------
    z : float32 array, shape (rows, columns)
        Height of the middle of the cells; NaN where no ground was found.
    kind : uint8 array, shape (rows, columns)
        `GIVEN`, `FOUND` or `DOUBTFUL`: what the ground around is.
    share : float
        Of the cells with points outside footprints, those that are ground.
    is_doubtful : bool
        Whether the points taken for ground look as ground does, over the whole city.
    cliffs : float
        Metres of walls between ground and ground.
    """

    z: Heights
    kind: ByteArray
    share: float
    is_doubtful: bool
    cliffs: float


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
    first_row, first_column, cell, low = lowest
    z = _metres(low)
    if covered is not None:
        z[covered] = np.nan
    known = np.isfinite(z)
    z[find_pits(z)] = np.nan
    is_given = np.zeros(z.shape, dtype=np.bool_) if given is None else np.isfinite(given)
    if given is not None:
        z[is_given] = given[is_given]
    candidate = np.isfinite(z)
    if candidate.any():
        full = z.copy()
        fill_holes(full, first_row, first_column)
        step = STEP + COARSER * _excess(cell)
        candidate &= ~find_objects(full, cell, window, SLOPE, step, STEP_MAX) | is_given
        full = _surface(z, candidate, first_row, first_column)
        near = np.abs(z - full) <= RECOVER + COARSER * _excess(cell)
        candidate = np.isfinite(z) & (near | is_given)
        full = _surface(z, candidate, first_row, first_column)
        ground = np.where(candidate, z, np.float32(np.nan))
        coarse = max(cell, 1.0)
        fits, steps = compare_neighbours(ground, FIT * coarse**0.5, CLIFF * coarse)
        z = np.where(is_given, ground, lift_to_middle(ground, full))
    else:
        fits, steps = np.zeros(z.shape, dtype=np.int8), 0
    found = candidate & ~is_given
    share = float(found.sum() / max(known.sum(), 1))
    fits[is_given] = 0
    judged = np.count_nonzero(fits)
    near = np.zeros(z.shape, dtype=np.bool_)
    if covered is not None:
        near = (_around(covered, NEAR) > 0) & ~covered
    seen = near & (known | is_given)
    is_doubtful = bool(
        share < FOUND_SHARE
        or np.count_nonzero(fits == 2) < FIT_SHARE * judged
        or np.count_nonzero(seen) < SEEN_SHARE * np.count_nonzero(near)
    )
    kind = _kinds(found, is_given, is_doubtful=is_doubtful)
    if not is_doubtful:
        kind[(kind == FOUND) & (_lacks(fits == 2, fits > 0, LOCAL_SHARE))] = DOUBTFUL
        kind[(kind == FOUND) & _lacks(seen, near, SEEN_SHARE)] = DOUBTFUL
    return FoundGround(z, kind, share, is_doubtful, steps * cell / 2)


def filter_issues(found: FoundGround, window: float, n_files: int, n_all: int) -> list[Issue]:
    """What to say of ground that was found."""
    which = "the cloud states" if n_files == n_all else f"{n_files:,} of {n_all:,} clouds state"
    message = (
        f"{which} no ground: it was found by a filter, in {found.share:.0%} of the cells with "
        "points outside of footprints"
    ).replace("%", " %")
    issues = [Issue("INFO", "GROUND_FILTERED", "points", "", message)]
    if found.is_doubtful:
        message = (
            "the cloud states no ground, and few of its points look like any: ground heights "
            "are guesses"
        )
        issues.append(Issue("WARNING", "GROUND_DOUBTFUL", "points", "", message))
    elif found.cliffs > 4 * window:
        message = (
            f"in the ground that was found stand {found.cliffs:,.0f} m of walls of more than "
            f"{CLIFF:g} m: quays and terraces, or roofs on no footprint, wider than "
            f"ground_window = {window:g} m"
        )
        issues.append(Issue("WARNING", "GROUND_WINDOW_SMALL", "points", "", message))
    return issues


def near_ground(cloud: PointCloud, terrain: Terrain) -> BoolArray:
    """Points that lie on the ground of a terrain, shape (n,)."""
    above, more = cloud.z - terrain.sample(cloud.x, cloud.y), COARSER * _excess(terrain.cell)
    near: BoolArray = (above <= ABOVE + more) & (above >= -BELOW - more)
    return near


def _excess(cell: float) -> float:
    """Metres by which a cell is larger than the metre that the tolerances are for."""
    return max(cell - 1.0, 0.0)


def _metres(low: Millimetres) -> Heights:
    """Heights in metres, NaN where there is no point."""
    z = np.multiply(low, np.float32(0.001), dtype=np.float32)
    z[low == NO_HEIGHT] = np.nan
    return z


def _surface(z: Heights, chosen: BoolArray, first_row: int, first_column: int) -> Heights:
    """The chosen cells, and between them a smooth surface."""
    full = np.where(chosen, z, np.float32(np.nan))
    fill_holes(full, first_row, first_column)
    return full


def _kinds(found: BoolArray, given: BoolArray, *, is_doubtful: bool) -> ByteArray:
    """What the ground around each cell is, by the cells in a square around it."""
    kind = np.full(found.shape, GIVEN, dtype=np.uint8)
    n_found = _around(found)
    kind[n_found > _around(given)] = DOUBTFUL if is_doubtful else FOUND
    if not given.any():  # also far from any ground
        kind[kind == GIVEN] = DOUBTFUL if is_doubtful else FOUND
    return kind


def _lacks(good: BoolArray, judged: BoolArray, share: float) -> BoolArray:
    """Where too few of the cells around that can be judged are good."""
    n_judged = _around(judged)
    return np.asarray((n_judged >= LOCAL_CELLS) & (_around(good) < share * n_judged))


def _around(chosen: BoolArray, radius: int = LOCAL_RADIUS) -> NDArray[np.int32]:
    """How many cells within a radius are chosen, by sums from the corner."""
    count = chosen.astype(np.int32)
    for _ in range(2):  # rows, then columns
        sums = np.zeros((len(count) + 1, count.shape[1]), dtype=np.int32)
        np.cumsum(count, axis=0, out=sums[1:])
        row = np.arange(len(count))
        upper = np.minimum(row + radius + 1, len(count))
        count = (sums[upper] - sums[np.maximum(row - radius, 0)]).T
    return np.ascontiguousarray(count)
