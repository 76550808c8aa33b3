"""Normals of points from their nearest neighbours in space.

Neighbours are looked for in a grid of cells that hold a few points each; the normal is the
eigenvector of the smallest eigenvalue of their covariance, in closed form.

Time and memory O(n k).

Literature: Hoppe et al. 1992 (normals from neighbours, SIGGRAPH); Smith 1961 (eigenvalues of a
symmetric 3 x 3 matrix, Communications of the ACM 4).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cimkit.kernels._jit import helper

if TYPE_CHECKING:
    from cimkit.tables._columns import FloatArray, WholeArray


INDEX_BITS = 17
"""Of the numbers that order neighbours; the other 46 hold squared millimetres, up to 8 km."""

_FAR = 1 << 62


@helper
def nearest_points(
    x: FloatArray, y: FloatArray, z: FloatArray, density: float, k: int
) -> WholeArray:
    """Give for each point the `k` nearest in space, itself first; -1 where there are fewer.

    They are looked for in the 3 x 3 cells around it; a cell holds `k` / pi points on average.
    Of equally near ones the earlier is taken: squared millimetres and index are one number.
    """
    n = len(x)
    side = math.sqrt(k / (math.pi * density))
    west, south = x.min(), y.min()
    width, height = x.max() - west, y.max() - south
    while (width / side + 1.0) * (height / side + 1.0) > 4.0 * n + 64.0:
        side *= 1.5
    columns, rows = int(width / side) + 1, int(height / side) + 1
    start = np.zeros(columns * rows + 1, np.int32)
    cell = np.empty(n, np.int32)
    for i in range(n):
        cell[i] = int((y[i] - south) / side) * columns + int((x[i] - west) / side)
        start[cell[i] + 1] += 1
    for c in range(columns * rows):
        start[c + 1] += start[c]
    member, xyz = np.empty(n, np.int64), np.empty((n, 3), np.int64)
    place = start[:-1].copy()
    for i in range(n):
        m = place[cell[i]]
        place[cell[i]] += 1
        member[m] = i
        xyz[m, 0], xyz[m, 1] = int(np.rint(x[i] * 1000.0)), int(np.rint(y[i] * 1000.0))
        xyz[m, 2] = int(np.rint(z[i] * 1000.0))
    near = np.full((n, k), -1, np.int32)
    best = np.empty(k, np.int64)
    for own in range(n):
        i = member[own]
        row, column = cell[i] // columns, cell[i] % columns
        best[:] = _FAR
        for shift in (0, -1, 1):  # the own row first: it holds most of the nearest
            r = row + shift
            if r < 0 or r >= rows:
                continue
            first = start[r * columns + max(column - 1, 0)]
            last = start[r * columns + min(column + 1, columns - 1) + 1]
            for m in range(first, last):
                dx, dy = xyz[m, 0] - xyz[own, 0], xyz[m, 1] - xyz[own, 1]
                dz = xyz[m, 2] - xyz[own, 2]
                key = ((dx * dx + dy * dy + dz * dz) << INDEX_BITS) | member[m]
                if m == own:
                    key = -1
                if key < best[k - 1]:
                    at = k - 1
                    while at > 0 and best[at - 1] > key:
                        best[at] = best[at - 1]
                        at -= 1
                    best[at] = key
        near[i, 0] = i
        for m in range(1, k):
            if best[m] < _FAR:
                near[i, m] = best[m] & ((1 << INDEX_BITS) - 1)
    return near


@helper
def normals_of(
    x: FloatArray, y: FloatArray, z: FloatArray, near: WholeArray
) -> tuple[FloatArray, FloatArray]:
    """Unit normal of each point's neighbourhood, upward, and the variance along it."""
    n, k = near.shape
    normal = np.zeros((n, 3))
    flatness = np.full(n, np.inf)
    for i in range(n):
        count = 0
        mx = my = mz = 0.0
        for m in range(k):
            j = near[i, m]
            if j >= 0:
                mx, my, mz = mx + x[j], my + y[j], mz + z[j]
                count += 1
        if count < 4:
            continue
        mx, my, mz = mx / count, my / count, mz / count
        xx = xy = xz = yy = yz = zz = 0.0
        for m in range(count):
            j = near[i, m]
            dx, dy, dz = x[j] - mx, y[j] - my, z[j] - mz
            xx, xy, xz = xx + dx * dx, xy + dx * dy, xz + dx * dz
            yy, yz, zz = yy + dy * dy, yz + dy * dz, zz + dz * dz
        least = _least_eigenvalue(xx, xy, xz, yy, yz, zz)
        ax, ay, az = xx - least, yy - least, zz - least
        # Two rows of the singular matrix span its plane; the longest cross product is sure.
        best = 0.0
        for pair in range(3):
            if pair == 0:
                nx, ny, nz = xy * yz - xz * ay, xz * xy - ax * yz, ax * ay - xy * xy
            elif pair == 1:
                nx, ny, nz = xy * az - xz * yz, xz * xz - ax * az, ax * yz - xy * xz
            else:
                nx, ny, nz = ay * az - yz * yz, yz * xz - xy * az, xy * yz - ay * xz
            length = nx * nx + ny * ny + nz * nz
            if length > best:
                best = length
                scale = (1.0 if nz >= 0.0 else -1.0) / math.sqrt(length)
                normal[i, 0], normal[i, 1], normal[i, 2] = nx * scale, ny * scale, nz * scale
        if best > 0.0:
            flatness[i] = max(least, 0.0) / count
    return normal, flatness


@helper
def _least_eigenvalue(
    xx: float, xy: float, xz: float, yy: float, yz: float, zz: float
) -> float:
    """Smallest eigenvalue of a symmetric 3 x 3 matrix (Smith 1961)."""
    q = (xx + yy + zz) / 3.0
    a, b, c = xx - q, yy - q, zz - q
    p = math.sqrt((a * a + b * b + c * c + 2.0 * (xy * xy + xz * xz + yz * yz)) / 6.0)
    if p == 0.0:
        return q
    r = (a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)) / (
        2.0 * p**3
    )
    return q + 2.0 * p * math.cos(math.acos(min(max(r, -1.0), 1.0)) / 3.0 + 2.0 * math.pi / 3.0)
