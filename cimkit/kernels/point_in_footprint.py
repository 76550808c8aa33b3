"""Which footprints cover a point: exact, boundary included, as `shapely.covers` defines it.

A cell that no edge touches answers for all its points. Otherwise a ray to the east counts the
edges of the footprint that it crosses (Shimrat 1962, in the half-open form that counts a vertex
once), by the exact `orientation` of the point to each edge that spans its height.

Time: O(1) for a point in a cell without edges, else O(edges of its grid row).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.footprint_grid import FootprintGrid, with_zero
from cimkit.kernels.orientation import orientation
from cimkit.tables._columns import FloatArray, IntArray, floats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def assign_points(x: ArrayLike, y: ArrayLike, grid: FootprintGrid) -> IntArray:
    """Footprint of each point; where several cover it, the smallest one.

    Parameters
    ----------
    x, y : float64 array, shape (n,)
        East, north in metres. Finite.
    grid : FootprintGrid

    Returns
    -------
    int64 array, shape (n,)
        Row of the footprint that covers the point, its boundary included; -1 for none. Of
        several (shared walls, overlaps) the one of least area, then of least row.

    Raises
    ------
    TableError
        If x and y differ in length or are not finite.

    Examples
    --------
    >>> import shapely
    >>> from cimkit.kernels.footprint_grid import build_grid
    >>> from cimkit.tables import Footprints
    >>> boxes = [shapely.box(0, 0, 9, 9), shapely.box(2, 2, 4, 4)]
    >>> grid = build_grid(Footprints.from_polygons(["a", "b"], boxes))
    >>> assign_points([0.0, 3.0, 10.0], [0.0, 2.0, 5.0], grid)
    array([ 0,  1, -1])
    """
    x = floats("x", x)
    return _assign(x, floats("y", y, len(x)), grid)


def covering_footprints(
    x: ArrayLike, y: ArrayLike, grid: FootprintGrid
) -> tuple[IntArray, IntArray]:
    """All footprints that cover each point, boundary included.

    Parameters
    ----------
    x, y : float64 array, shape (n,)
        East, north in metres. Finite.
    grid : FootprintGrid

    Returns
    -------
    footprints : int64 array
        Rows of the footprints, for each point by rising area, then row.
    offsets : int64 array, shape (n + 1,)
        Borders of the points in `footprints`.

    Raises
    ------
    TableError
        If x and y differ in length or are not finite.

    Examples
    --------
    >>> import shapely
    >>> from cimkit.kernels.footprint_grid import build_grid
    >>> from cimkit.tables import Footprints
    >>> boxes = [shapely.box(0, 0, 9, 9), shapely.box(2, 2, 4, 4)]
    >>> grid = build_grid(Footprints.from_polygons(["a", "b"], boxes))
    >>> covering_footprints([0.0, 3.0, 10.0], [0.0, 2.0, 5.0], grid)
    (array([0, 1, 0]), array([0, 1, 3, 3]))
    """
    x = floats("x", x)
    return _list_covering(x, floats("y", y, len(x)), grid)


@helper
def cell_of(x: float, y: float, grid: FootprintGrid) -> int:
    """Cell of a shifted point, or -1 outside the grid."""
    u = (x - grid.x0) * grid.inverse
    v = (y - grid.y0) * grid.inverse
    if u >= 0.0 and v >= 0.0 and u < grid.columns and v < grid.rows:
        return int(v) * grid.columns + int(u)
    return -1


@helper
def covered_by(x: float, y: float, slab: int, grid: FootprintGrid) -> bool:
    """Whether a shifted point in the row of a slab lies in or on the footprint of the slab."""
    inside = False
    for k in range(grid.slab_edge_offsets[slab], grid.slab_edge_offsets[slab + 1]):
        e = grid.slab_edge[k]
        xa, ya, xb, yb = grid.edges[e, 0], grid.edges[e, 1], grid.edges[e, 2], grid.edges[e, 3]
        if (ya > y and yb > y) or (ya < y and yb < y) or (xa < x and xb < x):
            continue
        if ya == yb:
            if min(xa, xb) <= x:
                return True
        elif (ya > y) != (yb > y):
            if xa > x and xb > x:
                inside = not inside
                continue
            side = orientation(xa, ya, xb, yb, x, y)
            if side == 0:
                return True
            if (side > 0) == (yb > ya):
                inside = not inside
        elif (xa == x and ya == y) or (xb == x and yb == y):
            return True
    return inside


@kernel
def _assign(x: FloatArray, y: FloatArray, grid: FootprintGrid) -> IntArray:
    """First entry of the cell of each point that covers it."""
    found = np.full(len(x), -1, np.int64)
    for i in range(len(x)):
        px, py = x[i] - grid.shift_x, y[i] - grid.shift_y
        c = cell_of(px, py, grid)
        if c < 0:
            continue
        for k in range(grid.cell_offsets[c], grid.cell_offsets[c + 1]):
            slab = grid.entry_slab[k]
            if slab < 0 or covered_by(px, py, slab, grid):
                found[i] = grid.entry_footprint[k]
                break
    return found


@kernel
def _list_covering(
    x: FloatArray, y: FloatArray, grid: FootprintGrid
) -> tuple[IntArray, IntArray]:
    """All entries of the cell of each point that cover it."""
    ends = np.zeros(len(x), np.int64)
    found = np.empty(0, np.int64)
    for filling in (False, True):
        if filling:
            found = np.empty(ends[-1] if len(x) else 0, np.int64)
        n = 0
        for i in range(len(x)):
            px, py = x[i] - grid.shift_x, y[i] - grid.shift_y
            c = cell_of(px, py, grid)
            if c >= 0:
                for k in range(grid.cell_offsets[c], grid.cell_offsets[c + 1]):
                    slab = grid.entry_slab[k]
                    if slab < 0 or covered_by(px, py, slab, grid):
                        if filling:
                            found[n] = grid.entry_footprint[k]
                        n += 1
            ends[i] = n
    return found, with_zero(ends)
