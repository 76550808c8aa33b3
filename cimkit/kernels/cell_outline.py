"""Footprint as a path of edges in a complex of convex cells.

The footprint's edges are walked one by one, longest first, from vertex to vertex: the walk
takes an edge that leads the way, else it splits the cell ahead right across. So the outline is
a closed path of edges by construction; a cell is inside where an odd number of paths lies
between it and the box (Jordan curve; paths walked twice cancel out).

Tolerance: a footprint vertex within 1 mm of the line of its neighbours is left out; within 4 mm
of an older vertex it becomes that vertex, and within 4 mm of an edge it bends that edge. What
the outline lost or won by this is judged by its area.

Time: O(edges of the cells entered); 17 cells for a usual building.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import kernel
from cimkit.kernels.cell_complex import find_cell
from cimkit.kernels.cell_sight import CLEARANCE, crossing_of, is_clear, sees, starts_inside
from cimkit.kernels.douglas_peucker import thin_out_ring
from cimkit.kernels.half_edges import (
    COMPLEX_FULL,
    COMPLEX_OK,
    CellComplex,
    has_room,
    rounded,
    split_cell,
    split_edge,
    start_box,
    units,
)
from cimkit.tables._columns import FloatArray, WholeArray

OUTLINE_LOST = 2
"""The outline in the complex is not the footprint's: repair the footprint, start again."""

OUTLINE_EPS = 0.004
"""Metres. At 1 cm 28 of 3,326 footprints of Delft fall apart, at 4 mm none does."""

EXIT_SLACK = 0.1
"""Metres by which a new edge through a corner may miss its line where a cell is a sliver."""

OUTLINE_STRAIGHT = 0.001
"""Metres: vertices of the footprint nearer to the line of their neighbours are left out. Dense
arcs would else bend one edge again and again."""

BOX_MARGIN = 1.0
"""Metres around the footprint."""

AREA_SHARE, AREA_LEAST = 1e-3, 0.01
"""Share and square metres by which the area inside may differ from the footprint's."""


@kernel
def sector_towards(cx: CellComplex, v: int, dx: float, dy: float) -> int:
    """Half-edge leaving v whose cell, or itself, lies in a direction; -1 outside the box."""
    h = cx.leaving[v]
    start = h
    while True:
        if cx.cell[h] >= 0 and starts_inside(cx, h, cx.xy[v, 0] + dx, cx.xy[v, 1] + dy):
            return int(h)
        h = cx.previous[h] ^ 1
        if h == start:
            return -1


@kernel
def exit_of_ray(
    cx: CellComplex, c: int, px: float, py: float, hu: int, dx: float, dy: float, eps: float
) -> tuple[int, bool]:
    """Where a ray in a cell leaves it: (half-edge, whether at its origin); -1 for nowhere.

    The visible vertex nearest to the ray within eps, else the first crossing, else the visible
    vertex whose direction is nearest. The ray starts at the origin of `hu`, or inside (-1):
    then it is no part of the outline, and may end farther off.
    """
    slack = 2.0 * eps if hu >= 0 else EXIT_SLACK
    best, found = eps, -1
    crossed, first = -1, np.inf
    h = cx.first[c]
    a = cx.origin[h]
    da = dx * (cx.xy[a, 1] - py) - dy * (cx.xy[a, 0] - px)
    ta = dx * (cx.xy[a, 0] - px) + dy * (cx.xy[a, 1] - py)
    while True:
        ahead = cx.following[h]
        near = h != hu and ta > abs(da) and abs(da) <= best
        if near and _leads(cx, c, px, py, hu, h, CLEARANCE):
            best, found = abs(da), h
        a = cx.origin[ahead]
        db = dx * (cx.xy[a, 1] - py) - dy * (cx.xy[a, 0] - px)
        tb = dx * (cx.xy[a, 0] - px) + dy * (cx.xy[a, 1] - py)
        if da < 0.0 and db >= 0.0 and h != hu and ahead != hu:
            t = ta + (tb - ta) * da / (da - db)
            if 0.0 < t < first:
                crossed, first = h, t
        da, ta, h = db, tb, ahead
        if h == cx.first[c]:
            break
    if found >= 0:
        return int(found), True
    for clearance in (CLEARANCE, 0.0):
        if crossed >= 0:
            x, y = crossing_of(cx, crossed, px, py, dx, dy)
            if is_clear(cx, crossed, x, y, clearance) and sees(
                cx, c, px, py, hu, True, x, y, crossed, False, clearance
            ):
                return int(crossed), False
        best = 1.0
        while True:
            a = cx.origin[h]
            d = abs(dx * (cx.xy[a, 1] - py) - dy * (cx.xy[a, 0] - px))
            t = dx * (cx.xy[a, 0] - px) + dy * (cx.xy[a, 1] - py)
            near = h != hu and t > 0.0 and d < best * t and d <= slack
            if near and _leads(cx, c, px, py, hu, h, clearance):
                best, found = d / t, h
            h = cx.following[h]
            if h == cx.first[c]:
                break
        if found >= 0:
            return int(found), True
    return -1, True


