"""Constrained Delaunay triangles of simple rings without holes.

Ears are cut off a ring that turns counter-clockwise (an ear is a convex corner whose triangle
holds no other corner), then edges between two triangles are turned until each is locally
Delaunay (Lawson 1977), which for a fixed outline gives the constrained Delaunay triangulation.
Sides are exact (`orientation`). Where the sign of the in-circle determinant is within its
rounding error, as in every rectangle, the pair of triangles whose least height is greater is
taken; so points on one line make no slivers where there is a way round them. O(n^2) for a ring
of n corners.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.orientation import orientation
from cimkit.tables._columns import FloatArray, IntArray

INCIRCLE_FILTER = 2e-15
"""Relative error bound of the in-circle determinant; Shewchuk's iccerrboundA is 1.1e-15."""

BETTER = 1.0 + 1e-9
"""A least height must grow by more than this, so that no pair is turned to and fro."""

ROUNDS = 4
"""Rounds over all edges, a corner: Lawson's method needs n at most, in practice below 10."""


@helper
def _turn(uv: FloatArray, a: int, b: int, c: int) -> int:
    return orientation(uv[a, 0], uv[a, 1], uv[b, 0], uv[b, 1], uv[c, 0], uv[c, 1])


@helper
def _is_ear(uv: FloatArray, before: IntArray, after: IntArray, i: int) -> bool:
    """Whether no corner of the rest lies in the triangle of a convex corner."""
    a, c = before[i], after[i]
    low_u = min(uv[a, 0], uv[i, 0], uv[c, 0])
    high_u = max(uv[a, 0], uv[i, 0], uv[c, 0])
    low_v = min(uv[a, 1], uv[i, 1], uv[c, 1])
    high_v = max(uv[a, 1], uv[i, 1], uv[c, 1])
    p = after[c]
    while p != a:
        if low_u <= uv[p, 0] <= high_u and low_v <= uv[p, 1] <= high_v:
            inside = _turn(uv, a, i, p) >= 0 and _turn(uv, i, c, p) >= 0
            if inside and _turn(uv, c, a, p) >= 0:
                return False
        p = after[p]
    return True


