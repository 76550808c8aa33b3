"""A grid over footprints that says for each cell which of them fill it and which border on it.

Two indexes share the rows of the grid. The **cells** list the footprints that cover a cell
wholly or have an edge in it, the smallest first. The **slabs**, one for each footprint and each
row that it spans, list the edges that touch the row: a horizontal ray from a point meets no
others, so a point needs only the few edges of one slab, however many the footprint has.

Both are conservative. Rows come from one monotone function of y, so a point and an edge at the
same height share a row without any tolerance; the columns of an edge within a row are widened
by `TOLERANCE` cells, far above all rounding.

Time and memory: O(vertices + cells under the footprints' boxes + cells under their edges).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cimkit.errors import ParameterError
from cimkit.kernels._jit import helper, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables import Footprints
    from cimkit.tables._columns import ByteArray, FloatArray, IntArray

GRID_SIZE_MAX = 8_000_000
"""Cells of the grid, and entries in them: 64 MB for each array of int64, some 0.4 GB in all."""

TOLERANCE = 1e-6
"""Cells. A coordinate of `GRID_SIZE_MAX` cells needs 24 of 53 bits: rounding is below 1e-8."""

INSIDE, TOUCHED = 1, 2

NOBODY, UNDECIDED = -1, -2
"""Answers of a cell that are not a footprint: none covers any of it; each point is asked."""


class FootprintGrid(NamedTuple):
    """The index; all coordinates in it are shifted by (-shift_x, -shift_y), without rounding.

    Attributes
    ----------
    shift_x, shift_y : float
        Whole metres that are taken off all coordinates.
    x0, y0, cell, inverse : float
        South-west corner, edge of a cell in metres, and 1 / cell.
    columns, rows : int
        Size of the grid; cell = row * columns + column.
    cell_offsets : int64 array, shape (columns * rows + 1,)
        Borders of the cells in the entries.
    entry_footprint, entry_slab : int64 array, shape (n_entries,)
        A footprint of the cell, by rising area, then row; the slab with its edges, or -1 where
        it covers the whole cell.
    answer : int32 array, shape (rows + 2, columns + 2)
        Of each cell, within a rim of empty ones: the first footprint, if it covers the whole
        cell; else `UNDECIDED`; `NOBODY` without entries.
    first_row : int64 array, shape (n,)
        Lowest grid row of each footprint.
    slab_offsets : int64 array, shape (n + 1,)
        Borders of the footprints in the slabs, which rise with the row.
    slab_edge_offsets : int64 array, shape (n_slabs + 1,)
        Borders of the slabs in `slab_edge`.
    slab_edge : int64 array
        Rows of `edges`.
    edges : float64 array, shape (n_vertices, 4)
        x, y of both ends.
    """

    shift_x: float
    shift_y: float
    x0: float
    y0: float
    cell: float
    inverse: float
    columns: int
    rows: int
    cell_offsets: IntArray
    entry_footprint: IntArray
    entry_slab: IntArray
    answer: NDArray[np.int32]
    first_row: IntArray
    slab_offsets: IntArray
    slab_edge_offsets: IntArray
    slab_edge: IntArray
    edges: FloatArray


def build_grid(
    footprints: Footprints, *, cell: float = 1.0, margin: float = 0.0
) -> FootprintGrid:
    """Index footprints for `assign_points`, `covering_footprints` and `nearest_footprints`.

    Parameters
    ----------
    footprints : Footprints
        Any number of vertices; they may overlap.
    cell : float, default 1.0
        Edge of a cell in metres. Doubled until cells and entries are at most `GRID_SIZE_MAX`.
        No result depends on it.
    margin : float, default 0.0
        Empty space around all footprints that the grid covers as well, metres.

    Returns
    -------
    FootprintGrid

    Raises
    ------
    ParameterError
        If `cell` is not above 0 or `margin` is below 0.

    Examples
    --------
    >>> import shapely
    >>> from cimkit.tables import Footprints
    >>> grid = build_grid(Footprints.from_polygons(["a"], [shapely.box(0, 0, 4, 2)]))
    >>> grid.columns, grid.rows
    (5, 3)
    >>> build_grid(Footprints.from_polygons([], [])).entry_footprint
    array([], dtype=int64)
    """
    if not (0.0 < cell < np.inf and 0.0 <= margin < np.inf):
        raise ParameterError(f"grid: cell {cell} must be above 0, margin {margin} not below 0")
    box = footprints.total_bounds or (0.0, 0.0, 0.0, 0.0)
    shift_x, shift_y = _exact_shift(box[0], box[2]), _exact_shift(box[1], box[3])
    local = footprints.xy - (shift_x, shift_y)
    following = np.arange(1, len(local) + 1)
    following[footprints.ring_offsets[1:] - 1] = footprints.ring_offsets[:-1]
    edges = np.hstack([local, local[following]])
    width, height = box[2] - box[0] + 2 * margin, box[3] - box[1] + 2 * margin
    cell = _fitting_cell(float(cell), width, height, footprints.bounds, edges)
    inverse = 1.0 / cell
    x0, y0 = box[0] - shift_x - margin, box[1] - shift_y - margin
    columns = int(np.floor((box[2] - shift_x + margin - x0) * inverse)) + 1
    rows = int(np.floor((box[3] - shift_y + margin - y0) * inverse)) + 1
    edge_offsets = footprints.ring_offsets[footprints.polygon_offsets]
    slabs = _sort_edges_into_slabs(edges, edge_offsets, y0, inverse, rows)
    order = np.lexsort((np.arange(len(footprints)), footprints.area))
    cells = _list_footprints_of_cells(
        edges, edge_offsets, order, x0, y0, cell, inverse, columns, rows, *slabs
    )
    answer = _answer_cells(*cells, columns, rows)
    return FootprintGrid(
        shift_x, shift_y, x0, y0, cell, inverse, columns, rows, *cells, answer, *slabs, edges
    )


def _exact_shift(low: float, high: float) -> float:
    """Give whole metres near `low` whose subtraction is free of rounding, or 0.

    Sterbenz' lemma: a - b is exact for b / 2 <= a <= 2 b. Where it fails, the coordinates are
    hardly larger than the extent, and there is nothing to gain.
    """
    if low > 0.0:
        shift = float(np.floor(low))
        return shift if high <= 2.0 * shift else 0.0
    return -_exact_shift(-high, -low) if high < 0.0 else 0.0


def _fitting_cell(
    cell: float, width: float, height: float, boxes: FloatArray, edges: FloatArray
) -> float:
    """Double the cell until grid, boxes and edges keep to `GRID_SIZE_MAX`."""
    box_area = float(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).sum())
    edge_length = float(np.abs(edges[:, 2:] - edges[:, :2]).sum())
    while (
        max(
            (width / cell + 1) * (height / cell + 1),
            box_area / cell**2,
            edge_length / cell,
        )
        > GRID_SIZE_MAX
    ):
        cell *= 2
    return cell


@helper
def cell_index(value: float, start: float, inverse: float, n: int) -> int:
    """Column or row of a coordinate; -1 or `n` outside the grid, also for infinite values."""
    return int(min(max(np.floor((value - start) * inverse), -1.0), float(n)))


@helper
def cell_range(
    low: float, high: float, start: float, inverse: float, n: int
) -> tuple[int, int]:
    """First and last column or row between two coordinates; first > last for none."""
    first, last = cell_index(low, start, inverse, n), cell_index(high, start, inverse, n)
    return max(first, 0), min(last, n - 1)


@helper
def with_zero(ends: IntArray) -> IntArray:
    """Borders of ragged rows from their ends."""
    offsets = np.zeros(len(ends) + 1, np.int64)
    offsets[1:] = ends
    return offsets


@kernel
def _sort_edges_into_slabs(
    edges: FloatArray, edge_offsets: IntArray, y0: float, inverse: float, rows: int
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """First row and slab borders of each footprint, and the edges of each slab."""
    n = len(edge_offsets) - 1
    first_row = np.zeros(n, np.int64)
    slab_offsets = np.zeros(n + 1, np.int64)
    for f in range(n):
        low, high = rows, 0
        for e in range(edge_offsets[f], edge_offsets[f + 1]):
            row = cell_index(edges[e, 1], y0, inverse, rows)
            low, high = min(low, row), max(high, row)
        first_row[f] = low
        slab_offsets[f + 1] = slab_offsets[f] + high - low + 1
    place = np.zeros(slab_offsets[n], np.int64)
    slab_edge = np.empty(0, np.int64)
    for filling in (False, True):
        if filling:
            slab_edge = np.empty(place.sum(), np.int64)
            place = np.cumsum(place) - place
        for f in range(n):
            base = slab_offsets[f] - first_row[f]
            for e in range(edge_offsets[f], edge_offsets[f + 1]):
                a = cell_index(edges[e, 1], y0, inverse, rows)
                b = cell_index(edges[e, 3], y0, inverse, rows)
                for s in range(base + min(a, b), base + max(a, b) + 1):
                    if filling:
                        slab_edge[place[s]] = e
                    place[s] += 1
    return first_row, slab_offsets, with_zero(place), slab_edge


@kernel
def _list_footprints_of_cells(
    edges: FloatArray,
    edge_offsets: IntArray,
    order: IntArray,
    x0: float,
    y0: float,
    cell: float,
    inverse: float,
    columns: int,
    rows: int,
    first_row: IntArray,
    slab_offsets: IntArray,
    slab_edge_offsets: IntArray,
    slab_edge: IntArray,
) -> tuple[IntArray, IntArray, IntArray]:
    """Cell borders, footprints and slabs of the entries, footprints taken in `order`."""
    place = np.zeros(columns * rows, np.int64)
    entry_footprint = np.empty(0, np.int64)
    entry_slab = np.empty(0, np.int64)
    state = np.empty(columns + 1, np.uint8)
    for filling in (False, True):
        if filling:
            entry_footprint = np.empty(place.sum(), np.int64)
            entry_slab = np.empty(len(entry_footprint), np.int64)
            place = np.cumsum(place) - place
        for f in order:
            low, high = columns, 0
            for e in range(edge_offsets[f], edge_offsets[f + 1]):
                column = cell_index(edges[e, 0], x0, inverse, columns)
                low, high = min(low, column), max(high, column)
            for s in range(slab_offsets[f], slab_offsets[f + 1]):
                row = first_row[f] + s - slab_offsets[f]
                slab = slab_edge[slab_edge_offsets[s] : slab_edge_offsets[s + 1]]
                _mark_row(edges, slab, x0, y0 + row * cell, cell, inverse, low, high, state)
                for column in range(low, high + 1):
                    if state[column]:
                        c = row * columns + column
                        if filling:
                            entry_footprint[place[c]] = f
                            entry_slab[place[c]] = s if state[column] == TOUCHED else -1
                        place[c] += 1
    return with_zero(place), entry_footprint, entry_slab


@kernel
def _answer_cells(
    cell_offsets: IntArray,
    entry_footprint: IntArray,
    entry_slab: IntArray,
    columns: int,
    rows: int,
) -> NDArray[np.int32]:
    """What each cell says of all its points."""
    answer = np.full((rows + 2, columns + 2), NOBODY, np.int32)
    for row in range(rows):
        for column in range(columns):
            c = row * columns + column
            k = cell_offsets[c]
            if k < cell_offsets[c + 1]:
                whole = entry_slab[k] < 0
                answer[row + 1, column + 1] = entry_footprint[k] if whole else UNDECIDED
    return answer


@helper
def _mark_row(
    edges: FloatArray,
    slab: IntArray,
    x0: float,
    south: float,
    cell: float,
    inverse: float,
    low: int,
    high: int,
    state: ByteArray,
) -> None:
    """Set the columns `low` to `high` of one row to 0 (outside), INSIDE or TOUCHED.

    Cells without an edge are wholly inside or outside: their centre decides, by the parity of
    the edges that cross the line of centres further west.
    """
    state[low : high + 2] = 0
    middle = south + 0.5 * cell
    for e in slab:
        xa, ya, xb, yb = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        west, east = _x_span(xa, ya, xb, yb, south, cell)
        first = cell_index(west, x0, inverse, high)
        last = cell_index(east, x0, inverse, high)
        for column in range(max(first, low), last + 1):
            state[column] |= TOUCHED
        if (ya > middle) != (yb > middle):
            crossing = xa + (middle - ya) / (yb - ya) * (xb - xa)
            column = cell_index(crossing + 0.5 * cell, x0, inverse, high + 1)
            state[max(column, low)] ^= INSIDE
    parity = 0
    for column in range(low, high + 1):
        parity ^= state[column] & INSIDE
        state[column] = TOUCHED if state[column] & TOUCHED else parity


@helper
def _x_span(
    xa: float, ya: float, xb: float, yb: float, south: float, cell: float
) -> tuple[float, float]:
    """Range of x that an edge takes within a row, a little widened."""
    tolerance = TOLERANCE * cell
    s, t = 0.0, 1.0
    if abs(yb - ya) > tolerance:
        s = (south - tolerance - ya) / (yb - ya)
        t = (south + cell + tolerance - ya) / (yb - ya)
        s, t = min(max(s, 0.0), 1.0), min(max(t, 0.0), 1.0)
    p, q = xa + s * (xb - xa), xa + t * (xb - xa)
    return min(p, q) - tolerance, max(p, q) + tolerance
