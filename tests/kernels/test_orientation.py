from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.kernels._jit import kernel
from cimkit.kernels.orientation import orientation, two_product, two_sum

# Magnitudes at which no product overflows or underflows.
numbers = st.one_of(
    st.integers(-(2**40), 2**40).map(float),
    st.floats(-1e8, 1e8).map(lambda v: 0.0 if abs(v) < 1e-50 else v),
)


@kernel
def side(points: Any) -> int:
    return orientation(
        points[0, 0], points[0, 1], points[1, 0], points[1, 1], points[2, 0], points[2, 1]
    )


def exact_side(points: Any) -> int:
    (ax, ay), (bx, by), (px, py) = [[Fraction(v) for v in point] for point in points.tolist()]
    value = (ax - px) * (by - py) - (ay - py) * (bx - px)
    return (value > 0) - (value < 0)


@given(st.lists(numbers, min_size=6, max_size=6))
def test_orientation_is_exact_on_any_numbers(values):
    points = np.array(values).reshape(3, 2)
    assert side(points) == exact_side(points)


@given(
    st.lists(numbers, min_size=4, max_size=4),
    st.floats(-1, 2),
    st.integers(-2, 2),
    st.integers(-2, 2),
)
def test_orientation_is_exact_next_to_the_line(values, t, up, right):
    a, b = np.array(values).reshape(2, 2)
    p = a + t * (b - a)
    for _ in range(abs(up)):
        p[1] = np.nextafter(p[1], np.inf * up)
    for _ in range(abs(right)):
        p[0] = np.nextafter(p[0], np.inf * right)
    p[np.abs(p) < 1e-50] = 0.0
    points = np.array([a, b, p])
    assert side(points) == exact_side(points)


def test_plain_determinant_would_fail():
    # Shewchuk's classic: points near the line y = x, one unit in the last place apart.
    points = np.array([[12.0, 12.0], [24.0, 24.0], [0.5, 0.5 + 2.0**-53]])
    points[2, 1] = np.nextafter(0.5, 1.0)
    assert side(points) == exact_side(points) == 1
    points[2] = points[2, ::-1].copy()
    assert side(points) == exact_side(points) == -1


@given(numbers, numbers)
def test_two_sum_and_two_product_lose_nothing(a, b):
    total, error = two_sum(a, b)
    assert Fraction(float(total)) + Fraction(float(error)) == Fraction(a) + Fraction(b)
    product, error = two_product(a, b)
    assert Fraction(float(product)) + Fraction(float(error)) == Fraction(a) * Fraction(b)


@pytest.mark.parametrize("far", [0.0, 4e7])
def test_left_is_positive(far):
    assert side(np.array([[far, far], [far + 1, far], [far, far + 1e-6]])) == 1
    assert side(np.array([[far, far], [far + 1, far], [far, far - 1e-6]])) == -1
    assert side(np.array([[far, far], [far + 1, far], [far + 9, far]])) == 0