@kernel
def _leads(
    cx: CellComplex, c: int, px: float, py: float, hu: int, h: int, clearance: float
) -> bool:
    """Whether a vertex can be reached from the start of a ray, by an edge or by sight."""
    if hu >= 0 and (cx.following[hu] == h or cx.following[h] == hu):
        return True
    a = cx.origin[h]
    return sees(cx, c, px, py, hu, True, cx.xy[a, 0], cx.xy[a, 1], h, True, clearance)


@kernel
def cross_cell(cx: CellComplex, hu: int, dx: float, dy: float, tag: int, eps: float) -> int:
    """Split a cell along the ray from a vertex of it; returns the half-edge along the ray.

    It is an older edge where the ray runs along one; -1 where there is nowhere to go.
    """
    u = cx.origin[hu]
    h, at_vertex = exit_of_ray(cx, cx.cell[hu], cx.xy[u, 0], cx.xy[u, 1], hu, dx, dy, eps)
    if h < 0:
        return -1
    if not at_vertex:
        x, y = crossing_of(cx, h, cx.xy[u, 0], cx.xy[u, 1], dx, dy)
        split_edge(cx, h, x, y)
        h = cx.following[h]
    if cx.following[hu] == h:
        return hu
    if cx.following[h] == hu:
        return int(h ^ 1)
    return split_cell(cx, hu, h, tag)


@kernel
def _nearest_edge(
    cx: CellComplex, h: int, dx: float, dy: float, reach: float, eps: float
) -> int:
    """Half-edge leaving the same vertex that leads the way within the tolerance, or -1."""
    v = cx.origin[h]
    start = h
    best, found = eps, -1
    while True:
        w = cx.origin[h ^ 1]
        x, y = cx.xy[w, 0] - cx.xy[v, 0], cx.xy[w, 1] - cx.xy[v, 1]
        d, t = abs(dx * y - dy * x), dx * x + dy * y
        if t > d and t < reach + eps and d <= best:
            best, found = d, h
        h = cx.previous[h] ^ 1
        if h == start:
            return int(found)


@kernel
def add_corner(
    cx: CellComplex, x: float, y: float, dx: float, dy: float, tag: int, start: int
) -> int:
    """Vertex of the complex at a place: an older one, on an edge, or on a new edge along d.

    Where neither an edge can be bent nor the cell be split, the nearest vertex must do, if it
    is not farther than three times the tolerance; -1 if it is.
    """
    c = find_cell(cx, x, y, start)
    best, found = 3.0 * OUTLINE_EPS, -1
    on_edge, edge = OUTLINE_EPS, -1
    h = cx.first[c]
    while True:
        a, b = cx.origin[h], cx.origin[h ^ 1]
        px, py = x - cx.xy[a, 0], y - cx.xy[a, 1]
        distance = np.hypot(px, py)
        if distance <= best:
            best, found = distance, a
        ux, uy = cx.xy[b, 0] - cx.xy[a, 0], cx.xy[b, 1] - cx.xy[a, 1]
        length = np.hypot(ux, uy)
        t = (px * ux + py * uy) / length
        off = abs(px * uy - py * ux) / length
        if 0.0 < t < length and off <= on_edge:
            on_edge, edge = off, h
        h = cx.following[h]
        if h == cx.first[c]:
            break
    if found >= 0 and best <= OUTLINE_EPS:
        return int(found)
    if edge >= 0:
        return split_edge(cx, edge, x, y) if is_clear(cx, edge, x, y, 0.0) else int(found)
    there, there_at = exit_of_ray(cx, c, x, y, -1, dx, dy, OUTLINE_EPS)
    back, back_at = exit_of_ray(cx, c, x, y, -1, -dx, -dy, OUTLINE_EPS)
    if there < 0 or back < 0 or there == back:
        return int(found)
    if not there_at:
        ex, ey = crossing_of(cx, there, x, y, dx, dy)
        split_edge(cx, there, ex, ey)
        there = cx.following[there]
    if not back_at:
        ex, ey = crossing_of(cx, back, x, y, dx, dy)
        split_edge(cx, back, ex, ey)
        back = cx.following[back]
    return split_edge(cx, split_cell(cx, back, there, tag), x, y)


