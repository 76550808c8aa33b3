"""Neighbourhoods of points: what no order and no place may change."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from cimkit.kernels.point_neighbourhoods import describe_neighbourhoods, smallest_eigenvalue


@given(st.lists(st.integers(-50, 50), min_size=6, max_size=6))
def test_smallest_eigenvalue_is_that_of_lapack(numbers):
    xx, yy, zz, xy, xz, yz = map(float, numbers)
    matrix = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    expected = np.linalg.eigvalsh(matrix)[0]
    assert smallest_eigenvalue(*map(float, numbers)) == pytest.approx(expected, abs=1e-5)


def cloud(seed=0, n=400):
    rng = np.random.default_rng(seed)
    x, y, z = rng.uniform(0, 5, (3, n)).round(3)
    return x, y, z, rng.random((n, 1)) < 0.5


@pytest.mark.parametrize("shift", [0.0, -2000.0, 4e7])
def test_order_and_place_change_no_bit(shift):
    x, y, z, flags = cloud()
    rows = np.arange(len(x))
    found = describe_neighbourhoods(x, y, z, flags, rows, 1.2)
    order = np.random.default_rng(1).permutation(len(x))
    moved = describe_neighbourhoods(
        x[order] + shift, y[order] - shift / 2, z[order] + 7, flags[order], rows, 1.2
    )
    for a, b in zip(found, moved, strict=True):
        assert a[order].tobytes() == b.tobytes()


def test_a_plane_is_smooth_however_it_lies():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(0, 4, (2, 500))
    for z in (0 * x, 2 * x - y, 30 * x):
        *_, rough, steep = describe_neighbourhoods(x, y, z, x[:, None] > 9, np.arange(40), 3.0)
        assert rough.max() < 0.001
        east, north = np.linalg.lstsq(np.column_stack([x, y]), z, rcond=None)[0]
        slope = np.hypot(east, north)
        np.testing.assert_allclose(steep, slope / np.hypot(1, slope), atol=1e-3)


def test_nobody_is_asked_about_nothing():
    x, y, z, flags = cloud()
    none = np.empty(0, dtype=np.int64)
    assert [len(column) for column in describe_neighbourhoods(x, y, z, flags, none, 1.0)] == [
        0, 0, 0, 0, 0,
    ]  # fmt: skip
