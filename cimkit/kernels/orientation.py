"""Exact side of a point on a line: the one predicate on which point-in-polygon rests.

A float64 determinant is taken where its error bound proves the sign (Shewchuk 1997, "Adaptive
Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates", stage A). Otherwise
the determinant is expanded into twelve float64 terms without any rounding error, and their sum
gives the sign. Exact for all finite input, short of overflow and underflow of a product.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper

FILTER = (3.0 + 16.0 * 2.0**-53) * 2.0**-53
"""Relative error bound of the plain determinant (Shewchuk's ccwerrboundA)."""

SPLITTER = 2.0**27 + 1.0
"""Cuts a float64 into two halves of 26 bits, whose products are exact (Veltkamp)."""


@helper
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Sum and its rounding error, together exactly a + b (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@helper
def two_product(a: float, b: float) -> tuple[float, float]:
    """Product and its rounding error, together exactly a * b (Dekker)."""
    product = a * b
    big = SPLITTER * a
    a_high = big - (big - a)
    a_low = a - a_high
    big = SPLITTER * b
    b_high = big - (big - b)
    b_low = b - b_high
    rest = product - a_high * b_high - a_low * b_high - a_high * b_low
    return product, a_low * b_low - rest


@helper
def orientation(ax: float, ay: float, bx: float, by: float, px: float, py: float) -> int:
    """Sign of the triangle a, b, p: 1 where p lies left of a → b, -1 right, 0 on the line."""
    left = (ax - px) * (by - py)
    right = (ay - py) * (bx - px)
    determinant = left - right
    if abs(determinant) > FILTER * (abs(left) + abs(right)):
        return 1 if determinant > 0.0 else -1
    return _exact_orientation(ax, ay, bx, by, px, py)


@helper
def _exact_orientation(ax: float, ay: float, bx: float, by: float, px: float, py: float) -> int:
    """Take the same sign from an expansion of the determinant into terms without overlap."""
    factors = ((ax, by), (-ay, bx), (-ax, py), (ay, px), (-px, by), (py, bx))
    terms = np.zeros(12)
    n = 0
    for u, v in factors:
        product, error = two_product(u, v)
        for value in (error, product):
            carry = value
            for k in range(n):
                carry, terms[k] = two_sum(carry, terms[k])
            terms[n] = carry
            n += 1
    for k in range(n - 1, -1, -1):
        if terms[k] != 0.0:
            return 1 if terms[k] > 0.0 else -1
    return 0
