"""Least-squares planes from running sums: adding a point or joining two sets costs O(1)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cimkit.kernels._jit import helper

if TYPE_CHECKING:
    from cimkit.tables._columns import FloatArray, WholeArray

NARROW = 1.0
"""Metres: points in a strip of this width span a plane however long it is; in a narrower one
if it is wider than 3 % of its length."""

SUMS = 10
"""Running sums of a plane: n, x, y, z, xx, xy, yy, xz, yz, zz."""


@helper
def add_to_sums(sums: FloatArray, x: float, y: float, z: float, sign: float) -> None:
    """Add a point to the running sums of a plane, or take it out with sign -1."""
    sums[0] += sign
    sums[1] += sign * x
    sums[2] += sign * y
    sums[3] += sign * z
    sums[4] += sign * x * x
    sums[5] += sign * x * y
    sums[6] += sign * y * y
    sums[7] += sign * x * z
    sums[8] += sign * y * z
    sums[9] += sign * z * z


@helper
def fit_sums(sums: FloatArray) -> tuple[float, float, float, bool]:
    """Least-squares plane z = a x + b y + c, and whether the points span one."""
    n = sums[0]
    if n < 3.0:
        return 0.0, 0.0, sums[3] / max(n, 1.0), False
    mx, my, mz = sums[1] / n, sums[2] / n, sums[3] / n
    xx, xy, yy = sums[4] / n - mx * mx, sums[5] / n - mx * my, sums[6] / n - my * my
    xz, yz = sums[7] / n - mx * mz, sums[8] / n - my * mz
    det = xx * yy - xy * xy
    if det <= (xx + yy) * min(1e-3 * (xx + yy), NARROW**2 / 12.0):  # along a line
        return 0.0, 0.0, mz, False
    a, b = (xz * yy - yz * xy) / det, (yz * xx - xz * xy) / det
    return a, b, mz - a * mx - b * my, True


@helper
def rms_off(sums: FloatArray, a: float, b: float, c: float) -> float:
    """Root mean square distance of summed points to a plane, square to it."""
    n = sums[0]
    total = (
        sums[9]
        + a * a * sums[4]
        + b * b * sums[6]
        + c * c * n
        - 2.0 * (a * sums[7] + b * sums[8] + c * sums[3])
        + 2.0 * (a * b * sums[5] + a * c * sums[1] + b * c * sums[2])
    )
    return math.sqrt(max(total, 0.0) / n / (1.0 + a * a + b * b))


@helper
def sums_of(
    x: FloatArray, y: FloatArray, z: FloatArray, owner: WholeArray, n_planes: int
) -> FloatArray:
    """Running sums of the points of each plane, shape (n_planes, SUMS)."""
    sums = np.zeros((n_planes, SUMS))
    for p in range(len(owner)):
        if owner[p] >= 0:
            add_to_sums(sums[owner[p]], x[p], y[p], z[p], 1.0)
    return sums
