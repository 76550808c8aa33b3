from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import gaussian_filter

from cimkit.kernels.rtin import mesh_error, right_triangles, vertex_errors


def hills(n, seed=0, rough=4.0):
    rng = np.random.default_rng(seed)
    return gaussian_filter(rng.normal(size=(n, n)), rough) * 40


def made(z, tolerance):
    return right_triangles(z, vertex_errors(z), tolerance)


def area(triangle, n):
    i, j = triangle // n, triangle % n
    a, b, c = (np.column_stack([j[:, k], i[:, k]]) for k in range(3))
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2


@pytest.mark.parametrize("n", [3, 5, 17, 65])
@pytest.mark.parametrize("tolerance", [0.0, 0.3, 2.0])
def test_the_square_is_covered_once_without_cracks(n, tolerance):
    triangle = made(hills(n), tolerance)
    assert (area(triangle, n) > 0).all()
    assert area(triangle, n).sum() == (n - 1) ** 2
    edges = Counter(
        tuple(edge) for t in triangle.tolist() for edge in zip(t, t[1:] + t[:1], strict=True)
    )
    assert max(edges.values()) == 1
    for a, b in edges:
        on_rim = any(a % n == b % n == side or a // n == b // n == side for side in (0, n - 1))
        assert (b, a) in edges or on_rim


@pytest.mark.parametrize("seed", range(4))
def test_a_finer_tolerance_is_closer(seed):
    z = hills(33, seed)
    found = [(len(t := made(z, e)), mesh_error(z, t)) for e in (0.0, 0.2, 1.0, 5.0)]
    assert found[0] == (2 * 32 * 32, 0.0)
    counts, errors = zip(*found, strict=True)
    assert list(counts) == sorted(counts, reverse=True)
    # The errors of nested cuts add up, so a mesh may be off by a few tolerances.
    assert errors[1] <= 4 * 0.2
    assert errors[2] <= 4 * 1.0


def test_a_plane_is_two_triangles():
    i, j = np.indices((65, 65))
    assert len(made(3.0 + 0.2 * i - 0.1 * j, 1e-9)) == 2


@pytest.mark.parametrize("tolerance", [0.2, 1.0])
def test_the_error_is_that_of_interpolation_by_scipy(tolerance):
    z = hills(33, 7)
    triangle = made(z, tolerance)
    worst = 0.0
    for t in triangle:
        corners = np.column_stack([t // 33, t % 33])
        low, high = corners.min(axis=0), corners.max(axis=0)
        grid = np.mgrid[low[0] : high[0] + 1, low[1] : high[1] + 1].reshape(2, -1).T
        flat = LinearNDInterpolator(corners, z.ravel()[t])(grid)
        away = np.abs(flat - z[tuple(grid.T)])
        worst = max(worst, np.nanmax(away))
    assert mesh_error(z, triangle) == pytest.approx(worst)


def test_nothing_is_drawn_where_nothing_is_known():
    z = hills(65, 3)
    z[20:40, 10:30] = np.nan
    triangle = made(z, 1.0)
    assert np.isfinite(z.ravel()[triangle]).all()
    covered = area(triangle, 65).sum()
    assert 64 * 64 - 21 * 21 - 90 <= covered <= 64 * 64 - 19 * 19
