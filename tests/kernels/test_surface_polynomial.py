from __future__ import annotations

import numpy as np
import pytest

from cimkit.kernels.surface_polynomial import surface_through, surface_values


@pytest.mark.parametrize("degree", [0, 1, 5])
def test_values_are_those_of_numpy(degree):
    rng = np.random.default_rng(degree)
    coefficient = rng.normal(size=(degree + 1, degree + 1, 4))
    i, j = np.indices((degree + 1, degree + 1))
    coefficient[i + j > degree] = 0  # terms of a higher degree are not looked at
    uv = rng.uniform(-1, 1, (50, 2))
    expected = np.polynomial.polynomial.polyval2d(uv[:, 0], uv[:, 1], coefficient).T
    np.testing.assert_allclose(surface_values(uv, coefficient), expected, atol=1e-12)


@pytest.mark.parametrize("places", [1, 64, 65, 200])
def test_places_are_worked_on_in_any_number(places):
    coefficient = np.zeros((3, 3, 2))
    coefficient[1, 1, 0], coefficient[0, 2, 1] = 2.0, -1.0
    uv = np.random.default_rng(places).uniform(-1, 1, (places, 2))
    expected = np.column_stack([2 * uv[:, 0] * uv[:, 1], -(uv[:, 1] ** 2)])
    np.testing.assert_allclose(surface_values(uv, coefficient), expected, atol=1e-12)


def test_a_polynomial_is_found_from_its_values():
    degree, n = 4, 6
    rng = np.random.default_rng(0)
    coefficient = rng.normal(size=(degree + 1, degree + 1, 3))
    i, j = np.indices((degree + 1, degree + 1))
    coefficient[i + j > degree] = 0
    line = np.cos(np.pi * (np.arange(n) + 0.5) / n)  # Chebyshev's nodes
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    values = surface_values(grid, coefficient).reshape(n, n, 3)
    order = np.arange(degree + 1)
    of_node = np.cos(order[:, None] * np.arccos(line)) * np.where(order, 2, 1)[:, None] / n
    powers = np.zeros((degree + 1, degree + 1))
    for row, one in enumerate(np.eye(degree + 1)):
        powers[row, : row + 1] = np.polynomial.chebyshev.cheb2poly(one)[: row + 1]
    found = surface_through(values, of_node, powers)
    np.testing.assert_allclose(found, coefficient, atol=1e-12)
