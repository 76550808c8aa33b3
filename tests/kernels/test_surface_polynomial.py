from __future__ import annotations

import numpy as np
import pytest

from cimkit.kernels.surface_polynomial import surface_values


@pytest.mark.parametrize("degree", [0, 1, 5])
def test_values_are_those_of_numpy(degree):
    rng = np.random.default_rng(degree)
    coefficient = rng.normal(size=(degree + 1, degree + 1, 4))
    i, j = np.indices((degree + 1, degree + 1))
    coefficient[i + j > degree] = 0  # terms of a higher degree are not looked at
    uv = rng.uniform(-1, 1, (50, 2))
    expected = np.polynomial.polynomial.polyval2d(uv[:, 0], uv[:, 1], coefficient).T
    np.testing.assert_allclose(surface_values(uv, coefficient), expected, atol=1e-12)
