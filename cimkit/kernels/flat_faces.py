"""Rings and planes of the faces of shells: what can be said of a face by itself.

For each face, in this order: rings of fewer than three corners (101), of equal neighbours
(102); the plane of least squares through all corners, and their greatest distance from it
(203); rings that meet themselves in that plane (104); holes that turn like the outline (208).
Numbers and order are those of val3dity. A triangle without holes is only asked whether it is a
line. The plane is the eigenvector of the least eigenvalue of the scatter matrix (Jacobi's
rotations); the projection to it is (u, v), in which the outline turns counter-clockwise.

O(n log n) for a ring of n corners as buildings have them, at worst O(n^2). Rings meet
themselves where they come closer than `TOUCH`, so that the verdict does not depend on the
rounding of coordinates.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.tables._columns import FloatArray, IntArray

TOUCH = 1e-8
"""Metres. Above the rounding of the projection, which is 1e-12 m in a face of 1 km; edges on a
grid of 0.1 mm that do not meet are hardly ever as close."""

NOTHING = 1e-18
"""Relative: below the rounding of the diagonal, so that turning by it changes nothing."""

SWEEPS = 12
"""Rounds of Jacobi's method; six are enough for a 3 x 3 matrix."""


@helper
def least_plane(xyz: FloatArray, first: int, last: int, plane: FloatArray) -> None:
    """Centre (0:3) and unit normal (3:6) of the plane of least squares through some rows."""
    plane[:] = 0.0
    for row in range(first, last):
        for axis in range(3):
            plane[axis] += xyz[row, axis] / (last - first)
    a, v = np.zeros((3, 3)), np.eye(3)
    for row in range(first, last):
        for i in range(3):
            for j in range(3):
                a[i, j] += (xyz[row, i] - plane[i]) * (xyz[row, j] - plane[j])
    for _ in range(SWEEPS):
        off = abs(a[0, 1]) + abs(a[0, 2]) + abs(a[1, 2])
        if off == 0.0:
            break
        for p in range(2):
            for q in range(p + 1, 3):
                _rotate(a, v, p, q)
    least = 0
    for k in range(1, 3):
        if a[k, k] < a[least, least]:
            least = k
    for axis in range(3):
        plane[3 + axis] = v[axis, least]


@helper
def _rotate(a: FloatArray, v: FloatArray, p: int, q: int) -> None:
    """One rotation of Jacobi's method: a[p, q] becomes 0."""
    if abs(a[p, q]) <= NOTHING * (abs(a[p, p]) + abs(a[q, q])):
        a[p, q] = a[q, p] = 0.0
        return
    theta = (a[q, q] - a[p, p]) / (2.0 * a[p, q])
    t = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
    if theta < 0.0:
        t = -t
    c = 1.0 / np.sqrt(t * t + 1.0)
    s = t * c
    for k in range(3):
        kp, kq = a[k, p], a[k, q]
        a[k, p], a[k, q] = c * kp - s * kq, s * kp + c * kq
    for k in range(3):
        pk, qk = a[p, k], a[q, k]
        a[p, k], a[q, k] = c * pk - s * qk, s * pk + c * qk
    for k in range(3):
        kp, kq = v[k, p], v[k, q]
        v[k, p], v[k, q] = c * kp - s * kq, s * kp + c * kq
    a[p, q] = a[q, p] = 0.0


@helper
def _gap2(px: float, py: float, ax: float, ay: float, bx: float, by: float) -> float:
    """Squared distance of a point from a segment."""
    dx, dy = bx - ax, by - ay
    length2 = dx * dx + dy * dy
    t = 0.0
    if length2 > 0.0:
        t = min(1.0, max(0.0, ((px - ax) * dx + (py - ay) * dy) / length2))
    ex, ey = px - ax - t * dx, py - ay - t * dy
    return ex * ex + ey * ey


@helper
def _side(ax: float, ay: float, bx: float, by: float, px: float, py: float) -> float:
    return (bx - ax) * (py - ay) - (by - ay) * (px - ax)


