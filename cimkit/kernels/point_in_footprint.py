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
from cimkit.kernels.footprint_grid import NOBODY, UNDECIDED, FootprintGrid, with_zero
from cimkit.kernels.orientation import FILTER, orientation
from cimkit.tables._columns import FloatArray, IntArray, floats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

BATCH = 4096
"""Points looked up before the undecided among them are: 64 kB of coordinates."""


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
def covered_by(
    x: float, y: float, first: int, last: int, slab_edge: IntArray, edges: FloatArray
) -> bool:
    """Whether a shifted point lies in or on a footprint, by the edges of its slab.

    `first` to `last` - 1 are the slab's rows of `slab_edge`. Helpers take arrays, not the whole
    grid: numba would count a reference to each of its arrays at every call, for 60 ns a point.

    Nearly always the plain determinant is sure of its sign. Such an edge needs no branch: the
    point is not on it, and the sign says on which side the ray starts.
    """
    inside = False
    for k in range(first, last):
        e = slab_edge[k]
        xa, ya, xb, yb = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        left, right = (xa - x) * (yb - y), (ya - y) * (xb - x)
        if abs(left - right) > FILTER * (abs(left) + abs(right)):
            inside ^= ((ya > y) != (yb > y)) & ((left > right) == (yb > ya))
        elif (ya > y) != (yb > y):
            if xa > x and xb > x:  # the products of a tiny footprint can underflow
                inside = not inside
                continue
            if xa < x and xb < x:
                continue
            side = orientation(xa, ya, xb, yb, x, y)
            if side == 0:
                return True
            inside ^= (side > 0) == (yb > ya)
        elif ya == y and yb == y:
            if min(xa, xb) <= x <= max(xa, xb):
                return True
        elif (xa == x and ya == y) or (xb == x and yb == y):
            return True
    return inside


@kernel
def _assign(x: FloatArray, y: FloatArray, grid: FootprintGrid) -> IntArray:
    """Answer of the cell of each point; where the cell has none, the first entry that covers.

    In batches that stay in the cache, and in passes: those without a branch wait for memory of
    many points at once, so that neighbours in the file need not be neighbours on the ground.
    """
    found = np.empty(len(x), np.int64)
    undecided, cell, start, end = np.empty((4, BATCH), np.int64)
    last_column, last_row = float(grid.columns), float(grid.rows)
    entries, footprint, slabs = grid.cell_offsets, grid.entry_footprint, grid.entry_slab
    bounds, slab_edge, edges = grid.slab_edge_offsets, grid.slab_edge, grid.edges
    for batch in range(0, len(x), BATCH):
        n = 0
        for i in range(batch, min(batch + BATCH, len(x))):
            u = (x[i] - grid.shift_x - grid.x0) * grid.inverse
            v = (y[i] - grid.shift_y - grid.y0) * grid.inverse
            u, v = max(u, -1.0), max(v, -1.0)
            column = int(np.floor(min(u, last_column)))
            row = int(np.floor(min(v, last_row)))
            found[i] = grid.answer[row + 1, column + 1]
            undecided[n], cell[n] = i, row * grid.columns + column
            n += found[i] == UNDECIDED
        for j in range(n):  # the first entry of such a cell has a slab
            k = entries[cell[j]]
            found[undecided[j]] = footprint[k]
            start[j], end[j] = bounds[slabs[k]], bounds[slabs[k] + 1]
        for j in range(n):
            i, c = undecided[j], cell[j]
            px, py = x[i] - grid.shift_x, y[i] - grid.shift_y
            if covered_by(px, py, start[j], end[j], slab_edge, edges):
                continue
            found[i] = NOBODY
            for k in range(entries[c] + 1, entries[c + 1]):
                s = slabs[k]
                if s < 0 or covered_by(px, py, bounds[s], bounds[s + 1], slab_edge, edges):
                    found[i] = footprint[k]
                    break
    return found


@kernel
def _list_covering(
    x: FloatArray, y: FloatArray, grid: FootprintGrid
) -> tuple[IntArray, IntArray]:
    """All entries of the cell of each point that cover it."""
    ends = np.zeros(len(x), np.int64)
    found = np.empty(0, np.int64)
    slab_edge, edges = grid.slab_edge, grid.edges
    for filling in (False, True):
        if filling:
            found = np.empty(ends[-1] if len(x) else 0, np.int64)
        n = 0
        for i in range(len(x)):
            px, py = x[i] - grid.shift_x, y[i] - grid.shift_y
            c = cell_of(px, py, grid)
            if c >= 0:
                for k in range(grid.cell_offsets[c], grid.cell_offsets[c + 1]):
                    s = grid.entry_slab[k]
                    first, last = grid.slab_edge_offsets[s], grid.slab_edge_offsets[s + 1]
                    if s < 0 or covered_by(px, py, first, last, slab_edge, edges):
                        if filling:
                            found[n] = grid.entry_footprint[k]
                        n += 1
            ends[i] = n
    return found, with_zero(ends)
