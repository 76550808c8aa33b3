"""Right-triangulated irregular networks: a square grid of heights as few triangles.

A square is two right triangles, and each of these is cut at the middle of its longest side,
again and again, while the height there is off by more than a tolerance (Evans, Kirkpatrick and
Townsend 2001, "Right-triangulated irregular networks"). The error of a vertex holds those of
the vertices that can only be there with it (Lindstrom and Pascucci 2001), so that triangles on
both sides of an edge are cut alike and no cracks open. O(n^2) for a grid of n x n.

A vertex without height (NaN) has an endless error, so that the mesh ends within a cell of it;
no triangle has such a corner.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.tables._columns import FloatArray, IntArray


@helper
def _off(z: FloatArray, i: int, j: int, a: int, b: int, c: int, d: int) -> float:
    """How far a height is from the middle of two others."""
    away = abs(z[i, j] - (z[a, b] + z[c, d]) / 2.0)
    return np.inf if np.isnan(away) else away


@kernel
def vertex_errors(z: FloatArray) -> FloatArray:
    """Tolerance below which each vertex of a grid is needed.

    Parameters
    ----------
    z : float64 array, shape (n, n)
        Heights, metres; n = 2**k + 1.

    Returns
    -------
    float64 array, shape (n, n)
        Metres; infinite at the corners of the square.
    """
    n = z.shape[0]
    error = np.zeros((n, n))
    half = 1
    while 2 * half < n:
        side = 2 * half
        # Middles of the sides of squares.
        for i in range(0, n, half):
            start = half if (i // half) % 2 == 0 else 0
            for j in range(start, n, side):
                if (i // half) % 2 == 0:
                    worst = _off(z, i, j, i, j - half, i, j + half)
                else:
                    worst = _off(z, i, j, i - half, j, i + half, j)
                if half > 1:
                    q = half // 2
                    for a in (i - q, i + q):
                        for b in (j - q, j + q):
                            if 0 <= a < n and 0 <= b < n:
                                worst = max(worst, error[a, b])
                error[i, j] = worst
        # Middles of squares, whose diagonal runs through the middle of the square around.
        for i in range(half, n, side):
            for j in range(half, n, side):
                if (i // side + j // side) % 2 == 0:
                    worst = _off(z, i, j, i - half, j - half, i + half, j + half)
                else:
                    worst = _off(z, i, j, i - half, j + half, i + half, j - half)
                worst = max(worst, error[i - half, j], error[i + half, j])
                error[i, j] = max(worst, error[i, j - half], error[i, j + half])
        half = side
    for i in (0, n - 1):
        for j in (0, n - 1):
            error[i, j] = np.inf
    return error


@kernel
def right_triangles(z: FloatArray, error: FloatArray, tolerance: float) -> IntArray:
    """Triangles of a grid within a tolerance.

    Parameters
    ----------
    z, error : float64 arrays, shape (n, n)
        Heights, and what `vertex_errors` gives for them.
    tolerance : float
        Metres.

    Returns
    -------
    int64 array, shape (n_triangles, 3)
        Numbers of vertices, row * n + column; counter-clockwise with rows to the north and
        columns to the east.
    """
    n = z.shape[0]
    result = np.empty((2 * (n - 1) * (n - 1), 3), dtype=np.int64)
    stack = np.empty((128, 6), dtype=np.int64)
    last = n - 1
    found = 0
    depth = 2
    # Each by the ends of its longest side, then the right angle.
    stack[0] = np.array([0, 0, last, last, last, 0])
    stack[1] = np.array([last, last, 0, 0, 0, last])
    while depth:
        depth -= 1
        ai, aj, bi, bj, ci, cj = stack[depth]
        mi, mj = (ai + bi) // 2, (aj + bj) // 2
        whole = (ai + bi) % 2 == 0 and (aj + bj) % 2 == 0
        if whole and error[mi, mj] > tolerance:
            stack[depth] = np.array([ci, cj, ai, aj, mi, mj])
            stack[depth + 1] = np.array([bi, bj, ci, cj, mi, mj])
            depth += 2
            continue
        if np.isnan(z[ai, aj] + z[bi, bj] + z[ci, cj]):
            continue
        turn = (bj - aj) * (ci - ai) - (bi - ai) * (cj - aj)
        result[found, 0] = ai * n + aj
        result[found, 1] = bi * n + bj if turn > 0 else ci * n + cj
        result[found, 2] = ci * n + cj if turn > 0 else bi * n + bj
        found += 1
    return result[:found].copy()


@kernel
def mesh_error(z: FloatArray, triangle: IntArray) -> float:
    """Farthest that a height of the grid lies from a mesh over it.

    Parameters
    ----------
    z : float64 array, shape (n, n)
    triangle : int64 array, shape (n_triangles, 3)
        As `right_triangles` gives it.

    Returns
    -------
    float
        Metres; heights that no triangle covers, and NaN, do not count.
    """
    n = z.shape[0]
    worst = 0.0
    for t in range(len(triangle)):
        ai, aj = triangle[t, 0] // n, triangle[t, 0] % n
        bi, bj = triangle[t, 1] // n, triangle[t, 1] % n
        ci, cj = triangle[t, 2] // n, triangle[t, 2] % n
        area = (bj - aj) * (ci - ai) - (bi - ai) * (cj - aj)
        for i in range(min(ai, bi, ci), max(ai, bi, ci) + 1):
            for j in range(min(aj, bj, cj), max(aj, bj, cj) + 1):
                p = (bj - j) * (ci - i) - (bi - i) * (cj - j)
                q = (cj - j) * (ai - i) - (ci - i) * (aj - j)
                r = (aj - j) * (bi - i) - (ai - i) * (bj - j)
                if p < 0 or q < 0 or r < 0 or np.isnan(z[i, j]):
                    continue
                flat = (p * z[ai, aj] + q * z[bi, bj] + r * z[ci, cj]) / area
                worst = max(worst, abs(z[i, j] - flat))
    return worst