@helper
def _meet(uv: FloatArray, a: int, b: int, c: int, d: int) -> bool:
    """Whether two segments cross or come closer than `TOUCH`."""
    near = TOUCH * TOUCH
    ax, ay, bx, by = uv[a, 0], uv[a, 1], uv[b, 0], uv[b, 1]
    cx, cy, dx, dy = uv[c, 0], uv[c, 1], uv[d, 0], uv[d, 1]
    if max(ax, bx) + TOUCH < min(cx, dx) or max(cx, dx) + TOUCH < min(ax, bx):
        return False
    if max(ay, by) + TOUCH < min(cy, dy) or max(cy, dy) + TOUCH < min(ay, by):
        return False
    if (_side(ax, ay, bx, by, cx, cy) > 0.0) != (_side(ax, ay, bx, by, dx, dy) > 0.0) and (
        _side(cx, cy, dx, dy, ax, ay) > 0.0
    ) != (_side(cx, cy, dx, dy, bx, by) > 0.0):
        return True
    return (
        _gap2(ax, ay, cx, cy, dx, dy) <= near
        or _gap2(bx, by, cx, cy, dx, dy) <= near
        or _gap2(cx, cy, ax, ay, bx, by) <= near
        or _gap2(dx, dy, ax, ay, bx, by) <= near
    )


FEW = 32
"""Corners of a ring up to which all pairs of edges are faster than sorting them."""


@helper
def _turns_back(uv: FloatArray, i: int, j: int, k: int) -> bool:
    """Whether an edge i-j and the next one j-k, which share j, meet elsewhere too."""
    near = TOUCH * TOUCH
    return bool(
        _gap2(uv[k, 0], uv[k, 1], uv[i, 0], uv[i, 1], uv[j, 0], uv[j, 1]) <= near
        or _gap2(uv[i, 0], uv[i, 1], uv[j, 0], uv[j, 1], uv[k, 0], uv[k, 1]) <= near
    )


@helper
def _first_meeting(uv: FloatArray, first: int, last: int) -> tuple[int, int]:
    """The first edge, by its row, that meets a later one, no neighbour, and that one; -1, -1.

    Edges are gone through from west to east: one need only be compared with those that begin
    before it ends. All pairs of a ring of 10,000 corners took 0.2 s.
    """
    n = last - first
    low, high = np.empty(n), np.empty(n)
    for i in range(n):
        a, b = uv[first + i, 0], uv[first + (i + 1) % n, 0]
        low[i], high[i] = min(a, b), max(a, b)
    few = n <= FEW
    order = np.arange(n) if few else np.argsort(low, kind="mergesort")
    one, two = n, n
    for m in range(n):
        i = order[m]
        for p in range(m + 1, n):
            j = order[p]
            if not few and low[j] > high[i] + TOUCH:
                break
            x, y = min(i, j), max(i, j)
            if y - x < 2 or y - x == n - 1 or (x, y) >= (one, two):
                continue
            if _meet(uv, first + x, first + x + 1, first + y, first + (y + 1) % n):
                one, two = x, y
    return (first + one, first + two) if one < n else (-1, -1)


@helper
def ring_meets_itself(uv: FloatArray, first: int, last: int) -> int:
    """Row of a corner where a ring touches or crosses itself, -1 for a simple ring."""
    one, two = _first_meeting(uv, first, last)
    n = last - first
    for i in range(n if one < 0 else one - first + 1):
        j, k = first + (i + 1) % n, first + (i + 2) % n
        if _turns_back(uv, first + i, j, k):
            return int(j)
    return two


@helper
def _ring_area(uv: FloatArray, first: int, last: int) -> float:
    area = 0.0
    for i in range(first, last):
        j = i + 1 if i + 1 < last else first
        area += (uv[i, 0] - uv[first, 0]) * (uv[j, 1] - uv[first, 1])
        area -= (uv[j, 0] - uv[first, 0]) * (uv[i, 1] - uv[first, 1])
    return area / 2.0


@helper
def _is_line(xyz: FloatArray, a: int) -> bool:
    """Whether three corners in a row lie on one line: the least height is within `TOUCH`."""
    u, v, w = xyz[a + 1] - xyz[a], xyz[a + 2] - xyz[a], xyz[a + 2] - xyz[a + 1]
    x = u[1] * v[2] - u[2] * v[1]
    y = u[2] * v[0] - u[0] * v[2]
    z = u[0] * v[1] - u[1] * v[0]
    longest = max((u * u).sum(), (v * v).sum(), (w * w).sum())
    return bool(x * x + y * y + z * z <= TOUCH * TOUCH * longest)


