"""How well points cover a footprint: density, cells without data, largest empty circle.

The definitions are those of roofer and the 3DBAG (`rf_pt_density`, `rf_nodata_frac`,
`rf_nodata_r`, `rf_is_glass_roof`): a raster of 0.5 m whose cells count where their centre lies
in the footprint. The circle is exact to 1 cm: squares are split while they may do better
(quadtree search, as "polylabel" does for the pole of inaccessibility), where roofer builds the
Voronoi diagram of the points and of an outline with a vertex each 0.5 m.

Everything is computed in metres from a corner of the footprint, after rounding to millimetres.

Time: O(points + cells), and for the circle O(squares x (corners + points near)).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cimkit.kernels._jit import helper, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables._columns import FloatArray, IntArray

CELL = 0.5
"""Metres; that of roofer, so that figures can be compared."""

CELLS_MAX = 4_000_000
"""Of one footprint, 1 km²; a larger one gets cells of 1 m or more."""

CIRCLE_STEP = 0.01
"""Metres by which the radius of the empty circle may be too small."""

STACK = 128
"""Squares that wait: three on each of the at most 40 halvings."""


class Cover(NamedTuple):
    """How points cover each footprint; NaN where it has no cell, or no point.

    Attributes
    ----------
    density : float64 array, shape (n,)
        Roof points per m² of the cells that hold any.
    empty : float64 array, shape (n,)
        Share of cells without a roof point.
    radius : float64 array, shape (n,)
        Of the largest empty circle, metres.
    purity : float64 array, shape (n,)
        Mean over the cells with points of |roof - ground| / (roof + ground): 1 where no cell
        holds both.
    """

    density: FloatArray
    empty: FloatArray
    radius: FloatArray
    purity: FloatArray


@helper
def local_rings(
    ring_mm: IntArray, ring_offsets: IntArray, first: int, last: int
) -> tuple[FloatArray, IntArray, int, int]:
    """Rings `first` to `last` - 1 in metres from their south-west corner, and that corner."""
    start, end = ring_offsets[first], ring_offsets[last]
    x0, y0 = ring_mm[start, 0], ring_mm[start, 1]
    for i in range(start, end):
        x0, y0 = min(x0, ring_mm[i, 0]), min(y0, ring_mm[i, 1])
    xy = np.empty((end - start, 2))
    for i in range(start, end):
        xy[i - start, 0] = (ring_mm[i, 0] - x0) / 1000.0
        xy[i - start, 1] = (ring_mm[i, 1] - y0) / 1000.0
    return xy, ring_offsets[first : last + 1] - start, x0, y0


@helper
def depth_in_rings(x: float, y: float, xy: FloatArray, offsets: IntArray) -> float:
    """Distance of a place to the nearest edge; negative outside the rings (even-odd)."""
    least = np.inf
    inside = False
    for r in range(len(offsets) - 1):
        first, last = offsets[r], offsets[r + 1]
        ax, ay = xy[last - 1, 0] - x, xy[last - 1, 1] - y
        for i in range(first, last):
            bx, by = xy[i, 0] - x, xy[i, 1] - y
            if (ay > 0.0) != (by > 0.0) and (ax * by - ay * bx > 0.0) == (by > ay):
                inside = not inside
            dx, dy = bx - ax, by - ay
            length = dx * dx + dy * dy
            px, py = ax, ay
            if length > 0.0:
                t = min(max(-(ax * dx + ay * dy) / length, 0.0), 1.0)
                px, py = ax + t * dx, ay + t * dy
            least = min(least, px * px + py * py)
            ax, ay = bx, by
    return math.sqrt(least) if inside else -math.sqrt(least)


@helper
def _cells_inside(
    xy: FloatArray, offsets: IntArray, cell: float, columns: int, rows: int
) -> NDArray[np.bool_]:
    """Cells whose centre lies in the rings, row by row."""
    # Each edge flips all cells east of it: a running sum along the row gives the parity.
    flips = np.zeros((rows, columns + 1), np.int8)
    for r in range(len(offsets) - 1):
        first, last = offsets[r], offsets[r + 1]
        ax, ay = xy[last - 1, 0], xy[last - 1, 1]
        for i in range(first, last):
            bx, by = xy[i, 0], xy[i, 1]
            if ay != by:
                low = max(math.ceil(min(ay, by) / cell - 0.5), 0)
                high = min(math.ceil(max(ay, by) / cell - 0.5), rows)
                for row in range(low, high):
                    east = ax + ((row + 0.5) * cell - ay) / (by - ay) * (bx - ax)
                    column = min(max(math.ceil(east / cell - 0.5), 0), columns)
                    flips[row, column] ^= 1
            ax, ay = bx, by
    inside = np.empty(rows * columns, np.bool_)
    for row in range(rows):
        odd = 0
        for column in range(columns):
            odd ^= flips[row, column]
            inside[row * columns + column] = odd == 1
    return inside


@helper
def _cell_of(
    x: float, y: float, x0: int, y0: int, cell: float, columns: int, rows: int
) -> tuple[int, float, float]:
    """Cell of a point, -1 outside the raster, and the point from the corner."""
    px, py = (np.rint(x * 1000.0) - x0) / 1000.0, (np.rint(y * 1000.0) - y0) / 1000.0
    if px < 0.0 or py < 0.0 or px > columns * cell or py > rows * cell:
        return -1, px, py
    column, row = min(int(px / cell), columns - 1), min(int(py / cell), rows - 1)
    return row * columns + column, px, py


@helper
def _nearest(
    x: float,
    y: float,
    limit: float,
    px: FloatArray,
    py: FloatArray,
    starts: IntArray,
    cell: float,
    columns: int,
    rows: int,
) -> float:
    """Distance to the nearest point; any distance <= `limit` where a point is that near."""
    if len(px) == 0:
        return np.inf
    i = min(max(int(x / cell), 0), columns - 1)
    j = min(max(int(y / cell), 0), rows - 1)
    east, north = x - i * cell, y - j * cell
    margin = max(min(east, cell - east, north, cell - north), 0.0)
    least = np.inf
    most = max(limit, 0.0) ** 2
    for ring in range(max(columns, rows) + 1):
        if ring > 0:
            clear = (ring - 1) * cell + margin
            if least <= clear * clear:
                break
            if 4 * ring * ring > len(px):  # more empty cells than points: no use of the cells
                for k in range(len(px)):
                    dx, dy = px[k] - x, py[k] - y
                    least = min(least, dx * dx + dy * dy)
                break
        for row in range(max(j - ring, 0), min(j + ring, rows - 1) + 1):
            step = 1 if abs(row - j) == ring or ring == 0 else 2 * ring
            for column in range(i - ring, i + ring + 1, step):
                if column < 0 or column >= columns:
                    continue
                c = row * columns + column
                for k in range(starts[c], starts[c + 1]):
                    dx, dy = px[k] - x, py[k] - y
                    least = min(least, dx * dx + dy * dy)
        if limit > 0.0 and least <= most:
            break
    return math.sqrt(least)


@helper
def _empty_circle(
    xy: FloatArray,
    offsets: IntArray,
    px: FloatArray,
    py: FloatArray,
    starts: IntArray,
    inside: NDArray[np.bool_],
    cell: float,
    columns: int,
    rows: int,
) -> float:
    """Radius of the largest circle in the rings that holds no point."""
    half = max(columns, rows) * cell / 2.0
    squares = np.empty((STACK, 3))
    squares[0, 0], squares[0, 1], squares[0, 2] = half, half, half
    size, best = 1, 0.0
    # The larger the circle known, the fewer squares need a look.
    for c in range(rows * columns):
        if inside[c] and starts[c] == starts[c + 1]:
            x, y = (c % columns + 0.5) * cell, (c // columns + 0.5) * cell
            free = _nearest(x, y, best, px, py, starts, cell, columns, rows)
            if free > best:
                best = max(best, min(free, depth_in_rings(x, y, xy, offsets)))
    while size > 0:
        size -= 1
        x, y, half = squares[size, 0], squares[size, 1], squares[size, 2]
        reach = half * math.sqrt(2.0)
        limit = best + CIRCLE_STEP - reach
        free = _nearest(x, y, limit, px, py, starts, cell, columns, rows)
        if free <= limit:
            continue
        free = min(free, depth_in_rings(x, y, xy, offsets))
        best = max(best, free)
        if free + reach > best + CIRCLE_STEP:
            half /= 2.0
            for k in range(4):
                squares[size, 0] = x + half * (1.0 if k & 1 else -1.0)
                squares[size, 1] = y + half * (1.0 if k & 2 else -1.0)
                squares[size, 2] = half
                size += 1
    return best


@kernel
def cover_roofs(
    x: FloatArray,
    y: FloatArray,
    rows: IntArray,
    borders: IntArray,
    ground_rows: IntArray,
    ground_borders: IntArray,
    ring_mm: IntArray,
    ring_offsets: IntArray,
    polygon_offsets: IntArray,
) -> Cover:
    """Measure how points cover each footprint.

    Parameters
    ----------
    x, y : float64 array, shape (n_points,)
        Metres.
    rows, borders : int64 array
        Rows of the roof points, building by building, and their borders.
    ground_rows, ground_borders : int64 array
        The same of ground points on or near the building.
    ring_mm : int64 array, shape (n_vertices, 2)
        Outlines in whole millimetres.
    ring_offsets, polygon_offsets : int64 array
        As in `cimkit.tables.Footprints`.

    Returns
    -------
    Cover
    """
    n = len(polygon_offsets) - 1
    density, empty = np.full(n, np.nan), np.full(n, np.nan)
    radius, purity = np.full(n, np.nan), np.full(n, np.nan)
    for b in range(n):
        xy, offsets, x0, y0 = local_rings(
            ring_mm, ring_offsets, polygon_offsets[b], polygon_offsets[b + 1]
        )
        width, height = xy[:, 0].max(), xy[:, 1].max()
        cell = CELL
        while (width / cell + 1.0) * (height / cell + 1.0) > CELLS_MAX:
            cell *= 2.0
        columns = max(math.ceil(width / cell), 1)
        lines = max(math.ceil(height / cell), 1)
        inside = _cells_inside(xy, offsets, cell, columns, lines)
        starts = np.zeros(len(inside) + 1, np.int64)
        ground = np.zeros(len(inside), np.int64)
        for k in range(borders[b], borders[b + 1]):
            c, _, _ = _cell_of(x[rows[k]], y[rows[k]], x0, y0, cell, columns, lines)
            if c >= 0:
                starts[c + 1] += 1
        for k in range(ground_borders[b], ground_borders[b + 1]):
            i = ground_rows[k]
            c, _, _ = _cell_of(x[i], y[i], x0, y0, cell, columns, lines)
            if c >= 0:
                ground[c] += 1
        cells, filled, points, mixed, pure = 0, 0, 0, 0, 0.0
        for c in range(len(inside)):
            if inside[c]:
                roof = starts[c + 1]
                cells += 1
                filled += 1 if roof > 0 else 0
                points += roof
                if roof + ground[c] > 0:
                    mixed += 1
                    pure += abs(roof - ground[c]) / (roof + ground[c])
        if cells > 0:
            empty[b] = (cells - filled) / cells
        if filled > 0:
            density[b] = points / (filled * cell * cell)
        if mixed > 0:
            purity[b] = pure / mixed
        starts = np.cumsum(starts)
        place = starts[:-1].copy()
        px, py = np.empty(starts[-1]), np.empty(starts[-1])
        for k in range(borders[b], borders[b + 1]):
            i = rows[k]
            c, u, v = _cell_of(x[i], y[i], x0, y0, cell, columns, lines)
            if c >= 0:
                px[place[c]], py[place[c]] = u, v
                place[c] += 1
        radius[b] = _empty_circle(xy, offsets, px, py, starts, inside, cell, columns, lines)
    return Cover(density, empty, radius, purity)
