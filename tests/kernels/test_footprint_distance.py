from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.errors import TableError
from cimkit.kernels.footprint_distance import depth_in_footprint, distance_to_footprint
from cimkit.kernels.footprint_grid import build_grid
from tests.kernels.shapes import (
    CALM,
    FAR,
    POLYGONS,
    footprints_of,
    lattice_polygons,
    star_polygons,
    telling_points,
)


def check(polygons: Any, points: Any) -> None:
    grid = build_grid(footprints_of(polygons), cell=0.8)
    row = np.arange(len(points)) % len(polygons)
    shapes, places = np.array(polygons)[row], shapely.points(points)
    distance = distance_to_footprint(points[:, 0], points[:, 1], row, grid)
    np.testing.assert_allclose(
        distance, shapely.distance(shapes, places), rtol=1e-12, atol=2e-8
    )
    assert (distance[shapely.covers(shapes, places)] == 0).all()
    depth = depth_in_footprint(points[:, 0], points[:, 1], row, grid)
    expected = shapely.distance(shapely.boundary(shapes), places)
    np.testing.assert_allclose(depth, expected, rtol=1e-12, atol=2e-8)


@pytest.mark.parametrize("name", CALM)
@pytest.mark.parametrize("origin", [(0.0, 0.0), FAR])
def test_zoo_agrees_with_shapely(name, origin):
    polygons = [shapely.transform(p, lambda xy: xy + origin) for p in POLYGONS[name]]
    points = telling_points(polygons, np.random.default_rng(1), 30)
    afar = points.mean(0) + np.array([[500.0, 900.0], [-2e4, 0.0]])
    check(polygons, np.vstack([points, afar]))


@settings(max_examples=15, deadline=None)
@given(st.one_of(lattice_polygons(), star_polygons()))
def test_any_shape_agrees_with_shapely(polygons):
    check(polygons, telling_points(polygons, np.random.default_rng(2), 10))


@pytest.mark.parametrize("row", [-1, 1])
def test_unknown_footprint_is_refused(row):
    grid = build_grid(footprints_of(POLYGONS["l"]))
    with pytest.raises(TableError, match="does not exist"):
        distance_to_footprint([0.0], [0.0], [row], grid)
