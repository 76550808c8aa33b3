"""Triangles of one shell that meet elsewhere than at the corners and edges they share.

A tree of boxes finds the pairs; triangles of the same face are never asked. A pair that shares
an edge meets if both lie in one plane on the same side of it. A pair that shares a corner meets
if the far edge of one meets the other. Any other pair meets if an edge of one meets the other.
Things closer than `TOUCH` meet: a shell that touches itself is found whatever the rounding of
its coordinates. Triangles lower than `FLAT` have no plane that means anything and are left out;
their neighbours cover the place. O(n log n) for shells as they are built.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.tables._columns import BoolArray, FloatArray, IntArray

TOUCH = 1e-8
"""Metres. Rounding moves the plane of a triangle 50 m long and 1 mm high by 5e-10 m there."""

FLAT = 1e-6
"""Metres."""

LEAF = 8
"""Triangles in a leaf of the tree: below some 100 triangles all pairs of boxes are as fast."""

DEPTH = 64
"""Levels of the tree; it halves a count below 2^63."""


@helper
def _plane(xyz: FloatArray, a: int, b: int, c: int, plane: FloatArray) -> bool:
    """Unit normal (0:3) and offset (3) of a triangle; whether it is high enough for one."""
    ux, uy, uz = xyz[b, 0] - xyz[a, 0], xyz[b, 1] - xyz[a, 1], xyz[b, 2] - xyz[a, 2]
    vx, vy, vz = xyz[c, 0] - xyz[a, 0], xyz[c, 1] - xyz[a, 1], xyz[c, 2] - xyz[a, 2]
    wx, wy, wz = vx - ux, vy - uy, vz - uz
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    area = np.sqrt(x * x + y * y + z * z)
    longest = max(
        ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz, wx * wx + wy * wy + wz * wz
    )
    if area <= FLAT * np.sqrt(longest):
        return False
    plane[0], plane[1], plane[2] = x / area, y / area, z / area
    plane[3] = plane[0] * xyz[a, 0] + plane[1] * xyz[a, 1] + plane[2] * xyz[a, 2]
    return True


@helper
def _off(xyz: FloatArray, p: int, plane: FloatArray) -> float:
    value = plane[0] * xyz[p, 0] + plane[1] * xyz[p, 1] + plane[2] * xyz[p, 2] - plane[3]
    return float(value)


@helper
def _inside(
    xyz: FloatArray, corners: IntArray, plane: FloatArray, x: float, y: float, z: float
) -> bool:
    """Whether a point of the plane of a triangle lies in it, or within `TOUCH` of it."""
    for k in range(3):
        a, b = corners[k], corners[(k + 1) % 3]
        ex, ey, ez = xyz[b, 0] - xyz[a, 0], xyz[b, 1] - xyz[a, 1], xyz[b, 2] - xyz[a, 2]
        # Inward normal of the edge in the plane.
        nx, ny = plane[1] * ez - plane[2] * ey, plane[2] * ex - plane[0] * ez
        nz = plane[0] * ey - plane[1] * ex
        gap = (x - xyz[a, 0]) * nx + (y - xyz[a, 1]) * ny + (z - xyz[a, 2]) * nz
        if gap < -TOUCH * np.sqrt(ex * ex + ey * ey + ez * ez):
            return False
    return True


@helper
def _edge_meets(
    xyz: FloatArray, p: int, q: int, corners: IntArray, plane: FloatArray, shared: int
) -> bool:
    """Whether a segment meets a triangle; `shared` is a corner that is no end of it, or -1."""
    dp, dq = _off(xyz, p, plane), _off(xyz, q, plane)
    if (dp > TOUCH and dq > TOUCH) or (dp < -TOUCH and dq < -TOUCH):
        return False
    if abs(dp) > TOUCH or abs(dq) > TOUCH:
        t = dp / (dp - dq)
        t = min(1.0, max(0.0, t))
        x = xyz[p, 0] + t * (xyz[q, 0] - xyz[p, 0])
        y = xyz[p, 1] + t * (xyz[q, 1] - xyz[p, 1])
        z = xyz[p, 2] + t * (xyz[q, 2] - xyz[p, 2])
        return _inside(xyz, corners, plane, x, y, z)
    if _inside(xyz, corners, plane, xyz[p, 0], xyz[p, 1], xyz[p, 2]):
        return True
    if _inside(xyz, corners, plane, xyz[q, 0], xyz[q, 1], xyz[q, 2]):
        return True
    return _crosses_edges(xyz, p, q, corners, plane, shared)


@helper
def _crosses_edges(
    xyz: FloatArray, p: int, q: int, corners: IntArray, plane: FloatArray, shared: int
) -> bool:
    """Whether a segment in the plane of a triangle crosses one of its edges."""
    u, v = 0, 1
    if abs(plane[0]) > max(abs(plane[1]), abs(plane[2])):
        u, v = 1, 2
    elif abs(plane[1]) > abs(plane[2]):
        u, v = 2, 0
    for k in range(3):
        a, b = corners[k], corners[(k + 1) % 3]
        if a != shared and _gap(xyz, a, p, q) <= TOUCH:
            return True
        s0, s1 = _side(xyz, p, q, a, u, v), _side(xyz, p, q, b, u, v)
        s2, s3 = _side(xyz, a, b, p, u, v), _side(xyz, a, b, q, u, v)
        if s0 * s1 < 0.0 and s2 * s3 < 0.0:
            return True
    return False


@helper
def _side(xyz: FloatArray, a: int, b: int, p: int, u: int, v: int) -> float:
    """On which side of a line a point lies, seen along an axis."""
    left = (xyz[b, u] - xyz[a, u]) * (xyz[p, v] - xyz[a, v])
    return float(left - (xyz[b, v] - xyz[a, v]) * (xyz[p, u] - xyz[a, u]))


@helper
def _gap(xyz: FloatArray, p: int, a: int, b: int) -> float:
    """Distance of a point from a segment."""
    dx, dy, dz = xyz[b, 0] - xyz[a, 0], xyz[b, 1] - xyz[a, 1], xyz[b, 2] - xyz[a, 2]
    ex, ey, ez = xyz[p, 0] - xyz[a, 0], xyz[p, 1] - xyz[a, 1], xyz[p, 2] - xyz[a, 2]
    length2 = dx * dx + dy * dy + dz * dz
    t = 0.0
    if length2 > 0.0:
        t = min(1.0, max(0.0, (dx * ex + dy * ey + dz * ez) / length2))
    ex, ey, ez = ex - t * dx, ey - t * dy, ez - t * dz
    return float(np.sqrt(ex * ex + ey * ey + ez * ez))


@helper
def _pair_meets(
    xyz: FloatArray, s: IntArray, t: IntArray, plane_s: FloatArray, plane_t: FloatArray
) -> bool:
    """Whether two triangles meet elsewhere than where they share corners."""
    common, at_s, at_t = 0, 0, 0
    sum_s, sum_t = 0, 0
    for i in range(3):
        for j in range(3):
            if s[i] == t[j]:
                common, at_s, at_t, sum_s, sum_t = common + 1, i, j, sum_s + i, sum_t + j
    if common == 3:
        return True
    if common == 2:
        far_s, far_t = s[3 - sum_s], t[3 - sum_t]
        if abs(_off(xyz, far_t, plane_s)) > TOUCH or abs(_off(xyz, far_s, plane_t)) > TOUCH:
            return False
        a, b = s[(4 - sum_s) % 3], s[(5 - sum_s) % 3]
        side = 0.0
        # Both far corners on the same side of the edge, seen along the plane of s.
        inward = np.empty(3)
        e = xyz[b] - xyz[a]
        inward[0] = plane_s[1] * e[2] - plane_s[2] * e[1]
        inward[1] = plane_s[2] * e[0] - plane_s[0] * e[2]
        inward[2] = plane_s[0] * e[1] - plane_s[1] * e[0]
        for axis in range(3):
            side += (xyz[far_t, axis] - xyz[a, axis]) * inward[axis]
        return bool(side > 0.0)
    if common == 1:
        a, b = s[(at_s + 1) % 3], s[(at_s + 2) % 3]
        c, d = t[(at_t + 1) % 3], t[(at_t + 2) % 3]
        return _edge_meets(xyz, a, b, t, plane_t, t[at_t]) or _edge_meets(
            xyz, c, d, s, plane_s, s[at_s]
        )
    for k in range(3):
        if _edge_meets(xyz, s[k], s[(k + 1) % 3], t, plane_t, -1):
            return True
        if _edge_meets(xyz, t[k], t[(k + 1) % 3], s, plane_s, -1):
            return True
    return False


@helper
def _boxes(xyz: FloatArray, triangle: IntArray) -> FloatArray:
    """Low and high corners of the triangles, wider by `TOUCH`."""
    box = np.empty((len(triangle), 6))
    for t in range(len(triangle)):
        for axis in range(3):
            a, b, c = (
                xyz[triangle[t, 0], axis],
                xyz[triangle[t, 1], axis],
                xyz[triangle[t, 2], axis],
            )
            box[t, axis] = min(a, b, c) - TOUCH
            box[t, 3 + axis] = max(a, b, c) + TOUCH
    return box


@helper
def _apart(a: FloatArray, i: int, b: FloatArray, j: int) -> bool:
    """Whether row i of some boxes and row j of others have nothing in common."""
    return bool(
        a[i, 0] > b[j, 3]
        or b[j, 0] > a[i, 3]
        or a[i, 1] > b[j, 4]
        or b[j, 1] > a[i, 4]
        or a[i, 2] > b[j, 5]
        or b[j, 2] > a[i, 5]
    )


@helper
def _tree(box: FloatArray, order: IntArray) -> tuple[FloatArray, IntArray]:
    """Box and (first, last, left child) of each node; halves along the widest side."""
    n = len(order)
    size = 1
    while size * LEAF < n:
        size *= 2
    node_box, node = np.empty((4 * size, 6)), np.full((4 * size, 3), -1, dtype=np.int64)
    node[0, 0], node[0, 1] = 0, n
    used, at = 1, 0
    while at < used:
        first, last = node[at, 0], node[at, 1]
        for axis in range(3):
            node_box[at, axis], node_box[at, 3 + axis] = np.inf, -np.inf
            for i in range(first, last):
                node_box[at, axis] = min(node_box[at, axis], box[order[i], axis])
                node_box[at, 3 + axis] = max(node_box[at, 3 + axis], box[order[i], 3 + axis])
        if last - first > LEAF:
            widest = 0
            for axis in range(1, 3):
                if (
                    node_box[at, 3 + axis] - node_box[at, axis]
                    > node_box[at, 3 + widest] - node_box[at, widest]
                ):
                    widest = axis
            part = order[first:last].copy()
            order[first:last] = part[np.argsort(box[part, widest] + box[part, 3 + widest])]
            node[at, 2] = used
            middle = (first + last) // 2
            node[used, 0], node[used, 1] = first, middle
            node[used + 1, 0], node[used + 1, 1] = middle, last
            used += 2
        at += 1
    return node_box, node


@helper
def _first_contact(xyz: FloatArray, triangle: IntArray, face: IntArray) -> tuple[int, int]:
    """Pair of triangles that meet, the first one of the least row; or (-1, -1)."""
    n = len(triangle)
    box = _boxes(xyz, triangle)
    plane, has_plane = np.zeros((n, 4)), np.zeros(n, dtype=np.bool_)
    for t in range(n):
        a, b, c = triangle[t]
        has_plane[t] = _plane(xyz, a, b, c, plane[t])
    order = np.arange(n)
    node_box, node = _tree(box, order)
    stack = np.empty(2 * DEPTH, dtype=np.int64)
    for t in range(n):
        if not has_plane[t]:
            continue
        found, left, stack[0] = n, 1, 0
        while left > 0:
            left -= 1
            at = stack[left]
            if _apart(box, t, node_box, at):
                continue
            child = node[at, 2]
            if child >= 0:
                stack[left], stack[left + 1] = child, child + 1
                left += 2
                continue
            for i in range(node[at, 0], node[at, 1]):
                u = order[i]
                if u <= t or u >= found or face[u] == face[t] or not has_plane[u]:
                    continue
                if not _apart(box, t, box, u) and _pair_meets(
                    xyz, triangle[t], triangle[u], plane[t], plane[u]
                ):
                    found = u
        if found < n:
            return t, found
    return -1, -1


@kernel
def first_contacts(
    xyz: FloatArray, triangle: IntArray, face: IntArray, offsets: IntArray, asked: BoolArray
) -> IntArray:
    """For each shell a pair of triangles of two faces that meet where they should not.

    Parameters
    ----------
    xyz : float64 array, shape (n_points, 3)
        Metres, near the origin.
    triangle : int64 array, shape (n_triangles, 3)
        Rows of `xyz`.
    face : int64 array, shape (n_triangles,)
    offsets : int64 array, shape (n_shells + 1,)
        Borders of the shells among the triangles.
    asked : bool array, shape (n_shells,)
        Shells to look at.

    Returns
    -------
    int64 array, shape (n_shells, 2)
        Rows of `triangle`; the least ones, or -1 where nothing meets.
    """
    result = np.full((len(offsets) - 1, 2), -1, dtype=np.int64)
    for s in range(len(offsets) - 1):
        first, last = offsets[s], offsets[s + 1]
        if asked[s] and first < last:
            t, u = _first_contact(xyz, triangle[first:last], face[first:last])
            if t >= 0:
                result[s, 0], result[s, 1] = first + t, first + u
    return result