@helper
def _link(beside: IntArray, t: int, k: int, other: int) -> None:
    """Lay edge k of triangle t to another edge, 3 * triangle + k, or to none, -1."""
    beside[t, k] = other
    if other >= 0:
        beside[other // 3, other % 3] = 3 * t + k


@helper
def cut_ears(uv: FloatArray, triangle: IntArray, beside: IntArray) -> bool:
    """Fill the triangles of a ring and their neighbours; whether ears were found to the end."""
    n = len(uv)
    before, after = np.arange(-1, n - 1), np.arange(1, n + 1)
    before[0], after[n - 1] = n - 1, 0
    owner = np.full(n, -1, dtype=np.int64)  # of the edge from a corner to the next one
    i, left, tried, flat, t = 0, n, 0, False, 0
    while left > 3:
        side = _turn(uv, before[i], i, after[i])
        if (side > 0 or (flat and side == 0)) and _is_ear(uv, before, after, i):
            a, c = before[i], after[i]
            triangle[t, 0], triangle[t, 1], triangle[t, 2] = a, i, c
            _link(beside, t, 0, owner[a])
            _link(beside, t, 1, owner[i])
            owner[a] = 3 * t + 2
            after[a], before[c] = c, a
            left, tried, flat, t = left - 1, 0, False, t + 1
            i = c
            continue
        i, tried = after[i], tried + 1
        if tried > left:
            if flat:
                return False
            # Only corners on straight lines are left over: cut them off flat.
            flat, tried = True, 0
    a, c = before[i], after[i]
    triangle[t, 0], triangle[t, 1], triangle[t, 2] = a, i, c
    _link(beside, t, 0, owner[a])
    _link(beside, t, 1, owner[i])
    _link(beside, t, 2, owner[c])
    return True


@helper
def _height(uv: FloatArray, a: int, b: int, c: int) -> float:
    """Least height of a triangle, squared; 0 if it does not turn counter-clockwise."""
    x, y = uv[b, 0] - uv[a, 0], uv[b, 1] - uv[a, 1]
    s, t = uv[c, 0] - uv[a, 0], uv[c, 1] - uv[a, 1]
    area = x * t - y * s
    if area <= 0.0:
        return 0.0
    q, r = s - x, t - y
    return float(area * area / max(x * x + y * y, s * s + t * t, q * q + r * r))


@helper
def _should_turn(uv: FloatArray, a: int, b: int, c: int, d: int) -> bool:
    """Whether edge a-b between c (left) and d (right) must become c-d."""
    if _turn(uv, a, d, c) <= 0 or _turn(uv, d, b, c) <= 0:
        return False
    ax, ay = uv[a, 0] - uv[d, 0], uv[a, 1] - uv[d, 1]
    bx, by = uv[b, 0] - uv[d, 0], uv[b, 1] - uv[d, 1]
    cx, cy = uv[c, 0] - uv[d, 0], uv[c, 1] - uv[d, 1]
    aa, bb, cc = ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy
    value = aa * (bx * cy - cx * by) + bb * (cx * ay - ax * cy) + cc * (ax * by - bx * ay)
    bound = aa * (abs(bx * cy) + abs(cx * by)) + bb * (abs(cx * ay) + abs(ax * cy))
    bound += cc * (abs(ax * by) + abs(bx * ay))
    if abs(value) > INCIRCLE_FILTER * bound:
        return bool(value > 0.0)
    now = min(_height(uv, a, b, c), _height(uv, b, a, d))
    then = min(_height(uv, a, d, c), _height(uv, d, b, c))
    return bool(then > now * BETTER)


@helper
def turn_edges(uv: FloatArray, triangle: IntArray, beside: IntArray) -> None:
    """Turn edges until each is locally Delaunay."""
    for _ in range(ROUNDS * len(uv)):
        turned = False
        for t in range(len(triangle)):
            for k in range(3):
                other = beside[t, k]
                if other < 3 * t:
                    continue
                u, m = other // 3, other % 3
                a, b = triangle[t, k], triangle[t, (k + 1) % 3]
                c, d = triangle[t, (k + 2) % 3], triangle[u, (m + 2) % 3]
                if not _should_turn(uv, a, b, c, d):
                    continue
                bc, ca = beside[t, (k + 1) % 3], beside[t, (k + 2) % 3]
                ad, db = beside[u, (m + 1) % 3], beside[u, (m + 2) % 3]
                triangle[t, 0], triangle[t, 1], triangle[t, 2] = a, d, c
                triangle[u, 0], triangle[u, 1], triangle[u, 2] = d, b, c
                _link(beside, t, 0, ad)
                _link(beside, t, 2, ca)
                _link(beside, u, 0, db)
                _link(beside, u, 1, bc)
                _link(beside, t, 1, 3 * u + 2)
                turned = True
                break
        if not turned:
            return


@kernel
def triangulate_rings(
    uv: FloatArray, starts: IntArray, ends: IntArray
) -> tuple[IntArray, IntArray]:
    """Triangles of rings, as rows of `uv`, and whether each ring could be cut.

    Parameters
    ----------
    uv : float64 array, shape (n_corners, 2)
        Metres, near the origin; the rings are simple and turn counter-clockwise.
    starts, ends : int64 arrays, shape (n_rings,)
        Rows of each ring; at least three.

    Returns
    -------
    triangle : int64 array, shape (n_triangles, 3)
        Counter-clockwise, ring by ring, n - 2 for a ring of n corners.
    done : int64 array, shape (n_rings,)
        0 where ears ran out: the ring is not simple. Its triangles are then -1.
    """
    n_triangles = 0
    for r in range(len(starts)):
        n_triangles += ends[r] - starts[r] - 2
    result = np.full((n_triangles, 3), -1, dtype=np.int64)
    done = np.ones(len(starts), dtype=np.int64)
    first = 0
    for r in range(len(starts)):
        n = ends[r] - starts[r]
        triangle = np.empty((n - 2, 3), dtype=np.int64)
        beside = np.full((n - 2, 3), -1, dtype=np.int64)
        part = uv[starts[r] : ends[r]]
        if cut_ears(part, triangle, beside):
            if n > 3:
                turn_edges(part, triangle, beside)
            result[first : first + n - 2] = triangle + starts[r]
        else:
            done[r] = 0
        first += n - 2
    return result, done
