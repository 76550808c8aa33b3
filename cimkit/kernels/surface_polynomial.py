"""Polynomials of two variables at many places.

A table of coefficients c[i, j, k] of u**i v**j, one polynomial for each k; by Horner's rule in
both variables, O(n d**2) for degree d. One thread and no matrix of powers, whose product in
NumPy keeps all cores busy for the same work.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import kernel
from cimkit.tables._columns import FloatArray


@kernel
def surface_values(uv: FloatArray, coefficient: FloatArray) -> FloatArray:
    """Values of polynomials.

    Parameters
    ----------
    uv : float64 array, shape (n, 2)
    coefficient : float64 array, shape (d + 1, d + 1, m)

    Returns
    -------
    float64 array, shape (n, m)
    """
    degree, m = coefficient.shape[0] - 1, coefficient.shape[2]
    result = np.empty((len(uv), m))
    for row in range(len(uv)):
        u, v = uv[row, 0], uv[row, 1]
        for k in range(m):
            value = 0.0
            for i in range(degree, -1, -1):
                inner = 0.0
                for j in range(degree - i, -1, -1):
                    inner = inner * v + coefficient[i, j, k]
                value = value * u + inner
            result[row, k] = value
    return result