@kernel
def _walk(cx: CellComplex, u: int, v: int, tag: int) -> int:
    """Make a path of edges from vertex to vertex and toggle `outline` along it."""
    for _ in range(4 * cx.size[2] + 64):
        if u == v:
            return COMPLEX_OK
        if not has_room(cx, 4):
            return COMPLEX_FULL
        dx, dy = cx.xy[v, 0] - cx.xy[u, 0], cx.xy[v, 1] - cx.xy[u, 1]
        length = np.hypot(dx, dy)
        dx, dy = dx / length, dy / length
        along = _nearest_edge(cx, cx.leaving[u], dx, dy, length, OUTLINE_EPS)
        if along < 0:
            h = sector_towards(cx, u, dx, dy)
            if h >= 0:
                along = cross_cell(cx, h, dx, dy, tag, OUTLINE_EPS)
            if along < 0:
                along = _nearest_edge(cx, cx.leaving[u], dx, dy, length, 3.0 * OUTLINE_EPS)
            if along < 0:
                return OUTLINE_LOST
        cx.outline[along] = not cx.outline[along]
        cx.outline[along ^ 1] = cx.outline[along]
        cx.line[along] = cx.line[along ^ 1] = tag
        u = cx.origin[along ^ 1]
    return OUTLINE_LOST


@kernel
def _fill(cx: CellComplex) -> None:
    """Set `inside` of all cells, from the box inwards."""
    cx.size[3] += 1
    stamp = cx.size[3]
    n = 0
    for h in range(cx.size[1]):
        c = cx.cell[h]
        if c >= 0 and cx.cell[h ^ 1] < 0 and cx.mark[c] != stamp:
            cx.mark[c] = stamp
            cx.inside[c] = cx.outline[h]
            cx.stack[n] = c
            n += 1
    while n > 0:
        n -= 1
        c = cx.stack[n]
        h = cx.first[c]
        while True:
            other = cx.cell[h ^ 1]
            if other >= 0 and cx.mark[other] != stamp:
                cx.mark[other] = stamp
                cx.inside[other] = cx.inside[c] != cx.outline[h]
                cx.stack[n] = other
                n += 1
            h = cx.following[h]
            if h == cx.first[c]:
                break


@kernel
def cell_area(cx: CellComplex, c: int) -> float:
    """Signed area of a cell in square metres, from whole numbers."""
    h = cx.first[c]
    a = cx.origin[h]
    x0, y0 = units(cx.xy[a, 0]), units(cx.xy[a, 1])
    twice = 0
    h = cx.following[h]
    b = cx.origin[h]
    bx, by = units(cx.xy[b, 0]) - x0, units(cx.xy[b, 1]) - y0
    while h != cx.first[c]:
        ax, ay = bx, by
        h = cx.following[h]
        b = cx.origin[h]
        bx, by = units(cx.xy[b, 0]) - x0, units(cx.xy[b, 1]) - y0
        twice += ax * by - ay * bx
    return float(twice) / 2e8


@kernel
def inside_area(cx: CellComplex) -> float:
    """Area of all cells inside, -1 if one of them has none or is turned over."""
    total = 0.0
    for c in range(cx.size[2]):
        if cx.inside[c]:
            area = cell_area(cx, c)
            if area <= 0.0:
                return -1.0
            total += area
    return total


