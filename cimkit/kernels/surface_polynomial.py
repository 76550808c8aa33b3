"""Polynomials of two variables at many places.

A table of coefficients c[i, j, k] of u**i v**j, one polynomial for each k; by Horner's rule in
both variables, O(n d**2) for degree d. One thread and no matrix of powers, whose product in
NumPy keeps all cores busy for the same work.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import kernel
from cimkit.tables._columns import FloatArray

PLACES = 64
"""Worked on together: so the processor takes several at once, in its fastest memory."""


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
    u, v = np.zeros(PLACES), np.zeros(PLACES)
    inner, value = np.empty(PLACES), np.empty(PLACES)
    for start in range(0, len(uv), PLACES):
        n = min(PLACES, len(uv) - start)
        for row in range(n):
            u[row], v[row] = uv[start + row, 0], uv[start + row, 1]
        for k in range(m):
            value[:] = 0.0
            for i in range(degree, -1, -1):
                inner[:] = 0.0
                for j in range(degree - i, -1, -1):
                    c = coefficient[i, j, k]
                    for row in range(PLACES):
                        inner[row] = inner[row] * v[row] + c
                for row in range(PLACES):
                    value[row] = value[row] * u[row] + inner[row]
            for row in range(n):
                result[start + row, k] = value[row]
    return result


@kernel
def surface_through(values: FloatArray, of_node: FloatArray, powers: FloatArray) -> FloatArray:
    """Coefficients of polynomials from their values on a grid of nodes.

    Parameters
    ----------
    values : float64 array, shape (n, n, m)
        Of m surfaces at n by n nodes.
    of_node : float64 array, shape (d + 1, n)
        Weight of each node in the coefficient of each orthogonal polynomial.
    powers : float64 array, shape (d + 1, d + 1)
        These polynomials, a row each, by rising powers.

    Returns
    -------
    float64 array, shape (d + 1, d + 1, m)
        As `surface_values` takes them; those of a degree above d in both together are left out.
    """
    size, n, m = powers.shape[0], values.shape[0], values.shape[2]
    result = np.zeros((size, size, m))
    for i in range(size):
        for j in range(size - i):
            for k in range(m):
                weight = 0.0
                for a in range(n):
                    for b in range(n):
                        weight += of_node[i, a] * of_node[j, b] * values[a, b, k]
                for p in range(i + 1):
                    for q in range(j + 1):
                        result[p, q, k] += weight * powers[i, p] * powers[j, q]
    return result
