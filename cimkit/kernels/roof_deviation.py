"""How far a simpler solid of a building stands from a better one: a bound on their distance.

Both solids stand on one outline, and differ in their roofs (and perhaps in their bottoms).
Every pair of triangles that look the same way, up or down, is clipped against each other in
plan (Sutherland and Hodgman 1974); over the common polygon the vertical distance of two planes
is linear, so its maximum lies at a corner: the maximum over all pairs is exact. It bounds the
Hausdorff distance of the two surfaces, for a wall reaches as high as the roofs beside it, in
both solids. Where the outlines differ, the largest distance between them is added: an edge lies
no farther from the other outline than the farther of its ends from any one edge of that
(distance to a convex set is convex), so the least such number over all edges is a bound.

Most simpler solids are blocks over the very outline of the better one: then the corners of its
roof and bottom tell. Else O(n m) for n and m triangles; most pairs only meet a test of boxes.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.tables._columns import FloatArray, IntArray

STEEP = 0.01
"""A triangle whose normal is less vertical than this (0.6 degrees from upright) is a wall."""

AREA_MIN = 1e-9
"""Square metres. Common parts below are the noise of edges that touch."""

SHARE = 1e-3
"""Outlines are the same where the roofs share all but this part of both their areas."""

SAME_M = 1e-3
"""Metres. Corners of two solids that agree to this in plan are one corner of the outline."""

CORNERS = 9
"""Of a triangle that is clipped by a triangle there are six at most."""


@helper
def _facing(v: FloatArray, a: int, b: int, c: int) -> float:
    """Twice the area in plan, signed: above 0 looks up, below looks down, 0 for walls."""
    x, y, z = v[b, 0] - v[a, 0], v[b, 1] - v[a, 1], v[b, 2] - v[a, 2]
    s, t, w = v[c, 0] - v[a, 0], v[c, 1] - v[a, 1], v[c, 2] - v[a, 2]
    nx, ny, nz = y * w - z * t, z * s - x * w, x * t - y * s
    if abs(nz) <= STEEP * np.sqrt(nx * nx + ny * ny + nz * nz):
        return 0.0
    return float(nz)


@helper
def _height(v: FloatArray, t: IntArray, nz: float, x: float, y: float) -> float:
    """Height of the plane of a triangle at a place."""
    a, b, c = t[0], t[1], t[2]
    p = (v[b, 0] - x) * (v[c, 1] - y) - (v[b, 1] - y) * (v[c, 0] - x)
    q = (v[c, 0] - x) * (v[a, 1] - y) - (v[c, 1] - y) * (v[a, 0] - x)
    r = (v[a, 0] - x) * (v[b, 1] - y) - (v[a, 1] - y) * (v[b, 0] - x)
    return float((p * v[a, 2] + q * v[b, 2] + r * v[c, 2]) / nz)


@helper
def _clip(
    v: FloatArray, t: IntArray, w: FloatArray, u: IntArray, up: float, work: FloatArray
) -> int:
    """Corners in plan of what two triangles share, in `work[0]`; how many there are."""
    n = 3
    for k in range(3):
        work[0, k, 0], work[0, k, 1] = v[t[k], 0], v[t[k], 1]
    for k in range(3):
        a, b = u[k], u[(k + 1) % 3]
        dx, dy = up * (w[b, 0] - w[a, 0]), up * (w[b, 1] - w[a, 1])
        m = 0
        for i in range(n):
            j = (i + 1) % n
            here = dx * (work[0, i, 1] - w[a, 1]) - dy * (work[0, i, 0] - w[a, 0])
            then = dx * (work[0, j, 1] - w[a, 1]) - dy * (work[0, j, 0] - w[a, 0])
            if here >= 0.0:
                work[1, m, 0], work[1, m, 1] = work[0, i, 0], work[0, i, 1]
                m += 1
            if (here > 0.0 > then) or (here < 0.0 < then):
                s = here / (here - then)
                work[1, m, 0] = work[0, i, 0] + s * (work[0, j, 0] - work[0, i, 0])
                work[1, m, 1] = work[0, i, 1] + s * (work[0, j, 1] - work[0, i, 1])
                m += 1
        n = m
        for i in range(n):
            work[0, i, 0], work[0, i, 1] = work[1, i, 0], work[1, i, 1]
        if n < 3:
            return 0
    return n


@helper
def _area(work: FloatArray, n: int) -> float:
    """Area of the polygon in `work[0]`."""
    total = 0.0
    for i in range(1, n - 1):
        x, y = work[0, i, 0] - work[0, 0, 0], work[0, i, 1] - work[0, 0, 1]
        s, t = work[0, i + 1, 0] - work[0, 0, 0], work[0, i + 1, 1] - work[0, 0, 1]
        total += x * t - y * s
    return abs(total) / 2.0


@helper
def _outline(v: FloatArray, triangle: IntArray, facing: FloatArray, up: float) -> FloatArray:
    """Edges in plan around all triangles that look one way, shape (n, 4)."""
    n = len(triangle)
    edges = np.empty((3 * n, 4))
    m = 0
    for i in range(n):
        if facing[i] * up <= 0.0:
            continue
        for k in range(3):
            a, b = triangle[i, k], triangle[i, (k + 1) % 3]
            alone = True
            for j in range(n):
                if facing[j] * up <= 0.0:
                    continue
                for e in range(3):
                    c, d = triangle[j, e], triangle[j, (e + 1) % 3]
                    there = v[a, 0] == v[d, 0] and v[a, 1] == v[d, 1]
                    back = v[b, 0] == v[c, 0] and v[b, 1] == v[c, 1]
                    alone = alone and not (there and back)
            if alone:
                edges[m, 0], edges[m, 1] = v[a, 0], v[a, 1]
                edges[m, 2], edges[m, 3] = v[b, 0], v[b, 1]
                m += 1
    return edges[:m]


@helper
def _to_edge(x: float, y: float, edge: FloatArray) -> float:
    """Square of the distance of a place to an edge."""
    dx, dy = edge[2] - edge[0], edge[3] - edge[1]
    length = dx * dx + dy * dy
    s = 0.0
    if length > 0.0:
        s = min(1.0, max(0.0, ((x - edge[0]) * dx + (y - edge[1]) * dy) / length))
    away_x, away_y = x - edge[0] - s * dx, y - edge[1] - s * dy
    return float(away_x * away_x + away_y * away_y)


@helper
def _apart(first: FloatArray, second: FloatArray) -> float:
    """How far an edge of the first outline lies from the second, at most."""
    worst = 0.0
    for i in range(len(first)):
        least = np.inf
        for j in range(len(second)):
            a = _to_edge(first[i, 0], first[i, 1], second[j])
            b = _to_edge(first[i, 2], first[i, 3], second[j])
            least = min(least, max(a, b))
        worst = max(worst, least)
    return float(np.sqrt(worst))


@kernel
def roof_deviations(
    vertex: FloatArray, triangle: IntArray, starts: IntArray, first: IntArray, second: IntArray
) -> FloatArray:
    """Bound the distance of pairs of solids.

    Parameters
    ----------
    vertex : float64 array, shape (n_vertices, 3)
        Metres; may lie far from the origin.
    triangle : int64 array, shape (n_triangles, 3)
        Rows of `vertex`, solid by solid, counter-clockwise seen from outside.
    starts : int64 array, shape (n_solids + 1,)
        Borders of the solids in `triangle`.
    first, second : int64 arrays, shape (n,)
        The two solids of each pair.

    Returns
    -------
    float64 array, shape (n,)
        Metres; infinite where one of the two shares nothing with the other.
    """
    result = np.zeros(len(first))
    work = np.empty((2, CORNERS, 2))
    for pair in range(len(first)):
        one = triangle[starts[first[pair]] : starts[first[pair] + 1]]
        other = triangle[starts[second[pair]] : starts[second[pair] + 1]]
        if not len(one) or not len(other):
            result[pair] = np.inf
            continue
        origin = vertex[one[0, 0]].copy()
        v, t = _near(vertex, one, origin)
        w, u = _near(vertex, other, origin)
        facing_t, facing_u = np.empty(len(t)), np.empty(len(u))
        area_t = area_u = common = worst = 0.0
        for i in range(len(t)):
            facing_t[i] = _facing(v, t[i, 0], t[i, 1], t[i, 2])
            area_t += max(0.0, facing_t[i]) / 2.0
        for j in range(len(u)):
            facing_u[j] = _facing(w, u[j, 0], u[j, 1], u[j, 2])
            area_u += max(0.0, facing_u[j]) / 2.0
        same = min(area_t, area_u) > (1.0 - SHARE) * max(area_t, area_u)
        if same and _is_block(v, t, facing_t) and _stand_alike(v, t, facing_t, w, u):
            result[pair] = _from_block(v, t, facing_t, w, u, facing_u)
            continue
        box = np.empty((len(u), 4))
        for j in range(len(u)):
            a, b, c = u[j, 0], u[j, 1], u[j, 2]
            box[j, 0] = min(w[a, 0], w[b, 0], w[c, 0])
            box[j, 1] = min(w[a, 1], w[b, 1], w[c, 1])
            box[j, 2] = max(w[a, 0], w[b, 0], w[c, 0])
            box[j, 3] = max(w[a, 1], w[b, 1], w[c, 1])
        for i in range(len(t)):
            if facing_t[i] == 0.0:
                continue
            a, b, c = t[i, 0], t[i, 1], t[i, 2]
            low_x, high_x = min(v[a, 0], v[b, 0], v[c, 0]), max(v[a, 0], v[b, 0], v[c, 0])
            low_y, high_y = min(v[a, 1], v[b, 1], v[c, 1]), max(v[a, 1], v[b, 1], v[c, 1])
            for j in range(len(u)):
                if facing_t[i] * facing_u[j] <= 0.0:
                    continue
                if box[j, 0] >= high_x or box[j, 2] <= low_x:
                    continue
                if box[j, 1] >= high_y or box[j, 3] <= low_y:
                    continue
                up = 1.0 if facing_t[i] > 0.0 else -1.0
                n = _clip(v, t[i], w, u[j], up, work)
                area = _area(work, n)
                if area <= AREA_MIN:
                    continue
                if up > 0.0:
                    common += area
                for k in range(n):
                    x, y = work[0, k, 0], work[0, k, 1]
                    z = _height(v, t[i], facing_t[i], x, y)
                    worst = max(worst, abs(z - _height(w, u[j], facing_u[j], x, y)))
        if common <= 0.0:
            result[pair] = np.inf
            continue
        if common < (1.0 - SHARE) * max(area_t, area_u):
            outlines = _outline(v, t, facing_t, 1.0), _outline(w, u, facing_u, 1.0)
            worst += max(_apart(outlines[0], outlines[1]), _apart(outlines[1], outlines[0]))
        result[pair] = worst
    return result


@helper
def _is_block(v: FloatArray, t: IntArray, facing: FloatArray) -> bool:
    """Whether all that looks up lies at one height, and all that looks down."""
    up = down = np.nan
    for i in range(len(t)):
        if facing[i] == 0.0:
            continue
        for k in range(3):
            z = v[t[i, k], 2]
            if facing[i] > 0.0:
                up = z if np.isnan(up) else up
            else:
                down = z if np.isnan(down) else down
            if z != (up if facing[i] > 0.0 else down):
                return False
    return True


@helper
def _stand_alike(
    v: FloatArray, t: IntArray, facing: FloatArray, w: FloatArray, u: IntArray
) -> bool:
    """Whether every corner of what looks up stands in plan where the other has one."""
    for i in range(len(t)):
        if facing[i] <= 0.0:
            continue
        for k in range(3):
            x, y = v[t[i, k], 0], v[t[i, k], 1]
            found = False
            for j in range(len(u)):
                for e in range(3):
                    dx, dy = w[u[j, e], 0] - x, w[u[j, e], 1] - y
                    found = found or (abs(dx) <= SAME_M and abs(dy) <= SAME_M)
            if not found:
                return False
    return True


@helper
def _from_block(
    v: FloatArray,
    t: IntArray,
    facing_t: FloatArray,
    w: FloatArray,
    u: IntArray,
    facing_u: FloatArray,
) -> float:
    """Farthest that a solid over the same outline is from a block: at one of its corners."""
    up = down = np.nan
    for i in range(len(t)):
        if facing_t[i] > 0.0:
            up = v[t[i, 0], 2]
        elif facing_t[i] < 0.0:
            down = v[t[i, 0], 2]
    worst = 0.0
    for j in range(len(u)):
        if facing_u[j] == 0.0:
            continue
        level = up if facing_u[j] > 0.0 else down
        if np.isnan(level):
            return np.inf
        for k in range(3):
            worst = max(worst, abs(w[u[j, k], 2] - level))
    return worst


@helper
def _near(
    vertex: FloatArray, triangle: IntArray, origin: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Corners of some triangles relative to an origin, and the triangles over these."""
    corners = np.empty((3 * len(triangle), 3))
    rows = np.empty((len(triangle), 3), dtype=np.int64)
    for i in range(len(triangle)):
        for k in range(3):
            rows[i, k] = 3 * i + k
            for axis in range(3):
                corners[3 * i + k, axis] = vertex[triangle[i, k], axis] - origin[axis]
    return corners, rows
