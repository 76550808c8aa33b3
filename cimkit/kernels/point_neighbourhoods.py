"""How rough, and how often hit more than once, the surroundings of points are.

Principal component analysis of the points within a sphere (Pauly et al. 2002, Efficient
simplification of point-sampled surfaces, IEEE Visualization): the square root of the smallest
eigenvalue of their covariance is how far they lie off their best plane. Sums are whole
millimetres, so that the order of the points changes no bit. Points are sorted into cells as
wide as the radius, and only one of each small cube is looked at, so that dense clouds do not
take the square of their density; O(n log n + pairs).
"""

from __future__ import annotations

import math

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.tables._columns import BoolArray, FloatArray, IntArray

STRIDE = 2**31
"""Columns of cells: more than any map has."""


CUBE = 250
"""Millimetres. Of the points in such a cube the first by its place in it counts for all. Few of
8 points a m2 share one; of 200, one in ten is left."""


@helper
def smallest_eigenvalue(
    xx: float, yy: float, zz: float, xy: float, xz: float, yz: float
) -> float:
    """Of a symmetric matrix of 3 by 3, by its characteristic equation (Smith 1961)."""
    mean = (xx + yy + zz) / 3.0
    a, b, c = xx - mean, yy - mean, zz - mean
    p = math.sqrt(max((a * a + b * b + c * c + 2 * (xy * xy + xz * xz + yz * yz)) / 6.0, 0.0))
    if p == 0.0:
        return mean
    half_det = (a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)) / (
        2.0 * p * p * p
    )
    angle = math.acos(min(1.0, max(-1.0, half_det))) / 3.0
    return mean + 2.0 * p * math.cos(angle + 2.0 * math.pi / 3.0)


@helper
def steepness(
    value: float, xx: float, yy: float, zz: float, xy: float, xz: float, yz: float
) -> float:
    """Sine of the slope of the plane of the smallest eigenvalue: 0 lies flat, 1 stands.

    The squares of the parts of its eigenvector are the diagonal cofactors. 0 where a line or a
    single place has no plane.
    """
    a, b, c = xx - value, yy - value, zz - value
    east, north, up = b * c - yz * yz, a * c - xz * xz, a * b - xy * xy
    total = east + north + up
    if total <= 1e-6 * (a + b + c) ** 2:
        return 0.0
    return math.sqrt(min(1.0, max(0.0, (east + north) / total)))


@kernel
def _describe(
    at: IntArray, at_key: IntArray, xyz: IntArray, key: IntArray, flags: BoolArray, radius: int
) -> tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray]:
    n = len(at)
    count, column = np.zeros(n, np.int64), np.zeros(n, np.int64)
    flagged = np.zeros((n, flags.shape[1]), np.int64)
    rough, steep = np.zeros(n, np.float64), np.zeros(n, np.float64)
    for k in range(n):
        x0, y0, z0 = at[k, 0], at[k, 1], at[k, 2]
        sx, sy, sz, sxx, syy, szz, sxy, sxz, syz = 0, 0, 0, 0, 0, 0, 0, 0, 0
        for line in range(-1, 2):
            first = np.searchsorted(key, at_key[k] + line * STRIDE - 1)
            last = np.searchsorted(key, at_key[k] + line * STRIDE + 1, side="right")
            for j in range(first, last):
                x, y, z = xyz[j, 0] - x0, xyz[j, 1] - y0, xyz[j, 2] - z0
                if x * x + y * y > radius * radius:
                    continue
                column[k] += 1
                if x * x + y * y + z * z > radius * radius:
                    continue
                count[k] += 1
                for f in range(flags.shape[1]):
                    flagged[k, f] += flags[j, f]
                sx, sy, sz = sx + x, sy + y, sz + z
                sxx, syy, szz = sxx + x * x, syy + y * y, szz + z * z
                sxy, sxz, syz = sxy + x * y, sxz + x * z, syz + y * z
        m = max(float(count[k]), 1.0)
        mx, my, mz = sx / m, sy / m, sz / m
        xx, yy, zz = sxx / m - mx * mx, syy / m - my * my, szz / m - mz * mz
        xy, xz, yz = sxy / m - mx * my, sxz / m - mx * mz, syz / m - my * mz
        value = smallest_eigenvalue(xx, yy, zz, xy, xz, yz)
        rough[k] = math.sqrt(max(value, 0.0)) / 1000.0
        if count[k] > 2:
            steep[k] = steepness(value, xx, yy, zz, xy, xz, yz)
    return count, column, flagged, rough, steep


def describe_neighbourhoods(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    flags: BoolArray,
    wanted: IntArray,
    radius: float,
) -> tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray]:
    """What lies within a sphere around some of the points.

    Parameters
    ----------
    x, y, z : float64 array, shape (n,)
        Metres, taken in whole millimetres.
    flags : bool array, shape (n, k)
    wanted : int64 array, shape (m,)
        Rows of the points to look around.
    radius : float
        Metres.

    Returns
    -------
    count, column : int64 array, shape (m,)
        Points in the sphere, itself included, and in the upright cylinder around it; one for
        each `CUBE`.
    flagged : int64 array, shape (m, k)
        Those in the sphere with each flag.
    rough : float64 array, shape (m,)
        Root mean square distance of these points from their best plane, metres; 0 for three
        points or fewer.
    steep : float64 array, shape (m,)
        Sine of the slope of this plane: 0 lies flat, 1 stands; 0 where there is none.

    Examples
    --------
    >>> x, y = np.arange(5.0), np.zeros(5)
    >>> found = describe_neighbourhoods(x, y, y, x[:, None] > 1, np.array([0, 2]), 1.0)
    >>> [column.round(3).tolist() for column in found]
    [[2, 3], [2, 3], [[0], [2]], [0.0, 0.0], [0.0, 0.0]]
    """
    xyz = np.column_stack([np.round(axis * 1000.0).astype(np.int64) for axis in (x, y, z)])
    flags = np.asarray(flags, dtype=np.bool_)
    reach = max(round(radius * 1000.0), 1)
    at = xyz[wanted]
    kept = _one_of_each_cube(xyz, flags)
    key = _cell_key(xyz[kept], reach)
    order = np.argsort(key, kind="stable")
    kept = kept[order]
    return _describe(at, _cell_key(at, reach), xyz[kept], key[order], flags[kept], reach)


def _cell_key(xyz: IntArray, reach: int) -> IntArray:
    """Number of the cell, row by row."""
    key: IntArray = (xyz[:, 1] // reach) * STRIDE + xyz[:, 0] // reach
    return key


def _one_of_each_cube(xyz: IntArray, flags: BoolArray) -> IntArray:
    """Rows of the points that stand for their cubes, whatever the order of the points."""
    cube, place = np.divmod(xyz, CUBE)
    within = (place[:, 0] * CUBE + place[:, 1]) * CUBE + place[:, 2]
    for k in range(flags.shape[1]):
        within = within * 2 + flags[:, k]
    order = np.lexsort((within, *cube.T))
    ordered = cube[order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    kept: IntArray = order[first]
    return kept
