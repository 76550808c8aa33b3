"""Convex cells of a plane as a half-edge complex, cut by segments.

A box is cut by segments; a segment splits every cell that it enters right across that cell, and no
farther. Cells stay convex, each edge lies between exactly two cells, and T-junctions cannot arise
because a new vertex is put on the edge, not on the cell (the polygonal form of Bauchet & Lafarge
2020, "Kinetic shape reconstruction", and of the doubly connected edge list of de Berg et al. 2008,
"Computational Geometry", 2.2). The twin of half-edge h is h ^ 1.

Tolerance: coordinates are rounded to 0.1 mm when a vertex is made, before any decision rests on
them, so cells may be off convex by 0.1 mm (by `eps` beside footprint corners). A vertex within
`eps` of a line lies on it.

Time: a segment costs the edges of the cells that it touches; the first of them is found by a walk.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.tables._columns import BoolArray, FloatArray, IntArray

COMPLEX_OK, COMPLEX_FULL = 0, 1
"""Whether all vertices found room; where not, start again with a larger complex."""

UNITS = 10_000.0
"""Coordinates are whole multiples of 1 / UNITS metres."""

CLEARANCE = 3e-4
"""A new vertex keeps this distance, metres, from the other edges of its cells: several times the
rounding, so that no cell turns over by it."""

COVER_LENGTH, COVER_SHARE = 0.1, 0.5
"""A segment cuts a cell where it covers this length (metres) or this share of the chord."""


class CellComplex(NamedTuple):
    """Cells, edges and vertices; only the first `size` entries of each array count.

    Parameters
    ----------
    xy : float64 array, shape (n_vertices, 2)
        Local metres, multiples of 0.1 mm.
    leaving : int32 array, shape (n_vertices,)
        A half-edge that starts at the vertex.
    origin : int32 array, shape (n_half_edges,)
        Vertex at the start of the half-edge.
    following, previous : int32 array, shape (n_half_edges,)
        Next and last half-edge of the same cell, counter-clockwise.
    cell : int32 array, shape (n_half_edges,)
        Cell at the left, -1 outside the box.
    line : int32 array, shape (n_half_edges,)
        Tag of the line that made the edge: the footprint's edges are 0 to n - 1, -1 is the box.
    outline : bool array, shape (n_half_edges,)
        Whether the edge lies between the inside and the outside of the footprint.
    first : int32 array, shape (n_cells,)
        A half-edge of the cell.
    inside, thin : bool array, shape (n_cells,)
        Inside the footprint; thinner than asked of `flag_thin_cells`.
    mark, stack : int32 array, shape (n_cells,)
        Scratch of the walks.
    size : int64 array, shape (4,)
        Vertices, half-edges, cells in use, and a running number of walks.
    """

    xy: FloatArray
    leaving: IntArray
    origin: IntArray
    following: IntArray
    previous: IntArray
    cell: IntArray
    line: IntArray
    outline: BoolArray
    first: IntArray
    inside: BoolArray
    thin: BoolArray
    mark: IntArray
    stack: IntArray
    size: IntArray


@kernel
def new_complex(capacity: int) -> CellComplex:
    """Room for `capacity` vertices; a planar graph has at most 3 edges and 2 cells for each."""
    return CellComplex(
        np.empty((capacity, 2), np.float64),
        np.empty(capacity, np.int32),
        np.empty(6 * capacity, np.int32),
        np.empty(6 * capacity, np.int32),
        np.empty(6 * capacity, np.int32),
        np.empty(6 * capacity, np.int32),
        np.empty(6 * capacity, np.int32),
        np.zeros(6 * capacity, np.bool_),
        np.empty(2 * capacity, np.int32),
        np.zeros(2 * capacity, np.bool_),
        np.zeros(2 * capacity, np.bool_),
        np.zeros(2 * capacity, np.int32),
        np.empty(2 * capacity, np.int32),
        np.zeros(4, np.int64),
    )


@helper
def rounded(value: float) -> float:
    """Nearest multiple of 0.1 mm."""
    return float(np.rint(value * UNITS) / UNITS)


@helper
def units(value: float) -> int:
    """Whole 0.1 mm."""
    return np.int64(np.rint(value * UNITS))


@helper
def has_room(cx: CellComplex, vertices: int) -> bool:
    """Whether that many vertices, with an edge and a cell each, can still be made."""
    return bool(
        cx.size[0] + vertices <= len(cx.xy)
        and cx.size[1] + 4 * vertices + 2 <= len(cx.origin)
        and cx.size[2] + vertices + 1 <= len(cx.first)
    )


@kernel
def start_box(cx: CellComplex, x0: float, y0: float, x1: float, y1: float) -> None:
    """Empty the complex and make a box its only cell."""
    x = (x0, x1, x1, x0)
    y = (y0, y0, y1, y1)
    for k in range(4):
        cx.xy[k, 0], cx.xy[k, 1] = rounded(x[k]), rounded(y[k])
        h = 2 * k
        cx.leaving[k] = h
        cx.origin[h], cx.origin[h + 1] = k, (k + 1) % 4
        cx.following[h], cx.previous[h] = 2 * ((k + 1) % 4), 2 * ((k + 3) % 4)
        cx.following[h + 1], cx.previous[h + 1] = 2 * ((k + 3) % 4) + 1, 2 * ((k + 1) % 4) + 1
        cx.cell[h], cx.cell[h + 1] = 0, -1
        cx.line[h] = cx.line[h + 1] = -1
        cx.outline[h] = cx.outline[h + 1] = False
    cx.first[0] = 0
    cx.inside[0] = False
    cx.thin[0] = False
    cx.mark[0] = 0
    cx.size[0], cx.size[1], cx.size[2], cx.size[3] = 4, 8, 1, 0


@kernel
def split_edge(cx: CellComplex, h: int, x: float, y: float) -> int:
    """Put a vertex on an edge: h ends there, the following half-edge starts there."""
    m = cx.size[0]
    cx.size[0] += 1
    cx.xy[m, 0], cx.xy[m, 1] = x, y
    g = h ^ 1
    h2 = cx.size[1]
    g2 = h2 + 1
    cx.size[1] += 2
    b = cx.origin[g]
    cx.origin[h2], cx.origin[g2], cx.origin[g] = m, b, m
    ahead, behind = cx.following[h], cx.previous[g]
    if ahead == g:  # never in a complex of cells, but a loose end would be harmless
        ahead, behind = g2, h2
    cx.following[h], cx.previous[h2] = h2, h
    cx.following[h2], cx.previous[ahead] = ahead, h2
    cx.previous[g], cx.following[g2] = g2, g
    cx.previous[g2], cx.following[behind] = behind, g2
    cx.cell[h2], cx.cell[g2] = cx.cell[h], cx.cell[g]
    cx.line[h2] = cx.line[g2] = cx.line[h]
    cx.outline[h2] = cx.outline[g2] = cx.outline[h]
    cx.leaving[m], cx.leaving[b] = h2, g2
    return int(m)


@kernel
def split_cell(cx: CellComplex, hu: int, hv: int, tag: int) -> int:
    """Join the origins of two half-edges of a cell; the part at the right of u to v is new.

    Returns the new half-edge from u to v, whose twin lies in the new cell.
    """
    n = cx.size[1]
    t = n + 1
    cx.size[1] += 2
    c = cx.cell[hu]
    new = cx.size[2]
    cx.size[2] += 1
    pu, pv = cx.previous[hu], cx.previous[hv]
    cx.origin[n], cx.origin[t] = cx.origin[hu], cx.origin[hv]
    cx.following[pu], cx.previous[n] = n, pu
    cx.following[n], cx.previous[hv] = hv, n
    cx.following[pv], cx.previous[t] = t, pv
    cx.following[t], cx.previous[hu] = hu, t
    cx.line[n] = cx.line[t] = tag
    cx.outline[n] = cx.outline[t] = False
    cx.cell[n] = c
    cx.first[c], cx.first[new] = n, t
    cx.inside[new], cx.thin[new], cx.mark[new] = cx.inside[c], cx.thin[c], cx.mark[c]
    cx.cell[t] = new
    h = hu
    while h != t:
        cx.cell[h] = new
        h = cx.following[h]
    return int(n)


@helper
def distance_to_segment(
    px: float, py: float, ax: float, ay: float, bx: float, by: float
) -> float:
    """Distance of a point from a segment."""
    ux, uy = bx - ax, by - ay
    square = ux * ux + uy * uy
    t = 0.0
    if square > 0.0:
        t = min(1.0, max(0.0, ((px - ax) * ux + (py - ay) * uy) / square))
    return float(np.hypot(px - ax - t * ux, py - ay - t * uy))


@kernel
def crossing_of(
    cx: CellComplex, h: int, px: float, py: float, dx: float, dy: float
) -> tuple[float, float]:
    """Where a line crosses an edge, rounded."""
    a, b = cx.origin[h], cx.origin[cx.following[h]]
    ax, ay, bx, by = cx.xy[a, 0], cx.xy[a, 1], cx.xy[b, 0], cx.xy[b, 1]
    da = dx * (ay - py) - dy * (ax - px)
    db = dx * (by - py) - dy * (bx - px)
    t = da / (da - db)
    return rounded(ax + t * (bx - ax)), rounded(ay + t * (by - ay))


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


@helper
def turn(ax: int, ay: int, bx: int, by: int, px: int, py: int) -> int:
    """Sign of the triangle a, b, p of whole numbers."""
    twice = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
    return 1 if twice > 0 else (-1 if twice < 0 else 0)


@helper
def segments_meet(
    ax: int, ay: int, bx: int, by: int, px: int, py: int, qx: int, qy: int
) -> bool:
    """Whether two closed segments of whole numbers have a point in common."""
    if (
        max(ax, bx) < min(px, qx)
        or max(px, qx) < min(ax, bx)
        or max(ay, by) < min(py, qy)
        or max(py, qy) < min(ay, by)
    ):
        return False
    return (
        turn(ax, ay, bx, by, px, py) * turn(ax, ay, bx, by, qx, qy) <= 0
        and turn(px, py, qx, qy, ax, ay) * turn(px, py, qx, qy, bx, by) <= 0
    )


@kernel
def is_clear(cx: CellComplex, h: int, x: float, y: float, clearance: float) -> bool:
    """Whether a vertex put on an edge keeps its distance from the other edges of both cells.

    With a clearance of 0 the question is, exactly, whether both cells stay simple.
    """
    for side in range(2):
        start = h ^ side
        if cx.cell[start] < 0:
            continue
        if clearance <= 0.0:
            if not _stays_simple(cx, start, x, y):
                return False
            continue
        e = cx.following[start]
        a = cx.origin[e]
        while e != start:
            e = cx.following[e]
            b = cx.origin[e]
            if (
                distance_to_segment(x, y, cx.xy[a, 0], cx.xy[a, 1], cx.xy[b, 0], cx.xy[b, 1])
                < clearance
            ):
                return False
            a = b
    return True


@kernel
def _stays_simple(cx: CellComplex, h: int, x: float, y: float) -> bool:
    """Whether a cell stays simple when a vertex at a place bends one of its edges."""
    mx, my = units(x), units(y)
    u, v = cx.origin[h], cx.origin[cx.following[h]]
    ux, uy = units(cx.xy[u, 0]), units(cx.xy[u, 1])
    vx, vy = units(cx.xy[v, 0]), units(cx.xy[v, 1])
    if (mx == ux and my == uy) or (mx == vx and my == vy):
        return False
    side = turn(ux, uy, vx, vy, mx, my)
    e = cx.following[h]
    ax, ay = vx, vy
    while e != h:
        from_v = e == cx.following[h]
        e = cx.following[e]
        b = cx.origin[e]
        bx, by = units(cx.xy[b, 0]), units(cx.xy[b, 1])
        if e == h:  # ends at u: only u itself may be common
            if segments_meet(ax, ay, bx, by, mx, my, mx, my):
                return False
        elif (
            segments_meet(bx, by, bx, by, ux, uy, mx, my)
            or segments_meet(bx, by, bx, by, mx, my, vx, vy)
            or (
                side != 0
                and turn(ux, uy, vx, vy, bx, by) == side
                and turn(vx, vy, mx, my, bx, by) == side
                and turn(mx, my, ux, uy, bx, by) == side
            )
        ):
            return False
        if from_v:
            if segments_meet(ax, ay, bx, by, mx, my, mx, my):
                return False
        elif e != h and (
            segments_meet(ax, ay, bx, by, ux, uy, mx, my)
            or segments_meet(ax, ay, bx, by, mx, my, vx, vy)
        ):
            return False
        if from_v and e != h and segments_meet(ax, ay, bx, by, ux, uy, mx, my):
            return False
        if e == h and not from_v and segments_meet(ax, ay, bx, by, mx, my, vx, vy):
            return False
        ax, ay = bx, by
    return True


@helper
def angle_holds(xx: float, xy: float, yx: float, yy: float, tx: float, ty: float) -> bool:
    """Whether direction t lies in the sector from direction x counter-clockwise to y."""
    if xx * yy - xy * yx > 0.0:
        return bool(xx * ty - xy * tx >= 0.0 and tx * yy - ty * yx > 0.0)
    return bool(xx * ty - xy * tx >= 0.0 or tx * yy - ty * yx > 0.0)


@kernel
def starts_inside(cx: CellComplex, h: int, x: float, y: float) -> bool:
    """Whether a segment from the origin of a half-edge to a place starts into its cell."""
    v, a, b = cx.origin[h], cx.origin[h ^ 1], cx.origin[cx.previous[h]]
    vx, vy = cx.xy[v, 0], cx.xy[v, 1]
    return angle_holds(
        cx.xy[a, 0] - vx, cx.xy[a, 1] - vy, cx.xy[b, 0] - vx, cx.xy[b, 1] - vy, x - vx, y - vy
    )


@kernel
def sees(
    cx: CellComplex,
    c: int,
    px: float,
    py: float,
    hp: int,
    p_at: bool,
    qx: float,
    qy: float,
    hq: int,
    q_at: bool,
    clearance: float,
) -> bool:
    """Whether a segment stays in its cell, clear of all vertices but its ends.

    An end is the origin of a half-edge (`at`), a place on it, or free (half-edge -1).
    """
    ipx, ipy, iqx, iqy = units(px), units(py), units(qx), units(qy)
    if hp >= 0 and p_at and not starts_inside(cx, hp, qx, qy):
        return False
    h = cx.first[c]
    a = cx.origin[h]
    ax, ay = units(cx.xy[a, 0]), units(cx.xy[a, 1])
    while True:
        ahead = cx.following[h]
        b = cx.origin[ahead]
        bx, by = units(cx.xy[b, 0]), units(cx.xy[b, 1])
        is_end = (p_at and h == hp) or (q_at and h == hq)
        if (
            not is_end
            and distance_to_segment(cx.xy[a, 0], cx.xy[a, 1], px, py, qx, qy) < clearance
        ):
            return False
        is_end = (
            is_end or h == hp or h == hq or (p_at and ahead == hp) or (q_at and ahead == hq)
        )
        if not is_end and segments_meet(ax, ay, bx, by, ipx, ipy, iqx, iqy):
            return False
        ax, ay, a, h = bx, by, b, ahead
        if h == cx.first[c]:
            return True


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
    """Cell whose border a ray from the point crosses an odd number of times, else the nearest."""
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

    A cell is left whole where the segment covers less than 0.1 m and less than half of the chord,
    where the line would pass within `eps` of all vertices of one side, and where a new vertex
    would come within 0.3 mm of another edge.

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
        if cx.inside[c] or not only_inside:
            if cut_cell(cx, c, x0, y0, dx, dy, length, tag, eps) != COMPLEX_OK:
                return COMPLEX_FULL
    return COMPLEX_OK