@helper
def _corners_fault(point: IntArray, first: int, last: int) -> int:
    """Row of a corner that equals the next one, -1 for none."""
    for i in range(first, last):
        if point[i] == point[i + 1 if i + 1 < last else first]:
            return i
    return -1


@helper
def _project(xyz: FloatArray, first: int, last: int, plane: FloatArray, uv: FloatArray) -> None:
    """Coordinates of some rows in a plane; u, v and the normal are right-handed."""
    n = plane[3:6]
    u = np.zeros(3)
    if abs(n[2]) > 0.5:
        u[0], u[2] = n[2], -n[0]
    else:
        u[0], u[1] = -n[1], n[0]
    u /= np.sqrt((u * u).sum())
    v = np.array(
        [n[1] * u[2] - n[2] * u[1], n[2] * u[0] - n[0] * u[2], n[0] * u[1] - n[1] * u[0]]
    )
    for row in range(first, last):
        d = xyz[row] - plane[0:3]
        uv[row, 0], uv[row, 1] = (d * u).sum(), (d * v).sum()


@kernel
def judge_faces(
    xyz: FloatArray,
    point: IntArray,
    ring_offsets: IntArray,
    face_offsets: IntArray,
    tolerance: float,
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Number of the first fault of each face, its corner, its size; and all corners in (u, v).

    Parameters
    ----------
    xyz : float64 array, shape (n_corners, 3)
        Metres, near the origin; corners of one point have the same coordinates.
    point : int64 array, shape (n_corners,)
        Number of the point of each corner.
    ring_offsets, face_offsets : int64 arrays
    tolerance : float
        Metres that a corner may lie off the plane.

    Returns
    -------
    fault : int64 array, shape (n_faces,)
        0 for none.
    corner : int64 array, shape (n_faces,)
        -1 for none.
    off : float64 array, shape (n_faces,)
        Greatest distance from the plane in metres, 0 where it was not asked for.
    uv : float64 array, shape (n_corners, 2)
        Metres in the plane of the face.
    """
    n_faces = len(face_offsets) - 1
    fault, corner = np.zeros(n_faces, dtype=np.int64), np.full(n_faces, -1, dtype=np.int64)
    off, uv, plane = np.zeros(n_faces), np.zeros((len(xyz), 2)), np.zeros(6)
    for f in range(n_faces):
        rings = ring_offsets[face_offsets[f] : face_offsets[f + 1] + 1]
        first, last = rings[0], rings[-1]
        if len(rings) < 2 or np.min(rings[1:] - rings[:-1]) < 3:
            fault[f], corner[f] = 101, first if last > first else -1
            continue
        for r in range(len(rings) - 1):
            corner[f] = _corners_fault(point, rings[r], rings[r + 1])
            if corner[f] >= 0:
                fault[f] = 102
                break
        if fault[f]:
            continue
        if len(rings) == 2 and last - first == 3:
            if _is_line(xyz, first):
                fault[f], corner[f] = 104, first
            continue
        least_plane(xyz, first, last, plane)
        worst = first
        for row in range(first, last):
            gap = abs(((xyz[row] - plane[0:3]) * plane[3:6]).sum())
            if gap > off[f]:
                off[f], worst = gap, row
        if off[f] > tolerance:
            fault[f], corner[f] = 203, worst
            continue
        _project(xyz, first, last, plane, uv)
        if _ring_area(uv, first, rings[1]) < 0.0:
            uv[first:last, 1] *= -1.0
        for r in range(len(rings) - 1):
            at = ring_meets_itself(uv, rings[r], rings[r + 1])
            if at >= 0:
                fault[f], corner[f] = 104, at
                break
            if r and fault[f] == 0 and _ring_area(uv, rings[r], rings[r + 1]) > 0.0:
                fault[f], corner[f] = 208, rings[r]
    return fault, corner, off, uv