@kernel
def _order_edges(
    xy: FloatArray, ring_offsets: WholeArray
) -> tuple[WholeArray, WholeArray, float]:
    """Edges between corners, longest first, by their start, their ends, and the area inside."""
    n = len(xy)
    keep = np.zeros(n, np.bool_)
    chain = np.empty(2 * n + 2, np.int64)
    area = 0.0
    for r in range(len(ring_offsets) - 1):
        first, last = ring_offsets[r], ring_offsets[r + 1]
        twice = 0
        x0, y0 = units(xy[first, 0]), units(xy[first, 1])
        ax, ay = units(xy[last - 1, 0]) - x0, units(xy[last - 1, 1]) - y0
        for i in range(first, last):
            bx, by = units(xy[i, 0]) - x0, units(xy[i, 1]) - y0
            twice += ax * by - ay * bx
            ax, ay = bx, by
            chain[i - first] = i
        area += abs(twice) / 2e8 if r == 0 else -abs(twice) / 2e8
        thin_out_ring(xy, chain, last - first, OUTLINE_STRAIGHT, keep)
    m = 0
    for i in range(n):
        m += keep[i]
    start, end = np.empty(m, np.int64), np.empty(n, np.int64)
    square = np.empty(m, np.int64)
    sum_x, sum_y = np.empty(m, np.int64), np.empty(m, np.int64)
    m = 0
    for r in range(len(ring_offsets) - 1):
        first, last = ring_offsets[r], ring_offsets[r + 1]
        j = first
        while not keep[j]:
            j += 1
        for i in range(last - 1, first - 1, -1):
            if not keep[i]:
                continue
            ax, ay, bx, by = units(xy[i, 0]), units(xy[i, 1]), units(xy[j, 0]), units(xy[j, 1])
            start[m], end[i] = i, j
            square[m] = -((bx - ax) ** 2 + (by - ay) ** 2)
            sum_x[m], sum_y[m] = ax + bx, ay + by
            m += 1
            j = i
    order = np.argsort(sum_y, kind="mergesort")
    order = order[np.argsort(sum_x[order], kind="mergesort")]
    order = order[np.argsort(square[order], kind="mergesort")]
    return start[order], end, area


@kernel
def start_complex(cx: CellComplex, ring_xy: FloatArray, ring_offsets: WholeArray) -> int:
    """Make the box of a footprint, its edges and its inside.

    Parameters
    ----------
    cx : CellComplex
        Emptied first.
    ring_xy : float64 array, shape (n, 2)
        Open rings in local metres, multiples of 1 mm; their direction does not matter.
    ring_offsets : int64 array, shape (n_rings + 1,)
        Borders of the rings; the first is the outline, the others are holes.

    Returns
    -------
    int
        COMPLEX_OK, COMPLEX_FULL, or OUTLINE_LOST where the inside has not the footprint's area
        (to 0.1 % + 0.01 m²).

    Examples
    --------
    >>> from cimkit.kernels.half_edges import new_complex
    >>> cx = new_complex(100)
    >>> square = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 8.0], [0.0, 8.0]])
    >>> start_complex(cx, square, np.array([0, 4]))
    0
    >>> inside_area(cx)
    80.0
    >>> start_complex(cx, square[[0, 2, 1, 3]], np.array([0, 4]))  # a bow tie
    2
    """
    low_x, low_y, high_x, high_y = np.inf, np.inf, -np.inf, -np.inf
    for i in range(len(ring_xy)):
        low_x, high_x = min(low_x, ring_xy[i, 0]), max(high_x, ring_xy[i, 0])
        low_y, high_y = min(low_y, ring_xy[i, 1]), max(high_y, ring_xy[i, 1])
    m = BOX_MARGIN
    start_box(cx, low_x - m, low_y - m, high_x + m, high_y + m)
    order, end, area = _order_edges(ring_xy, ring_offsets)
    vertex = np.full(len(ring_xy), -1, np.int64)
    for i in order:
        j = end[i]
        dx, dy = ring_xy[j, 0] - ring_xy[i, 0], ring_xy[j, 1] - ring_xy[i, 1]
        length = np.hypot(dx, dy)
        if not has_room(cx, 8):
            return COMPLEX_FULL
        if length > 0.0:
            dx, dy = dx / length, dy / length
        else:
            dx = 1.0
        # The lower end first: then the direction of the ring does not matter.
        for k in (0, 1):
            at = (
                i
                if (k == 0) == ((ring_xy[i, 0], ring_xy[i, 1]) < (ring_xy[j, 0], ring_xy[j, 1]))
                else j
            )
            if vertex[at] < 0:
                x, y = rounded(ring_xy[at, 0]), rounded(ring_xy[at, 1])
                vertex[at] = add_corner(cx, x, y, dx, dy, i, cx.size[2] - 1)
                if vertex[at] < 0:
                    return OUTLINE_LOST
        u, v = vertex[i], vertex[j]
        if (ring_xy[i, 0], ring_xy[i, 1]) >= (ring_xy[j, 0], ring_xy[j, 1]):
            u, v = v, u
        status = _walk(cx, u, v, i)
        if status != COMPLEX_OK:
            return status
    _fill(cx)
    found = inside_area(cx)
    if abs(found - area) > AREA_SHARE * area + AREA_LEAST:
        return OUTLINE_LOST
    return COMPLEX_OK
