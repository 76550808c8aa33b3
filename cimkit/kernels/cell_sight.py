"""What can be seen in a cell: where a vertex may stand, where an edge may run.

Cells are convex but for the rounding of vertices and the corners of footprints that bend an
edge, so nothing is taken for granted: a new vertex keeps clear of the other edges of its two
cells, a new edge of the other vertices of its cell. Cells stay simple, which whole numbers
decide exactly.

Tolerance: 0.3 mm of clearance, or exactly none.

Time: O(edges of the cells).
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.half_edges import CellComplex, rounded, units

CLEARANCE = 3e-4
"""Metres that a new vertex keeps from the other edges of its cells: several times the rounding,
so that no cell turns over by it."""


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
        # The tuple (hp, hq) of two widths of integers would not compile.
        is_end |= (h == hp) | (h == hq) | (p_at and ahead == hp) | (q_at and ahead == hq)
        if not is_end and segments_meet(ax, ay, bx, by, ipx, ipy, iqx, iqy):
            return False
        ax, ay, a, h = bx, by, b, ahead
        if h == cx.first[c]:
            return True
