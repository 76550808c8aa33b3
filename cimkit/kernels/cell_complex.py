"""Cut the convex cells of a complex by segments.

A box is cut by segments; a segment splits every cell that it enters right across that cell, and
no farther, so cells stay convex and each edge lies between two cells (the idea of Bauchet &
Lafarge 2020, "Kinetic shape reconstruction", without the clock).

Tolerance: a vertex within `eps` of a line lies on it. Cells may be off convex by 0.1 mm, beside
footprint corners by 4 mm; a chord that would leave such a cell is not made.

Time: a segment costs the edges of the cells that it touches; the first is found by a walk.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.cell_sight import (
    CLEARANCE,
    crossing_of,
    distance_to_segment,
    is_clear,
    sees,
)
from cimkit.kernels.half_edges import (
    COMPLEX_FULL,
    COMPLEX_OK,
    CellComplex,
    has_room,
    split_cell,
    split_edge,
)

COVER_LENGTH, COVER_SHARE = 0.1, 0.5
"""A segment cuts a cell where it covers this length (metres) or this share of the chord."""


@kernel
def line_through_cell(
    cx: CellComplex, c: int, px: float, py: float, dx: float, dy: float, eps: float
) -> tuple[int, bool, int, bool]:
    """Where a line passes the border of a cell, from its left to its right side and back.

    Returns
    -------
    down, at_vertex, up, at_vertex : int, bool, int, bool
        Half-edges; the line passes their origin or crosses them. -1 where the cell lies on one
        side of the line.
    """
    start = cx.first[c]
    h = start
    while True:
        a = cx.origin[h]
        if dx * (cx.xy[a, 1] - py) - dy * (cx.xy[a, 0] - px) > eps:
            break
        h = cx.following[h]
        if h == start:
            return -1, False, -1, False
    left = h
    down, up, zero = -1, -1, -1
    down_at, up_at = False, False
    state, zero_distance = 1, 0.0
    while True:
        ahead = cx.following[h]
        a = cx.origin[ahead]
        d = dx * (cx.xy[a, 1] - py) - dy * (cx.xy[a, 0] - px)
        if abs(d) <= eps:
            if zero < 0 or abs(d) < zero_distance:
                zero, zero_distance = ahead, abs(d)
        else:
            sign = 1 if d > 0.0 else -1
            if sign != state:
                if sign < 0:
                    if down >= 0:  # not convex enough for this line
                        return -1, False, -1, False
                    down, down_at = (zero, True) if zero >= 0 else (h, False)
                else:
                    up, up_at = (zero, True) if zero >= 0 else (h, False)
                state = sign
            zero = -1
        h = ahead
        if h == left:
            break
    if down < 0 or up < 0:
        return -1, False, -1, False
    return int(down), down_at, int(up), up_at


@kernel
def exit_point(
    cx: CellComplex, h: int, at_vertex: bool, px: float, py: float, dx: float, dy: float
) -> tuple[float, float]:
    """Coordinates of a passage found by `line_through_cell`."""
    if at_vertex:
        a = cx.origin[h]
        return cx.xy[a, 0], cx.xy[a, 1]
    return crossing_of(cx, h, px, py, dx, dy)


@kernel
def cut_cell(
    cx: CellComplex,
    c: int,
    px: float,
    py: float,
    dx: float,
    dy: float,
    length: float,
    tag: int,
    eps: float,
) -> int:
    """Split a cell by a line where the segment of that length covers enough of the chord."""
    down, down_at, up, up_at = line_through_cell(cx, c, px, py, dx, dy, eps)
    if down < 0:
        return COMPLEX_OK
    x0, y0 = exit_point(cx, down, down_at, px, py, dx, dy)
    x1, y1 = exit_point(cx, up, up_at, px, py, dx, dy)
    s0 = (x0 - px) * dx + (y0 - py) * dy
    s1 = (x1 - px) * dx + (y1 - py) * dy
    cover = min(max(s0, s1), length) - max(min(s0, s1), 0.0)
    if cover <= 0.0 or (cover < COVER_LENGTH and cover < COVER_SHARE * abs(s1 - s0)):
        return COMPLEX_OK
    if not has_room(cx, 2):
        return COMPLEX_FULL
    if abs(s1 - s0) < eps:
        return COMPLEX_OK
    if not (down_at or is_clear(cx, down, x0, y0, CLEARANCE)):
        return COMPLEX_OK
    if not (up_at or is_clear(cx, up, x1, y1, CLEARANCE)):
        return COMPLEX_OK
    if not sees(cx, c, x0, y0, down, down_at, x1, y1, up, up_at, CLEARANCE):
        return COMPLEX_OK
    if not down_at:
        split_edge(cx, down, x0, y0)
        down = cx.following[down]
    if not up_at:
        split_edge(cx, up, x1, y1)
        up = cx.following[up]
    split_cell(cx, down, up, tag)
    return COMPLEX_OK


@kernel
def find_cell(cx: CellComplex, x: float, y: float, start: int) -> int:
    """Cell that holds a point of the box, by a walk from another cell.

    The walk leaves a cell by the edge on whose far side the point lies deepest. Where cells are
    not quite convex it may run in a circle or stop too early; then all cells are searched.
    """
    c = start
    for _ in range(64 + int(4.0 * np.sqrt(cx.size[2]))):
        h = cx.first[c]
        worst, out = 0.0, -1
        crossings = 0
        while True:
            ahead = cx.following[h]
            a, b = cx.origin[h], cx.origin[ahead]
            ax, ay, bx, by = cx.xy[a, 0], cx.xy[a, 1], cx.xy[b, 0], cx.xy[b, 1]
            d = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
            if (ay > y) != (by > y) and (d > 0.0) == (by > ay):
                crossings += 1
            if d < 0.0 and cx.cell[h ^ 1] >= 0:
                d /= np.hypot(bx - ax, by - ay)
                if d < worst:
                    worst, out = d, h
            h = ahead
            if h == cx.first[c]:
                break
        if crossings % 2 == 1 or (out >= 0 and worst > -1e-9):
            return c
        if out < 0:
            break
        c = cx.cell[out ^ 1]
    return _search_cell(cx, x, y)


@kernel
def _search_cell(cx: CellComplex, x: float, y: float) -> int:
    """Cell whose border a ray from the point crosses an odd number of times, or nearest."""
    nearest, found = np.inf, 0
    for c in range(cx.size[2]):
        crossings = 0
        h = cx.first[c]
        while True:
            ahead = cx.following[h]
            a, b = cx.origin[h], cx.origin[ahead]
            ax, ay, bx, by = cx.xy[a, 0], cx.xy[a, 1], cx.xy[b, 0], cx.xy[b, 1]
            if (ay > y) != (by > y):
                d = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
                crossings += (d > 0.0) == (by > ay)
            distance = distance_to_segment(x, y, ax, ay, bx, by)
            if distance < nearest:
                nearest, found = distance, c
            h = ahead
            if h == cx.first[c]:
                break
        if crossings % 2 == 1:
            return c
    return found


@kernel
def _clip(
    cx: CellComplex, x0: float, y0: float, x1: float, y1: float
) -> tuple[float, float, float, float, bool]:
    """Part of a segment in the box (Liang & Barsky 1984); its corners are vertices 0 and 2."""
    low, high = 0.0, 1.0
    ux, uy = x1 - x0, y1 - y0
    p = (-ux, ux, -uy, uy)
    q = (
        x0 - cx.xy[0, 0],
        cx.xy[2, 0] - x0,
        y0 - cx.xy[0, 1],
        cx.xy[2, 1] - y0,
    )
    for k in range(4):
        if p[k] == 0.0:
            if q[k] < 0.0:
                return x0, y0, x1, y1, False
        elif p[k] < 0.0:
            low = max(low, q[k] / p[k])
        else:
            high = min(high, q[k] / p[k])
    if low >= high:
        return x0, y0, x1, y1, False
    return x0 + low * ux, y0 + low * uy, x0 + high * ux, y0 + high * uy, True


@helper
def _touches(da: float, db: float, ta: float, tb: float, length: float, eps: float) -> bool:
    """Whether an edge comes near a segment, from distances to its line and places along it."""
    if (da > eps and db > eps) or (da < -eps and db < -eps):
        return False
    if da * db < 0.0 and abs(da) > eps and abs(db) > eps:
        t = ta + (tb - ta) * da / (da - db)
        return bool(-eps <= t <= length + eps)
    return bool(max(ta, tb) >= -eps and min(ta, tb) <= length + eps)


@kernel
def insert_segment(
    cx: CellComplex,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    tag: int,
    eps: float,
    only_inside: bool,
) -> int:
    """Split every cell that a segment enters, right across the cell.

    A cell is left whole where the segment covers less than 0.1 m and less than half of the
    chord, where the line would pass within `eps` of all vertices of one side, and where a new
    vertex would come within 0.3 mm of another edge.

    Parameters
    ----------
    cx : CellComplex
        Changed in place.
    x0, y0, x1, y1 : float
        Ends in local metres; what lies outside the box is cut off.
    tag : int
        Goes into `line` of the new edges.
    eps : float
        Metres: a line that passes a vertex as near as that goes through it.
    only_inside : bool
        Leave cells outside the footprint whole.

    Returns
    -------
    int
        COMPLEX_OK or COMPLEX_FULL.

    Examples
    --------
    >>> from cimkit.kernels.cell_outline import start_complex
    >>> from cimkit.kernels.half_edges import new_complex
    >>> cx = new_complex(100)
    >>> square = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 8.0], [0.0, 8.0]])
    >>> start_complex(cx, square, np.array([0, 4]))
    0
    >>> insert_segment(cx, -1.0, 4.0, 11.0, 4.0, 100, 0.05, True)
    0
    >>> int(cx.inside[: cx.size[2]].sum())
    2
    """
    x0, y0, x1, y1, crosses = _clip(cx, float(x0), float(y0), float(x1), float(y1))
    length = np.hypot(x1 - x0, y1 - y0)
    if not crosses or length < CLEARANCE:
        return COMPLEX_OK
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    cx.size[3] += 1
    stamp = cx.size[3]
    n = 1
    cx.stack[0] = find_cell(cx, x0, y0, cx.size[2] - 1)
    cx.mark[cx.stack[0]] = stamp
    while n > 0:
        n -= 1
        c = cx.stack[n]
        h = cx.first[c]
        a = cx.origin[h]
        da = dx * (cx.xy[a, 1] - y0) - dy * (cx.xy[a, 0] - x0)
        ta = dx * (cx.xy[a, 0] - x0) + dy * (cx.xy[a, 1] - y0)
        while True:
            ahead = cx.following[h]
            b = cx.origin[ahead]
            db = dx * (cx.xy[b, 1] - y0) - dy * (cx.xy[b, 0] - x0)
            tb = dx * (cx.xy[b, 0] - x0) + dy * (cx.xy[b, 1] - y0)
            other = cx.cell[h ^ 1]
            if other >= 0 and cx.mark[other] != stamp and _touches(da, db, ta, tb, length, eps):
                cx.mark[other] = stamp
                cx.stack[n] = other
                n += 1
            da, ta, h = db, tb, ahead
            if h == cx.first[c]:
                break
        if only_inside and not cx.inside[c]:
            continue
        if cut_cell(cx, c, x0, y0, dx, dy, length, tag, eps) != COMPLEX_OK:
            return COMPLEX_FULL
    return COMPLEX_OK
